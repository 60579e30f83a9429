package queue

import (
	"cmp"
	"fmt"
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
	locksStream    = "KV_" + locksBucket
	progressStream = "KV_" + progressBucket
	shardsBucket   = "shards"
	shardsStream   = "KV_" + shardsBucket
)

// AssetsConfig says how the streams, buckets and consumers are made.
type AssetsConfig struct {
	// Replicas of each stream and bucket, 1 to 5; 3 on a cluster. 0 leaves what
	// exists as it is, and makes new ones with 1.
	Replicas int
	// AckWait is how long a job may go without a sign of life before it is
	// delivered again, and the time to live of a lease. Heartbeats, time-outs and
	// delays all derive from it. At least 1 second; lower it only while no worker
	// runs, which would rely on leases that are shorter than it knows. 0 is what
	// the existing consumers have, or else the bucket locks, or else 2 minutes.
	AckWait time.Duration
	// The limits of JOBS, DEAD, RESULTS and of the buckets locks, progress and shards, in
	// bytes. An account must have room for their sum, since a full account refuses
	// the renewal of leases too. 0 leaves what exists as it is, and makes new ones
	// with 1 GiB, 256 MiB, 256 MiB, 16 MiB, 128 MiB and 64 MiB.
	JobsMaxBytes, DeadMaxBytes, ResultsMaxBytes, LocksMaxBytes, ProgressMaxBytes, ShardsMaxBytes int64
	// Update overwrites what differs instead of reporting it.
	Update bool
}

const (
	mebibyte       = 1 << 20
	defaultAckWait = 2 * time.Minute
	minAckWait     = time.Second
	day            = 24 * time.Hour
	// Sizes of one message. A dead letter is a job and its headers.
	maxJobSize      = jobs.MaxJobBytes
	maxDeadSize     = 384 << 10
	maxResultSize   = 128 << 10
	maxProgressSize = 64 << 10
	maxShardSize    = 64 << 10
)

// Validate reports a configuration that cannot be made.
func (c AssetsConfig) Validate() error {
	switch {
	case c.Replicas < 0 || c.Replicas > 5:
		return fmt.Errorf("replicas: %d is not 1 to 5", c.Replicas)
	case c.AckWait != 0 && c.AckWait < minAckWait:
		return fmt.Errorf("ack wait: %s is under %s, the shortest lease that NATS keeps", c.AckWait, minAckWait)
	}
	for name, bytes := range c.maxBytes() {
		if bytes != 0 && bytes < mebibyte {
			return fmt.Errorf("limit of %s: %d bytes is under 1 MiB", name, bytes)
		}
	}
	return nil
}

// maxBytes are the configured limits by the stream's name.
func (c AssetsConfig) maxBytes() map[string]int64 {
	return map[string]int64{
		jobs.StreamName: c.JobsMaxBytes, deadStream: c.DeadMaxBytes, resultsStream: c.ResultsMaxBytes,
		locksStream: c.LocksMaxBytes, progressStream: c.ProgressMaxBytes,
		shardsStream: c.ShardsMaxBytes,
	}
}

// forNew fills what new assets need.
func (c AssetsConfig) forNew() AssetsConfig {
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.AckWait = cmp.Or(c.AckWait, defaultAckWait)
	c.JobsMaxBytes = cmp.Or(c.JobsMaxBytes, 1024*mebibyte)
	c.DeadMaxBytes = cmp.Or(c.DeadMaxBytes, 256*mebibyte)
	c.ResultsMaxBytes = cmp.Or(c.ResultsMaxBytes, 256*mebibyte)
	c.LocksMaxBytes = cmp.Or(c.LocksMaxBytes, 16*mebibyte)
	c.ProgressMaxBytes = cmp.Or(c.ProgressMaxBytes, 128*mebibyte)
	c.ShardsMaxBytes = cmp.Or(c.ShardsMaxBytes, 64*mebibyte)
	return c
}

// forExisting is want, but for what is left to operators unless it is configured.
func (c AssetsConfig) forExisting(found, want jetstream.StreamConfig) jetstream.StreamConfig {
	if c.Replicas == 0 {
		want.Replicas = found.Replicas
	}
	if c.maxBytes()[want.Name] == 0 {
		want.MaxBytes = found.MaxBytes
	}
	return want
}

// wantedStreams are the configurations of all new streams; a bucket is a stream
// too.
func wantedStreams(c AssetsConfig, atomic bool) []jetstream.StreamConfig {
	c = c.forNew()
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

	// What a purge in shards has done must neither age nor give way, or its end
	// would never come. What is removed leaves a marker that expires. Only the leader
	// is asked: a shard must not miss a plan that a follower has not heard of.
	shards := bucket(stream, shardsBucket, "Deckhand: plans and completed shards of big purges", c.ShardsMaxBytes)
	shards.MaxMsgSize, shards.AllowMsgTTL, shards.AllowDirect = maxShardSize, true, false
	return []jetstream.StreamConfig{queue, dead, results, locks, progress, shards}
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
		AckWait: cmp.Or(c.AckWait, defaultAckWait),
		// A limit would leave a poison message in the stream for ever, invisible,
		// with its subject taken; attempts are counted in progress.
		MaxDeliver: -1,
		// Delayed jobs count here too, and a limit would let them block the others.
		MaxAckPending: -1,
		MaxWaiting:    512,
		Metadata:      map[string]string{"io.nats.monitor.enabled": "true"},
	}
}
