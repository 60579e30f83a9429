package storms

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
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
	// KillNATS: SIGKILL of the only server.
	KillNATS Kind = "kill NATS"
	// KillLeader: SIGKILL of the server that leads JOBS.
	KillLeader Kind = "kill the leader of JOBS"
	// KillNATSAtAck: SIGKILL within 100 ms of the end of a job.
	KillNATSAtAck Kind = "kill NATS at an ack"
	// RestartNATS: SIGTERM, and a new process.
	RestartNATS Kind = "restart NATS"
	// LosePower: SIGKILL, and what the only server had written of its consumers in the
	// seconds before is gone.
	LosePower Kind = "lose power"
	// FillDisk: no byte is free on the disk of NATS, which is started again afterwards.
	FillDisk Kind = "fill the disk"
	// FillStreams: JOBS and progress take nothing more.
	FillStreams Kind = "fill the streams"
	// Brownout: half of the store's requests fail for a moment.
	Brownout Kind = "brownout"
)

// OfWorkers are the storms that meet workers, as often as they are to come.
var OfWorkers = []Kind{
	KillWorker, KillWorker, KillWorker, KillWorker, TerminateWorker,
	StallWorker, StallWorker, StallWorker, CutWorker, FreezeWorker,
}

// Front is where storms come from, one after the other. Two fronts do not meet the
// same workers or servers.
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
	// Kinds that come, every Interval or so.
	Kinds    []Kind
	Interval time.Duration
	// Lease is how long a lease lasts: stalls are longer.
	Lease time.Duration
	// Ended is told of each job that ends, if somebody listens.
	Ended <-chan struct{}
}

// Blow lets storms come until ctx ends.
func (f *Front) Blow(ctx context.Context) error {
	kinds := newDeck(f.Kinds, f.Random)
	for pause(ctx, f.between(f.Interval/2, f.Interval*3/2)) {
		if err := f.one(ctx, kinds.next()); err != nil {
			return err
		}
	}
	return nil
}

// Mend ends every storm: all processes run, and nothing stands between them. No front
// blows any more.
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

// say tells the record what is about to happen.
func (f *Front) say(format string, args ...any) {
	f.Record.Add(history.Event{What: history.Storm, Text: fmt.Sprintf(format, args...)})
}

// met tells the record that a storm came to pass.
func (f *Front) met(kind Kind) {
	f.Record.Add(history.Event{What: history.Met, Storm: string(kind)})
}

// one lets a storm come and go.
func (f *Front) one(ctx context.Context, kind Kind) error {
	switch kind {
	case KillWorker, TerminateWorker, StallWorker, FreezeWorker, CutWorker:
		return f.meetWorker(ctx, kind, f.Workers[f.Random.IntN(len(f.Workers))])
	case Brownout:
		f.during(ctx, kind, "", f.between(time.Second, 3*time.Second),
			func() { f.Store.Set(Weather{Throttled: 300, Failed: 100, Reset: 100, Catalog: 300}) },
			func() { f.Store.Set(Rough) })
	case KillNATS, KillLeader, KillNATSAtAck, RestartNATS, LosePower:
		return f.meetNATS(ctx, kind)
	case FillStreams:
		return f.fillStreams(ctx)
	case FillDisk:
		return f.fillDisk(ctx)
	}
	return nil
}

func (f *Front) meetWorker(ctx context.Context, kind Kind, w *fleet.Worker) error {
	longer := f.between(f.Lease+f.Lease/3, 5*f.Lease/2)
	switch kind {
	case StallWorker:
		f.during(ctx, kind, w.Name(), longer, func() { w.Stall(true) }, func() { w.Stall(false) })
		return nil
	case FreezeWorker:
		f.during(ctx, kind, w.Name(), longer, func() { w.Freeze(true) }, func() { w.Freeze(false) })
		return nil
	case CutWorker:
		f.say("%s: %s", kind, w.Name())
		w.Cut()
		f.met(kind)
		return nil
	}
	f.say("%s: %s", kind, w.Name())
	if kind == KillWorker {
		w.Kill()
	} else {
		w.Terminate()
	}
	f.met(kind)
	pause(ctx, f.between(0, f.Lease/2))
	return w.Start()
}

// during is a storm that lasts. Cut short by the end of the run it has not been met.
func (f *Front) during(ctx context.Context, kind Kind, whom string, d time.Duration, begin, end func()) {
	what := strings.TrimSpace(string(kind) + " " + whom)
	f.say("%s for %s", what, d.Round(time.Millisecond))
	begin()
	whole := pause(ctx, d)
	end()
	f.say("%s is over", what)
	if whole {
		f.met(kind)
	}
}

// meetNATS takes a server away for a moment, sometimes for longer than leases last.
func (f *Front) meetNATS(ctx context.Context, kind Kind) error {
	n := 0
	if f.Broker.Size() > 1 {
		if n = f.leader(ctx); n < 0 {
			return nil // none, or nobody knows
		}
	}
	var written fleet.Written
	switch kind {
	case KillNATSAtAck:
		if !f.awaitEnd(ctx) {
			return nil
		}
		pause(ctx, f.between(0, 100*time.Millisecond))
	case LosePower:
		var err error
		if written, err = f.Broker.Written(n); errors.Is(err, fleet.ErrNothingWritten) {
			return nil
		} else if err != nil {
			return err
		}
		pause(ctx, f.between(time.Second, 3*time.Second))
	}
	away := f.between(100*time.Millisecond, 2*time.Second)
	if f.Random.IntN(4) == 0 {
		away = f.between(f.Lease, 2*f.Lease)
	}
	f.say("%s: server %d, away for %s", kind, n+1, away.Round(time.Millisecond))
	if kind == RestartNATS {
		f.Broker.Terminate(n)
	} else {
		f.Broker.Kill(n)
	}
	if err := written.Lose(); err != nil {
		return err
	}
	f.met(kind)
	pause(ctx, away)
	return f.Broker.Start(n)
}

// leader of JOBS; -1 for none.
func (f *Front) leader(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, electing)
	defer cancel()
	n := -1
	_ = untilAnswered(ctx, func(call context.Context) error {
		if n = f.Broker.Leader(call, f.JS, jobs.StreamName); n < 0 {
			return errNoLeader
		}
		return nil
	})
	return n
}

// awaitEnd waits for the end of some job, but not for ever.
func (f *Front) awaitEnd(ctx context.Context) bool {
	select { // what ended before
	case <-f.Ended:
	default:
	}
	select {
	case <-f.Ended:
		return true
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
	}
	return false
}
