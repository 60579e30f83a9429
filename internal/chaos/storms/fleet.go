package storms

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/chaos/fleet"
	"deckhand/internal/chaos/history"
	"deckhand/jobs"
)

// Kind of a storm.
type Kind string

// Values of [Kind].
const (
	// KillWorker: SIGKILL, and a new process.
	KillWorker Kind = "kill a worker"
	// TerminateWorker: SIGTERM, and a new process.
	TerminateWorker Kind = "terminate a worker"
	// StallWorker: no byte between a worker and NATS for longer than a lease.
	StallWorker Kind = "stall a worker"
	// CutWorker: its connections to NATS are closed.
	CutWorker Kind = "cut a worker off"
	// FreezeWorker: SIGSTOP for longer than a lease.
	FreezeWorker Kind = "freeze a worker"
	// KillNATS: SIGKILL of a server, of the leader of JOBS where there are more.
	KillNATS Kind = "kill NATS"
	// KillNATSAtAck: SIGKILL within 100 ms of the end of a job.
	KillNATSAtAck Kind = "kill NATS at an ack"
	// FillDisk: no byte is free on the disk of NATS, which is started again afterwards.
	FillDisk Kind = "fill the disk"
	// FillStreams: JOBS and progress take nothing more.
	FillStreams Kind = "fill the streams"
	// Brownout: half of the store's requests fail for a moment.
	Brownout Kind = "brownout"
)

// All storms, as often as they are to come.
var All = []Kind{
	KillWorker, KillWorker, KillWorker, KillWorker, TerminateWorker, StallWorker, StallWorker, StallWorker, StallWorker,
	CutWorker, FreezeWorker, KillNATS, KillNATS, KillNATSAtAck, KillNATSAtAck, FillStreams, Brownout, Brownout,
}

// Front is where storms come from.
type Front struct {
	Workers []*fleet.Worker
	Broker  *fleet.Broker
	Store   *Store
	Record  *history.Record
	Random  *rand.Rand
	// Disk of the only server; nil: it is as big as the machine's.
	Disk *fleet.Disk
	// JS is a connection past the proxies.
	JS jetstream.JetStream
	// Kinds that come, one after the other, every Interval or so.
	Kinds    []Kind
	Interval time.Duration
	// Lease is how long a lease lasts: stalls are longer.
	Lease time.Duration
	// Ended is told of each job that ends, if somebody listens.
	Ended <-chan struct{}
}

// Blow lets storms come until ctx ends, and mends everything then.
func (f *Front) Blow(ctx context.Context) error {
	for pause(ctx, f.between(f.Interval/2, f.Interval*3/2)) {
		if err := f.one(ctx, f.Kinds[f.Random.IntN(len(f.Kinds))]); err != nil {
			return err
		}
	}
	return f.Mend()
}

// Mend ends every storm: all processes run, and nothing stands between them.
func (f *Front) Mend() error {
	f.Store.Set(Weather{})
	for n := range f.Broker.Size() {
		if err := f.Broker.Start(n); err != nil {
			return err
		}
	}
	for _, w := range f.Workers {
		w.Freeze(false)
		w.Stall(false)
		if err := w.Start(); err != nil {
			return err
		}
	}
	f.say("all is mended")
	return nil
}

func (f *Front) between(least, most time.Duration) time.Duration {
	return least + time.Duration(f.Random.Int64N(int64(most-least)+1))
}

func (f *Front) say(format string, args ...any) {
	f.Record.Add(history.Event{What: history.Storm, Text: fmt.Sprintf(format, args...)})
}

// one lets a storm come and go.
func (f *Front) one(ctx context.Context, kind Kind) error {
	w := f.Workers[f.Random.IntN(len(f.Workers))]
	longer := f.between(f.Lease+f.Lease/3, 5*f.Lease/2)
	switch kind {
	case KillWorker, TerminateWorker:
		f.say("%s: %s", kind, w.Name())
		if kind == KillWorker {
			w.Kill()
		} else {
			w.Terminate()
		}
		pause(ctx, f.between(0, f.Lease/2))
		return w.Start()
	case StallWorker:
		f.during(ctx, fmt.Sprintf("%s: %s", kind, w.Name()), longer, func() { w.Stall(true) }, func() { w.Stall(false) })
	case FreezeWorker:
		f.during(ctx, fmt.Sprintf("%s: %s", kind, w.Name()), longer, func() { w.Freeze(true) }, func() { w.Freeze(false) })
	case CutWorker:
		f.say("%s: %s", kind, w.Name())
		w.Cut()
	case Brownout:
		f.during(ctx, string(kind), f.between(time.Second, 3*time.Second),
			func() { f.Store.Set(Weather{Throttled: 300, Failed: 100, Reset: 100, Catalog: 300}) },
			func() { f.Store.Set(Rough) })
	case KillNATS, KillNATSAtAck:
		return f.killNATS(ctx, kind)
	case FillStreams:
		return f.fillStreams(ctx)
	case FillDisk:
		return f.fillDisk(ctx)
	}
	return nil
}

func (f *Front) during(ctx context.Context, what string, d time.Duration, begin, end func()) {
	f.say("%s for %s", what, d.Round(time.Millisecond))
	begin()
	pause(ctx, d)
	end()
	f.say("%s is over", what)
}

// killNATS takes a server away for a moment, sometimes for longer than leases last.
func (f *Front) killNATS(ctx context.Context, kind Kind) error {
	n := 0
	if f.Broker.Size() > 1 {
		leader, cancel := context.WithTimeout(ctx, 2*time.Second)
		n = max(f.Broker.Leader(leader, f.JS, jobs.StreamName), 0)
		cancel()
	}
	if kind == KillNATSAtAck {
		f.awaitEnd(ctx)
		pause(ctx, f.between(0, 100*time.Millisecond))
	}
	away := f.between(100*time.Millisecond, 2*time.Second)
	if f.Random.IntN(4) == 0 {
		away = f.between(f.Lease, 2*f.Lease)
	}
	f.say("%s: server %d, away for %s", kind, n+1, away.Round(time.Millisecond))
	f.Broker.Kill(n)
	pause(ctx, away)
	return f.Broker.Start(n)
}

// awaitEnd waits for the end of some job, but not for ever.
func (f *Front) awaitEnd(ctx context.Context) {
	for {
		select { // what ended before
		case <-f.Ended:
			continue
		default:
		}
		break
	}
	select {
	case <-f.Ended:
	case <-ctx.Done():
	case <-time.After(2 * time.Second):
	}
}
