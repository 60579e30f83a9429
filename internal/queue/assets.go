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

// Names of the streams and buckets. JOBS is [jobs.StreamName].
const (
	deadStream     = "DEAD"
	resultsStream  = "RESULTS"
	locksBucket    = "locks"
	progressBucket = "progress"
)

// AssetsConfig says how the streams, buckets and consumers are made.
type AssetsConfig struct {
	// Replicas of each stream and bucket, 1 to 5. Defaults to 1; use 3 on a
	// cluster.
	Replicas int
	// AckWait is how long a job may go without a sign of life before it is
	// delivered again, and the time to live of a lease. Heartbeats, time-outs and
	// delays all derive from it. Defaults to 2 minutes; at least 1 second.
	AckWait time.Duration
	// The limits of JOBS, DEAD, RESULTS and of the buckets locks and progress, in
	// bytes. An account must have room for their sum, since a full account refuses
	// the renewal of leases too. Default to 1 GiB, 256 MiB, 256 MiB, 16 MiB and
	// 128 MiB.
	JobsMaxBytes, DeadMaxBytes, ResultsMaxBytes, LocksMaxBytes, ProgressMaxBytes int64
	// Update overwrites what differs instead of reporting it.
	Update bool
}

const (
	mebibyte       = 1 << 20
	defaultAckWait = 2 * time.Minute
	day            = 24 * time.Hour
	// Sizes of one message. A dead letter is a job and its headers.
	maxJobSize      = jobs.MaxJobBytes
	maxDeadSize     = 384 << 10
	maxResultSize   = 128 << 10
	maxProgressSize = 64 << 10
)

// WithDefaults fills what is zero.
func (c AssetsConfig) WithDefaults() AssetsConfig {
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.AckWait = cmp.Or(c.AckWait, defaultAckWait)
	c.JobsMaxBytes = cmp.Or(c.JobsMaxBytes, 1024*mebibyte)
	c.DeadMaxBytes = cmp.Or(c.DeadMaxBytes, 256*mebibyte)
	c.ResultsMaxBytes = cmp.Or(c.ResultsMaxBytes, 256*mebibyte)
	c.LocksMaxBytes = cmp.Or(c.LocksMaxBytes, 16*mebibyte)
	c.ProgressMaxBytes = cmp.Or(c.ProgressMaxBytes, 128*mebibyte)
	return c
}

// Validate reports a configuration that cannot be made. It wants the defaults
// filled in.
func (c AssetsConfig) Validate() error {
	switch {
	case c.Replicas < 1 || c.Replicas > 5:
		return fmt.Errorf("replicas: %d is not 1 to 5", c.Replicas)
	case c.AckWait < time.Second:
		return fmt.Errorf("ack wait: %s is under 1s, the shortest lease that NATS keeps", c.AckWait)
	}
	for _, limit := range []struct {
		name  string
		bytes int64
	}{
		{"JOBS", c.JobsMaxBytes}, {"DEAD", c.DeadMaxBytes}, {"RESULTS", c.ResultsMaxBytes},
		{"locks", c.LocksMaxBytes}, {"progress", c.ProgressMaxBytes},
	} {
		if limit.bytes < mebibyte {
			return fmt.Errorf("limit of %s: %d bytes is under 1 MiB", limit.name, limit.bytes)
		}
	}
	return nil
}

// wantedStreams are the configurations of all streams; a bucket is a stream too.
func wantedStreams(c AssetsConfig, atomic bool) []jetstream.StreamConfig {
	stream := func(name, description, subjects string, maxBytes int64) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Description: description, Subjects: []string{subjects}, Replicas: c.Replicas,
			Storage: jetstream.FileStorage, MaxBytes: maxBytes, MaxMsgs: -1, MaxConsumers: -1, MaxMsgSize: -1,
			Duplicates: defaultAckWait, AllowDirect: true, Compression: jetstream.S2Compression,
		}
	}
	queue := stream(jobs.StreamName, "Deckhand: jobs that wait or run", jobs.SubjectPrefix+">", c.JobsMaxBytes)
	queue.Retention, queue.Discard = jetstream.WorkQueuePolicy, jetstream.DiscardNew
	queue.MaxMsgsPerSubject, queue.DiscardNewPerSubject = 1, true
	queue.MaxMsgSize, queue.AllowMsgTTL, queue.AllowAtomicPublish = maxJobSize, true, atomic
	// "nats server check stream" reads its thresholds here.
	queue.Metadata = map[string]string{"io.nats.monitor.enabled": "true"}

	// Dead letters neither age nor give way to newer ones of other tables: only
	// people remove them.
	dead := stream(deadStream, "Deckhand: jobs that failed for good", jobs.DeadSubjectPrefix+">", c.DeadMaxBytes)
	dead.Discard, dead.MaxMsgsPerSubject, dead.MaxMsgSize = jetstream.DiscardNew, 5, maxDeadSize

	results := stream(resultsStream, "Deckhand: how jobs ended", jobs.ResultSubjectPrefix+">", c.ResultsMaxBytes)
	results.MaxMsgsPerSubject, results.MaxAge, results.MaxMsgSize = 5, 30*day, maxResultSize

	// A lease lives by the bucket's own time to live: an update renews that, while
	// it would drop a key's own and make the lease immortal.
	locks := bucket(stream, locksBucket, "Deckhand: who works on what", c.LocksMaxBytes)
	locks.MaxAge, locks.Duplicates = c.AckWait, min(c.AckWait, defaultAckWait)
	locks.AllowMsgTTL, locks.SubjectDeleteMarkerTTL = true, c.AckWait

	progress := bucket(stream, progressBucket, "Deckhand: attempts and checkpoints of unfinished jobs", c.ProgressMaxBytes)
	progress.MaxAge, progress.MaxMsgSize = 30*day, maxProgressSize
	return []jetstream.StreamConfig{queue, dead, results, locks, progress}
}

// bucket makes a stream a key-value bucket, in the layout of NATS ADR-8.
func bucket(stream func(name, description, subjects string, maxBytes int64) jetstream.StreamConfig,
	name, description string, maxBytes int64) jetstream.StreamConfig {
	config := stream("KV_"+name, description, "$KV."+name+".>", maxBytes)
	config.MaxMsgsPerSubject, config.Discard = 1, jetstream.DiscardNew
	config.AllowRollup, config.DenyDelete = true, true
	config.Compression = jetstream.NoCompression
	return config
}

// wantedConsumer is the durable pull consumer of one kind.
func wantedConsumer(kind jobs.Kind, c AssetsConfig) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: string(kind), Description: "Deckhand: " + string(kind) + " jobs",
		FilterSubject: jobs.SubjectPrefix + string(kind) + ".>",
		AckPolicy:     jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckWait: c.AckWait,
		// A limit would leave a poison message in the stream for ever, invisible,
		// with its subject taken; attempts are counted in progress.
		MaxDeliver: -1,
		// Delayed jobs count here too, and a limit would let them block the others.
		MaxAckPending: -1,
		MaxWaiting:    512,
		Metadata:      map[string]string{"io.nats.monitor.enabled": "true"},
	}
}

// Setup creates the streams, buckets and consumers that are missing and returns
// their names. What exists in another configuration is reported and left as it
// is, unless cfg.Update is set. Repeating it is harmless.
//
// The errors wrap [ErrUnreachable], [ErrServerTooOld], [ErrJetStreamOff],
// [ErrAccountFull] or [ErrDenied].
func Setup(ctx context.Context, js jetstream.JetStream, cfg AssetsConfig) (created []string, differences []Difference, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, nil, fmt.Errorf("check assets' configuration: %w", err)
	}
	if err := checkServer(js.Conn()); err != nil {
		return nil, nil, err
	}
	for _, want := range wantedStreams(cfg, atLeast(js.Conn(), 2, 12)) {
		made, found, err := setupStream(ctx, js, want, cfg)
		if err != nil {
			return created, differences, err
		}
		if made {
			created = append(created, want.Name)
		}
		differences = append(differences, found...)
	}
	for _, kind := range jobs.Kinds() {
		made, found, err := setupConsumer(ctx, js, wantedConsumer(kind, cfg), cfg)
		if err != nil {
			return created, differences, err
		}
		if made {
			created = append(created, consumerName(kind))
		}
		differences = append(differences, found...)
	}
	return created, differences, nil
}

func consumerName(kind jobs.Kind) string { return jobs.StreamName + "/" + string(kind) }

func setupStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, cfg AssetsConfig) (bool, []Difference, error) {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if _, err = js.CreateStream(ctx, want); err == nil {
			return true, nil, nil
		}
		// Another process may have made it at the same time.
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			stream, err = js.Stream(ctx, want.Name)
		}
		if err != nil {
			return false, nil, explain(js.Conn(), "create stream "+want.Name, "$JS.API.STREAM.CREATE."+want.Name, err)
		}
	} else if err != nil {
		return false, nil, explain(js.Conn(), "look at stream "+want.Name, "$JS.API.STREAM.INFO."+want.Name, err)
	}
	found := stream.CachedInfo().Config
	fields := streamFields(found, want, cfg.AckWait)
	if len(fields) == 0 || !cfg.Update {
		return false, differencesOf(want.Name, fields), nil
	}
	for _, field := range fields {
		field.apply(&found, want)
	}
	if _, err := js.UpdateStream(ctx, found); err != nil {
		return false, nil, explain(js.Conn(), "update stream "+want.Name, "$JS.API.STREAM.UPDATE."+want.Name, err)
	}
	return false, nil, nil
}

func setupConsumer(ctx context.Context, js jetstream.JetStream, want jetstream.ConsumerConfig, cfg AssetsConfig) (bool, []Difference, error) {
	name := jobs.StreamName + "/" + want.Durable
	consumer, err := js.Consumer(ctx, jobs.StreamName, want.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		if _, err = js.CreateConsumer(ctx, jobs.StreamName, want); err == nil {
			return true, nil, nil
		}
		if errors.Is(err, jetstream.ErrConsumerExists) {
			consumer, err = js.Consumer(ctx, jobs.StreamName, want.Durable)
		}
		if err != nil {
			return false, nil, explain(js.Conn(), "create consumer "+name, "$JS.API.CONSUMER.CREATE."+jobs.StreamName, err)
		}
	} else if err != nil {
		return false, nil, explain(js.Conn(), "look at consumer "+name, "$JS.API.CONSUMER.INFO."+jobs.StreamName, err)
	}
	found := consumer.CachedInfo().Config
	fields := consumerFields(found, want, cfg.AckWait)
	if len(fields) == 0 || !cfg.Update {
		return false, differencesOf(name, fields), nil
	}
	for _, field := range fields {
		field.apply(&found, want)
	}
	if _, err := js.UpdateConsumer(ctx, jobs.StreamName, found); err != nil {
		return false, nil, explain(js.Conn(), "update consumer "+name, "$JS.API.CONSUMER.CREATE."+jobs.StreamName, err)
	}
	return false, nil, nil
}

// found is what a look at the assets saw.
type foundAssets struct {
	streams   map[string]jetstream.Stream
	consumers map[jobs.Kind]jetstream.Consumer
	missing   []string
}

// find looks at all assets without changing any.
func find(ctx context.Context, js jetstream.JetStream) (*foundAssets, error) {
	found := &foundAssets{streams: map[string]jetstream.Stream{}, consumers: map[jobs.Kind]jetstream.Consumer{}}
	for _, want := range wantedStreams(AssetsConfig{}.WithDefaults(), false) {
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
			return nil, explain(js.Conn(), "look at consumer "+consumerName(kind), "$JS.API.CONSUMER.INFO."+jobs.StreamName, err)
		default:
			found.consumers[kind] = consumer
		}
	}
	return found, nil
}

// differences compares what was found with what cfg wants.
func (f *foundAssets) differences(cfg AssetsConfig, atomic bool) []Difference {
	var all []Difference
	leaseTTL := cfg.AckWait
	if locks := f.streams["KV_"+locksBucket]; locks != nil {
		leaseTTL = locks.CachedInfo().Config.MaxAge
	}
	for _, want := range wantedStreams(cfg, atomic) {
		if stream := f.streams[want.Name]; stream != nil {
			all = append(all, differencesOf(want.Name, streamFields(stream.CachedInfo().Config, want, cfg.AckWait))...)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(f.consumers)) {
		fields := consumerFields(f.consumers[kind].CachedInfo().Config, wantedConsumer(kind, cfg), leaseTTL)
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
	cfg = cfg.WithDefaults()
	if err := checkServer(js.Conn()); err != nil {
		return nil, err
	}
	found, err := find(ctx, js)
	if err != nil {
		return nil, err
	}
	return found.differences(cfg, atLeast(js.Conn(), 2, 12)), found.checkMissing()
}
