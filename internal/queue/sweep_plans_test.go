package queue

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

func TestASweepPublishesTheFinishThatNobodyDid(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, finish := parts(purge, 2)
	s, plan := b.q.Shards(), planOf(purge, finish, 2)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
	b.raw("results.purge.x", nats.Header{}, []byte("{}")) // older than what the shards leave
	stands := []SweepFinding{{What: SweepPlan, Action: SweepReported, Name: planKey(purge.ShardBase())}}
	complete := func(shard int) {
		require.NoError(t, s.Complete(t.Context(), shards[shard-1], &jobs.ShardDone{Plan: plan.Plan, Shard: shard}))
	}
	complete(1)
	require.Equal(t, stands, b.sweepUp(false), "a shard is missing, and nothing goes on")
	b.enqueue(shards[1])
	require.Empty(t, b.sweepUp(false), "now it does")
	require.NoError(t, b.q.removeJob(t.Context(), b.publishedAt(shards[1])))
	b.raw("dead."+shards[1].Tail(), nats.Header{}, []byte("{}"))
	require.Empty(t, b.sweepUp(false), "a dead shard waits for a person, and the status shows it")
	complete(2)
	b.raw("dead."+shards[1].Tail(), nats.Header{}, []byte("{}")) // of the run before

	published := []SweepFinding{{What: SweepFinish, Action: SweepPublished, Name: finish.Subject()}}
	require.Equal(t, published, b.sweepUp(true))
	require.Zero(t, b.messages(b.q.jobs))
	require.Equal(t, published, b.sweepUp(false))
	require.Empty(t, b.sweepUp(false), "it is queued")

	names := func(finish *jobs.Job) {
		_, revision, err := s.Plan(t.Context(), purge)
		require.NoError(t, err)
		plan.Finish = finish
		require.NoError(t, s.SavePlan(t.Context(), purge, plan, revision))
	}
	require.NoError(t, b.q.removeJob(t.Context(), b.publishedAt(finish)))
	names(shards[0])
	require.Equal(t, published[0].What, b.sweepUp(false)[0].What, "a plan may name any part of its purge")
	require.NoError(t, b.q.removeJob(t.Context(), b.publishedAt(shards[0])))
	names(newJob())
	require.Equal(t, stands, b.sweepUp(false), "a plan whose finish is another table's is not believed")
	require.Zero(t, b.messages(b.q.jobs))
	names(finish)
	require.Equal(t, published, b.sweepUp(false))

	// A person's word is stronger than that of a sweep, also when its record is gone.
	require.NoError(t, b.q.Cancel(t.Context(), finish.Tail(), "tester"))
	require.Equal(t, stands, b.sweepUp(false))
	require.NoError(t, b.q.results.Purge(t.Context(), jetstream.WithPurgeKeep(0)))
	require.Equal(t, stands, b.sweepUp(false), "no record is left")
	b.raw("results.purge.x", nats.Header{}, []byte("{}"))
	require.Equal(t, stands, b.sweepUp(false), "only newer ones are left")
	id := identity{job: finish.ID, sequence: 99, created: b.q.streamCreated()}
	_, err := b.q.recordResult(t.Context(), finish.Tail(), id, &jobs.Result{Version: 1, JobID: id.job, Outcome: jobs.Dead, JobSequence: 99, StreamCreated: id.created}, 0)
	require.NoError(t, err)
	b.raw("dead."+finish.Tail(), nats.Header{}, []byte("{}"))
	require.Empty(t, b.sweepUp(false), "a dead finish waits for a person, and the status shows it")
	require.NoError(t, b.q.Drop(t.Context(), finish.Tail()))
	require.Equal(t, stands, b.sweepUp(false), "a letter that was dropped does not come back")
	require.Zero(t, b.messages(b.q.jobs))
	_, err = b.q.recordResult(t.Context(), finish.Tail(), id, &jobs.Result{Version: 1, JobID: "another", Outcome: jobs.Completed}, b.lastResult(finish.Tail()))
	require.NoError(t, err)
	require.Equal(t, stands, b.sweepUp(false), "the end of another finish says nothing of this one's")
	_, err = b.q.recordResult(t.Context(), finish.Tail(), id, &jobs.Result{Version: 1, JobID: id.job, Outcome: jobs.Completed}, b.lastResult(finish.Tail()))
	require.NoError(t, err)
	require.Equal(t, published, b.sweepUp(false), "it has ended well, and what comes after that was lost")
	require.NoError(t, b.q.removeJob(t.Context(), b.publishedAt(finish)))
}

// lastResult is the sequence of the newest record of a tail.
func (b *bundle) lastResult(tail string) uint64 {
	b.t.Helper()
	_, sequence, err := b.q.LastResult(b.t.Context(), tail)
	require.NoError(b.t, err)
	return sequence
}

// meddling does something before each look at a stream, or changes what is seen.
type meddling struct {
	jetstream.Stream
	do     func()
	change func(*jetstream.StreamInfo)
}

func (m *meddling) Info(ctx context.Context, options ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	if m.do != nil {
		m.do()
	}
	info, err := m.Stream.Info(ctx, options...)
	if m.change != nil && err == nil {
		m.change(info)
	}
	return info, err
}

func TestAPlanThatEndsWhileItIsLookedAtIsNotReported(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, finish := parts(purge, 1)
	s, plan := b.q.Shards(), planOf(purge, finish, 1)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
	require.NoError(t, s.Complete(t.Context(), shards[0], &jobs.ShardDone{Plan: plan.Plan, Shard: 1}))
	b.enqueue(finish)
	// The finish ends between the look at the plan and the look at the queue.
	q := b.open(b.js)
	q.jobs = &meddling{Stream: q.jobs, do: sync.OnceFunc(func() {
		require.NoError(t, s.Remove(t.Context(), finish, plan.Plan))
		require.NoError(t, b.q.removeJob(t.Context(), b.publishedAt(finish)))
	})}
	sweeping := &sweep{q: q, shards: q.Shards(), log: slog.New(slog.DiscardHandler), report: &SweepReport{}}
	require.NoError(t, sweeping.plans(t.Context()))
	require.Empty(t, sweeping.report.Findings)
	require.Zero(t, b.messages(b.q.jobs))
}

func TestANoteThatNobodyCanReadHoldsUpItsOwnPurgeAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.raw("results.purge.x", nats.Header{}, []byte("{}"))
	bucket, err := b.js.KeyValue(t.Context(), "shards")
	require.NoError(t, err)
	want := []SweepFinding{}
	damaged := ""
	for i := range 3 { // the damaged one is in the middle, in the order of the keys
		purge := newJob()
		shards, finish := parts(purge, 1)
		s, plan := b.q.Shards(), planOf(purge, finish, 1)
		require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
		if i == 1 {
			damaged = doneKey(purge.ShardBase(), plan.Plan, 1)
			_, err = bucket.Put(t.Context(), damaged, []byte("{}"))
			require.NoError(t, err)
			want = append(want, SweepFinding{What: SweepPlan, Action: SweepReported, Name: planKey(purge.ShardBase())})
			continue
		}
		require.NoError(t, s.Complete(t.Context(), shards[0], &jobs.ShardDone{Plan: plan.Plan, Shard: 1, Files: 10}))
		want = append(want, SweepFinding{What: SweepFinish, Action: SweepPublished, Name: finish.Subject()})
	}
	report, err := b.q.Sweep(t.Context(), SweepConfig{Worker: "w9", DryRun: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.Contains(t, report.Findings[1].Detail, damaged, "it names what to remove")
	require.Equal(t, want, b.sweepUp(false))

	status, err := b.q.Status(t.Context())
	require.NoError(t, err, "the fleet is seen all the same")
	require.Len(t, status.Purges, 3)
	require.EqualValues(t, 20, status.Purges[0].FilesDone+status.Purges[1].FilesDone+status.Purges[2].FilesDone)
}

func TestASweepRemovesNotesWithoutAPlanAndNoOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge, other := newJob(), newJob()
	shards, finish := parts(purge, 2)
	strays, _ := parts(other, 2)
	s, plan := b.q.Shards(), planOf(purge, finish, 2)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
	require.NoError(t, s.Complete(t.Context(), shards[0], &jobs.ShardDone{Plan: plan.Plan, Shard: 1}))
	b.enqueue(shards[1])
	require.NoError(t, s.Complete(t.Context(), strays[0], &jobs.ShardDone{Plan: "p", Shard: 1}))
	removed := []SweepFinding{{What: SweepNote, Action: SweepRemoved, Name: doneKey(other.ShardBase(), "p", 1)}}
	require.Equal(t, removed, b.sweepUp(true))
	require.Equal(t, removed, b.sweepUp(false))
	require.Empty(t, b.sweepUp(false))
	done, err := s.countDone(t.Context(), purge, plan.Plan)
	require.NoError(t, err)
	require.Equal(t, 1, done)

	// A plan that comes between the two looks keeps its notes.
	require.NoError(t, s.Complete(t.Context(), strays[1], &jobs.ShardDone{Plan: "p", Shard: 2}))
	sweeping := &sweep{q: b.q, shards: s, log: slog.New(slog.DiscardHandler), report: &SweepReport{}}
	notes, err := sweeping.notesWithoutPlan(t.Context())
	require.NoError(t, err)
	require.Len(t, notes, 1)
	require.NoError(t, s.SavePlan(t.Context(), other, planOf(other, finish, 2), 0))
	require.NoError(t, sweeping.clearNotes(t.Context(), notes))
	require.Empty(t, sweeping.report.Findings)

	// One that goes by itself, and comes again, is not the one that was seen.
	for range 2 {
		require.NoError(t, s.Remove(t.Context(), other, planOf(other, finish, 2).Plan))
		require.NoError(t, sweeping.clearNotes(t.Context(), notes))
		require.Empty(t, sweeping.report.Findings)
		require.NoError(t, s.Complete(t.Context(), strays[1], &jobs.ShardDone{Plan: "p", Shard: 2}))
		require.NoError(t, sweeping.clearNotes(t.Context(), notes))
		require.Empty(t, sweeping.report.Findings)
	}
}

func TestASweepReportsWhatAPersonShouldLookAt(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.raw("jobs.purgee.POLARIS.lake.a.b.c", nats.Header{}, []byte("{}"))
	queued, gone, before := newJob(), newJob(), newJob()
	b.enqueue(queued)
	after := *before
	after.ID = jobs.NewID()
	b.enqueue(&after) // another job of the same table has come since
	for _, job := range []*jobs.Job{queued, gone, before} {
		lease, err := b.q.Acquire(t.Context(), job.LockKey(), Holder{Worker: "w1", Job: job.ID, Kind: job.Kind})
		require.NoError(t, err)
		defer func() { _ = lease.Release(context.Background()) }()
	}
	found := b.sweepUp(false)
	require.ElementsMatch(t, []SweepFinding{
		{What: SweepLease, Action: SweepReported, Name: gone.LockKey()},
		{What: SweepLease, Action: SweepReported, Name: before.LockKey()},
		{What: SweepUnknown, Action: SweepReported, Name: "jobs.purgee.POLARIS.lake.a.b.c"},
	}, found)
	require.EqualValues(t, 3, b.messages(b.q.jobs))

	// By a clock that is far ahead both jobs are old and the leases long dead.
	s := &sweep{q: b.q, shards: b.q.Shards(), log: slog.New(slog.DiscardHandler), report: &SweepReport{}}
	require.NoError(t, s.look(t.Context()))
	s.now = s.now.Add(8 * day)
	require.NoError(t, s.oldJobs(t.Context()))
	require.Len(t, s.report.Findings, 3)
	require.Equal(t, "jobs.purgee.POLARIS.lake.a.b.c", s.report.Findings[0].Name, "oldest first")
	s.report = &SweepReport{}
	leases, err := s.leasesWithoutJob(t.Context())
	require.NoError(t, err)
	require.Len(t, leases, 2)
	b.eventually("whoever holds the leases renews them", func() bool {
		return b.lease(leases[0].key).revision != leases[0].revision && b.lease(leases[1].key).revision != leases[1].revision
	})
	require.NoError(t, s.clearLeases(t.Context(), leases))
	require.Len(t, s.report.Findings, 2)
	require.Equal(t, SweepReported, s.report.Findings[0].Action, "whatever the clocks say, somebody lives")
	require.Equal(t, SweepReported, s.report.Findings[1].Action)
	require.Len(t, b.leases(), 3)

	// One that nobody renews.
	left := newJob()
	_, err = b.q.takeLease(t.Context(), left.LockKey(), Holder{Worker: "w2", Job: left.ID, Kind: left.Kind})
	require.NoError(t, err)
	leases, err = s.leasesWithoutJob(t.Context())
	require.NoError(t, err)
	s.report = &SweepReport{}
	require.NoError(t, s.clearLeases(t.Context(), leases[len(leases)-1:]))
	require.Equal(t, []SweepFinding{{What: SweepLease, Action: SweepRemoved, Name: left.LockKey(), Detail: s.report.Findings[0].Detail}}, s.report.Findings)
	require.Len(t, b.leases(), 3)
}

func (b *bundle) lease(key string) bucketEntry {
	b.t.Helper()
	entry, err := b.q.locks.get(b.t.Context(), key)
	require.NoError(b.t, err)
	return entry
}

func TestAFleetSweepsInTurn(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	var mu sync.Mutex
	swept := map[string]int{}
	sweeper := func(q *Queue, name string, every time.Duration) *Sweeper {
		s, err := NewSweeper(q, SweeperConfig{Worker: name, Every: every, Logger: slog.New(slog.DiscardHandler), OnSweep: func(report *SweepReport, err error) {
			mu.Lock()
			defer mu.Unlock()
			require.NoError(t, err)
			require.Equal(t, name, report.Worker)
			swept[name]++
		}})
		require.NoError(t, err)
		return s
	}
	first, second := sweeper(b.q, "w1", time.Hour), sweeper(b.open(b.js), "w2", time.Hour)
	for range 3 {
		first.turn(t.Context())
		second.turn(t.Context())
	}
	require.Equal(t, map[string]int{"w1": 1}, swept, "one sweep an hour is enough for all")

	often := sweeper(b.open(b.js), "w3", time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); often.Run(ctx) }()
	b.eventually("sweeps follow each other", func() bool { mu.Lock(); defer mu.Unlock(); return swept["w3"] > 1 })
	cancel()
	waitFor(t, "the end", done)

	_, err := NewSweeper(b.q, SweeperConfig{})
	require.ErrorContains(t, err, "no name")
	_, err = NewSweeper(b.q, SweeperConfig{Worker: "w", Every: -1})
	require.ErrorContains(t, err, "negative")
}

func TestASweepThatLosesItsLeaseStops(t *testing.T) {
	t.Parallel()
	b, _ := lostJobs(t, 1)
	swept := make(chan error, 1)
	go func() {
		_, err := b.q.Sweep(t.Context(), SweepConfig{Worker: "w1", Logger: slog.New(slog.DiscardHandler)})
		swept <- err
	}()
	// While it waits between its two looks, its lease is taken away.
	b.eventually("it has the lease", func() bool {
		entry, err := b.q.locks.get(t.Context(), sweeperKey)
		require.NoError(t, err)
		return entry.value != nil && b.q.locks.remove(t.Context(), sweeperKey, entry.revision) == nil
	})
	require.ErrorIs(t, waitFor(t, "the end of the sweep", swept), ErrLeaseLost)
	require.EqualValues(t, 1, b.messages(b.q.jobs))
}
