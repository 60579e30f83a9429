package storms

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// fillStreams lowers the limits of two streams to what they hold, for a moment: one
// refuses jobs then, the other what workers write down.
func (f *Front) fillStreams(ctx context.Context) error {
	var undo []func(context.Context) error
	full := true
	for _, name := range []string{jobs.StreamName, "KV_progress"} {
		restore, err := f.limit(ctx, name)
		if restore != nil {
			undo = append(undo, restore) // without an answer it may be limited
		}
		if err != nil {
			f.say("%s: %s cannot be limited: %v", FillStreams, name, err)
			full = false
		}
	}
	length := f.between(time.Second, f.Lease)
	if full {
		f.during(ctx, FillStreams, "", length, func() {}, func() {})
	}
	// Also when the time is over: nothing else gives the room back.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	for _, restore := range undo {
		if err := restore(ctx); err != nil {
			return err
		}
	}
	return nil
}

// limit lets a stream hold no more than it does.
func (f *Front) limit(ctx context.Context, name string) (restore func(context.Context) error, err error) {
	var before jetstream.StreamConfig
	ctx, cancel := context.WithTimeout(ctx, electing)
	defer cancel()
	err = untilAnswered(ctx, func(call context.Context) error {
		stream, err := f.JS.Stream(call, name)
		if err != nil {
			return err
		}
		// Of a change whose answer was lost the limit stands already.
		if before.Name == "" {
			before = stream.CachedInfo().Config
		}
		limited := before
		limited.MaxBytes = int64(max(stream.CachedInfo().State.Bytes, 1)) //nolint:gosec // far below
		_, err = f.JS.UpdateStream(call, limited)
		return err
	})
	restore = func(ctx context.Context) error {
		err := untilAnswered(ctx, func(call context.Context) error {
			_, err := f.JS.UpdateStream(call, before)
			return err
		})
		if err != nil {
			return fmt.Errorf("restore the limit of %s: %w", name, err)
		}
		return nil
	}
	if err != nil && before.Name == "" {
		return nil, err
	}
	return restore, err
}

// fillDisk leaves no byte for NATS, and starts it again after somebody made room:
// that space is free again does not heal it by itself.
func (f *Front) fillDisk(ctx context.Context) error {
	d := f.between(f.Lease/2, 2*f.Lease)
	f.say("%s for %s", FillDisk, d.Round(time.Millisecond))
	if err := f.Disk.Fill(); err != nil {
		return err
	}
	pause(ctx, d)
	if err := f.Disk.Free(); err != nil {
		return err
	}
	f.say("%s is over, NATS starts again", FillDisk)
	// One that ends well writes what is acknowledged, and the messages are there still.
	if f.Random.IntN(2) == 0 {
		f.Broker.Terminate(0)
	} else {
		f.Broker.Kill(0)
	}
	f.met(FillDisk)
	return f.Broker.Start(0)
}
