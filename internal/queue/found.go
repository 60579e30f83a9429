package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// found is what a look at the assets saw.
type foundAssets struct {
	streams   map[string]jetstream.Stream
	consumers map[jobs.Kind]jetstream.Consumer
	missing   []string
}

// find looks at all assets without changing any.
func find(ctx context.Context, js jetstream.JetStream) (*foundAssets, error) {
	found := &foundAssets{streams: map[string]jetstream.Stream{}, consumers: map[jobs.Kind]jetstream.Consumer{}}
	for _, want := range wantedStreams(AssetsConfig{}, false) {
		stream, err := js.Stream(ctx, want.Name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			found.missing = append(found.missing, want.Name)
		case err != nil:
			return nil, explain(js.Conn(), "look at stream "+want.Name, "$JS.API.STREAM.INFO."+want.Name, err)
		default:
			found.streams[want.Name] = stream
		}
	}
	if found.streams[jobs.StreamName] == nil {
		return found, nil
	}
	for _, kind := range jobs.Kinds() {
		consumer, err := js.Consumer(ctx, jobs.StreamName, string(kind))
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			found.missing = append(found.missing, consumerName(kind))
		case err != nil:
			return nil, explain(js.Conn(), "look at consumer "+consumerName(kind), "$JS.API.CONSUMER.INFO."+jobs.StreamName+"."+string(kind), err)
		default:
			found.consumers[kind] = consumer
		}
	}
	return found, nil
}

// ackWait is the shortest one of the consumers; without any, the lease's time to
// live, or 0.
func (f *foundAssets) ackWait() time.Duration {
	shortest := time.Duration(0)
	for _, consumer := range f.consumers {
		if found := consumer.CachedInfo().Config.AckWait; shortest == 0 || found < shortest {
			shortest = found
		}
	}
	if locks := f.streams[locksStream]; locks != nil && shortest == 0 {
		shortest = locks.CachedInfo().Config.MaxAge
	}
	return shortest
}

// settle fills what cfg leaves to the assets that exist.
func (f *foundAssets) settle(cfg AssetsConfig) AssetsConfig {
	if found := f.ackWait(); cfg.AckWait == 0 && found >= minAckWait {
		cfg.AckWait = found
	}
	cfg.AckWait = cmp.Or(cfg.AckWait, defaultAckWait)
	return cfg
}

// leaseTTL is how long a lease lives, or will live.
func (f *foundAssets) leaseTTL(cfg AssetsConfig) time.Duration {
	if locks := f.streams[locksStream]; locks != nil {
		return locks.CachedInfo().Config.MaxAge
	}
	return cfg.AckWait
}

// assets is the configuration that makes what was found.
func (f *foundAssets) assets(ackWait time.Duration) AssetsConfig {
	maxBytes := func(name string) int64 {
		if bytes := f.streams[name].CachedInfo().Config.MaxBytes; bytes >= mebibyte {
			return bytes
		}
		return 0 // without a limit, or with one that nothing is made with
	}
	return AssetsConfig{
		Replicas: f.streams[jobs.StreamName].CachedInfo().Config.Replicas, AckWait: ackWait,
		JobsMaxBytes: maxBytes(jobs.StreamName), DeadMaxBytes: maxBytes(deadStream), ResultsMaxBytes: maxBytes(resultsStream),
		LocksMaxBytes: maxBytes(locksStream), ProgressMaxBytes: maxBytes(progressStream),
		ShardsMaxBytes: maxBytes(shardsStream),
	}
}

// differences compares what was found with what cfg wants.
func (f *foundAssets) differences(cfg AssetsConfig, atomic bool) []Difference {
	var all []Difference
	cfg = f.settle(cfg)
	for _, want := range wantedStreams(cfg, atomic) {
		if stream := f.streams[want.Name]; stream != nil {
			found := stream.CachedInfo().Config
			all = append(all, differencesOf(want.Name, streamFields(found, cfg.forExisting(found, want), cfg.AckWait))...)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(f.consumers)) {
		fields := consumerFields(f.consumers[kind].CachedInfo().Config, wantedConsumer(kind, cfg), f.leaseTTL(cfg))
		all = append(all, differencesOf(consumerName(kind), fields)...)
	}
	return all
}

func (f *foundAssets) checkMissing() error {
	if len(f.missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; create them with \"worker setup\"", ErrNoAssets, strings.Join(f.missing, ", "))
}

// Check reports how the assets differ from cfg, without changing anything.
// Missing ones give an error that wraps [ErrNoAssets]; the other errors are
// those of [Setup].
func Check(ctx context.Context, js jetstream.JetStream, cfg AssetsConfig) ([]Difference, error) {
	if err := checkServer(js.Conn()); err != nil {
		return nil, err
	}
	found, err := find(ctx, js)
	if err != nil {
		return nil, err
	}
	return found.differences(cfg, atLeast(js.Conn(), 2, 12)), found.checkMissing()
}
