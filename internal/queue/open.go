package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// Config of a [Queue].
type Config struct {
	// AckWait that the assets are expected to have; a difference is an error.
	// 0 takes what they have.
	AckWait time.Duration
	// StallTimeout cancels a run that neither saves a checkpoint nor says that it
	// is alive for so long. Defaults to 15 minutes.
	StallTimeout time.Duration
	// Drain is how long running jobs may go on after a worker was told to stop.
	// Defaults to 25 seconds.
	Drain time.Duration
}

// WithDefaults fills what is zero.
func (c Config) WithDefaults() Config {
	c.StallTimeout = cmp.Or(c.StallTimeout, 15*time.Minute)
	c.Drain = cmp.Or(c.Drain, 25*time.Second)
	return c
}

// Validate reports a configuration that cannot work.
func (c Config) Validate() error {
	switch {
	case c.AckWait < 0:
		return fmt.Errorf("ack wait: %s is negative", c.AckWait)
	case c.StallTimeout < 0:
		return fmt.Errorf("stall timeout: %s is negative", c.StallTimeout)
	case c.Drain < 0:
		return fmt.Errorf("drain: %s is negative", c.Drain)
	}
	return nil
}

// Queue is the opened streams and buckets. Its methods may be called from many
// goroutines.
type Queue struct {
	js      jetstream.JetStream
	config  Config
	timings timings

	jobs, dead, results jetstream.Stream
	locks, progress     bucketStore
	shards              bucketStore
	// created is when JOBS was made, in milliseconds of the epoch: a sequence
	// means nothing without it. It is looked at again while a worker runs.
	created atomic.Int64

	// assets makes the assets as they were found, and reconnects is the number of
	// reconnects before that.
	assets     AssetsConfig
	reconnects uint64

	mu   sync.Mutex
	held map[string]Holder // leases of this process by key
}

// Open checks the server and the assets once and reads the times from them.
//
// The errors wrap [ErrUnreachable], [ErrServerTooOld], [ErrJetStreamOff],
// [ErrNoAssets], [ErrMismatch] or [ErrDenied].
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*Queue, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("check queue's configuration: %w", err)
	}
	if err := checkServer(js.Conn()); err != nil {
		return nil, err
	}
	reconnects := js.Conn().Stats().Reconnects
	found, err := find(ctx, js)
	if err != nil {
		return nil, err
	}
	ackWait, err := found.check(cfg.AckWait)
	if err != nil {
		return nil, err
	}
	q := &Queue{
		reconnects: reconnects, assets: found.assets(ackWait),
		js: js, config: cfg, timings: timingsFor(ackWait), held: map[string]Holder{},
		jobs: found.streams[jobs.StreamName], dead: found.streams[deadStream], results: found.streams[resultsStream],
	}
	q.locks = bucketStore{js: js, stream: found.streams[locksStream], prefix: "$KV." + locksBucket + "."}
	q.progress = bucketStore{js: js, stream: found.streams[progressStream], prefix: "$KV." + progressBucket + "."}
	q.shards = bucketStore{js: js, stream: found.streams[shardsStream], prefix: "$KV." + shardsBucket + "."}
	q.setCreated(q.jobs.CachedInfo().Created)
	return q, nil
}

// check reports what keeps a worker from running and returns the shortest
// AckWait of the consumers.
func (f *foundAssets) check(expected time.Duration) (time.Duration, error) {
	if err := f.checkMissing(); err != nil {
		return 0, err
	}
	ackWait := f.ackWait()
	if expected != 0 && expected != ackWait {
		return 0, fmt.Errorf("%w: the configuration says an ack wait of %s, the consumers say %s; change one of them",
			ErrMismatch, expected, ackWait)
	}
	return ackWait, mismatch(f.differences(AssetsConfig{AckWait: ackWait}, false))
}

// OpenWhenReady is [Open], tried again while waiting can help: NATS or JetStream
// may come up, someone may create the streams or grant a right. It logs at once
// and then each minute what it waits for.
func OpenWhenReady(ctx context.Context, js jetstream.JetStream, cfg Config, log *slog.Logger) (*Queue, error) {
	waiting := newWaiting(log, time.Minute)
	for {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		q, err := Open(attempt, js, cfg)
		cancel()
		if err == nil {
			waiting.over(ctx)
			return q, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("open queue: %w", context.Cause(ctx))
		}
		if !helpsToWait(err) {
			return nil, fmt.Errorf("open queue: %w", err)
		}
		waiting.say(ctx, err)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("open queue: %w", context.Cause(ctx))
		case <-time.After(time.Second):
		}
	}
}

func helpsToWait(err error) bool {
	for _, final := range []error{ErrServerTooOld, ErrMismatch, nats.ErrConnectionClosed} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}

func (q *Queue) setCreated(at time.Time) { q.created.Store(jobs.At(at).UnixMilli()) }

// streamCreated is when JOBS was made, in the precision of a result.
func (q *Queue) streamCreated() jobs.Timestamp { return jobs.At(time.UnixMilli(q.created.Load())) }

// refreshCreated asks the server when JOBS was made.
func (q *Queue) refreshCreated(ctx context.Context) (jobs.Timestamp, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	info, err := q.jobs.Info(ctx)
	if err != nil {
		return jobs.Timestamp{}, explain(q.js.Conn(), "look at stream "+jobs.StreamName, "$JS.API.STREAM.INFO."+jobs.StreamName, err)
	}
	q.setCreated(info.Created)
	return q.streamCreated(), nil
}

// publish stores one message and waits for the stream's answer. Without an
// answer it is sent again until ctx ends, so the message must carry something
// that makes a repetition harmless: an expected sequence or an id.
func (q *Queue) publish(ctx context.Context, msg *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	for {
		call, cancel := context.WithTimeout(ctx, q.timings.call)
		ack, err := q.js.PublishMsg(call, msg, options...)
		cancel()
		if err == nil || isRefusal(err) || ctx.Err() != nil || q.js.Conn().IsClosed() {
			return ack, err
		}
		if _, isDenied := denied(q.js.Conn(), msg.Subject); isDenied || errors.Is(err, nats.ErrMaxPayload) {
			return nil, err
		}
		if !sleep(ctx, q.timings.retryBeat/4) {
			return nil, err
		}
	}
}

// sleep waits and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
