package storms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// fillStreams lowers the limits of two streams to what they hold, for a moment: one
// refuses jobs then, the other what workers write down.
func (f *Front) fillStreams(ctx context.Context) error {
	var undo []func(context.Context) error
	for _, name := range []string{jobs.StreamName, "KV_progress"} {
		restore, err := f.limit(ctx, name)
		if err != nil {
			f.say("%s: %s cannot be limited: %v", FillStreams, name, err)
			continue
		}
		undo = append(undo, restore)
	}
	length := f.between(time.Second, f.Lease)
	if len(undo) == 2 {
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
	call, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stream, err := f.JS.Stream(call, name)
	if err != nil {
		return nil, err
	}
	before := stream.CachedInfo().Config
	limited := before
	limited.MaxBytes = int64(max(stream.CachedInfo().State.Bytes, 1)) //nolint:gosec // far below
	if _, err = f.JS.UpdateStream(call, limited); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return f.update(ctx, before) }, nil
}

// update tries until the stream takes its configuration.
func (f *Front) update(ctx context.Context, config jetstream.StreamConfig) error {
	for {
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := f.JS.UpdateStream(call, config)
		cancel()
		if err == nil {
			return nil
		}
		if !pause(ctx, 200*time.Millisecond) {
			return errors.Join(fmt.Errorf("restore the limit of %s: %w", config.Name, err), context.Cause(ctx))
		}
	}
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
