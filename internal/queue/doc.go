// Package queue is everything that Deckhand does with JetStream: the streams and
// buckets, and the protocol that takes a job from JOBS to its end.
//
// The life of a delivery in five lines:
//
//	claim      pull a job for a free slot, decode it, lease what it works on
//	judge      done already? removed? attempts left? — all read under the lease
//	count      write the attempt to the bucket progress, before the work
//	run        the handler works; heartbeats renew the lease, a watchdog fences it
//	settle     record the end, acknowledge, release the lease
//
// What it guarantees: a job that the stream accepted is run until it is
// completed, canceled or dead, whatever process crashes; each end leaves one
// record in RESULTS; no two runs hold one lease key at a time, as long as the
// clocks of two machines advance at about the same rate; a run resumes from the
// newest checkpoint; a job that kills its worker dies after its attempts are
// spent, and an outage of NATS spends none, unless another worker went on with the
// job meanwhile; a dead job lies in DEAD, stored before it leaves JOBS.
//
// A job that is too large for one run hands its work to others: it ends as
// [jobs.Planned], the bucket shards says who has done what ([Shards]), and the
// last one records the end. A [Sweeper] clears up what a full disk or a crash
// left, and removes nothing whose end is not recorded.
//
// What it does not do: it runs a job at least once, not exactly once, so
// handlers must be idempotent; it does not order jobs; it knows no kind's work;
// it does not connect to NATS (internal/broker does).
//
// A worker's NATS user must be allowed to publish to $JS.API.STREAM.INFO.*,
// $JS.API.CONSUMER.INFO.JOBS.*, $JS.API.CONSUMER.MSG.NEXT.JOBS.*,
// $JS.API.DIRECT.GET.>, $JS.API.STREAM.MSG.GET.KV_shards, $JS.ACK.JOBS.>,
// $KV.locks.>, $KV.progress.>, $KV.shards.>, results.> and dead.>, and to subscribe
// to its inbox. Requeue and [Shards] also need jobs.>; cancel, requeue, drop and
// what a sweep removes need $JS.API.STREAM.MSG.DELETE.*, and pause
// $JS.API.CONSUMER.PAUSE.JOBS.*. A worker that may also create streams and
// consumers makes those anew that a server has lost.
//
// Acknowledgements of JetStream are not fenced: a worker that lost its job can
// still end it. So the lease in the bucket locks is the lock, and a worker that
// cannot renew it stops, and settles nothing.
package queue
