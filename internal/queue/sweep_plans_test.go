package queue

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
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

	// A person's word is stronger than that of a sweep.
	require.NoError(t, b.q.Cancel(t.Context(), finish.Tail(), "tester"))
	require.Equal(t, stands, b.sweepUp(false))
	require.NoError(t, b.q.results.Purge(t.Context()))
	b.raw("dead."+finish.Tail(), nats.Header{}, []byte("{}"))
	require.Empty(t, b.sweepUp(false), "a dead finish waits for a person, and the status shows it")
	require.Zero(t, b.messages(b.q.jobs))
	require.NoError(t, b.q.dead.Purge(t.Context()))

	plan.Finish = shards[0]
	_, revision, err := s.Plan(t.Context(), purge)
	require.NoError(t, err)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, revision))
	require.Equal(t, published[0].What, b.sweepUp(false)[0].What, "a plan may name any part of its purge")
	require.NoError(t, b.q.removeJob(t.Context(), b.publishedAt(shards[0])))
	plan.Finish = newJob()
	_, revision, err = s.Plan(t.Context(), purge)
	require.NoError(t, err)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, revision))
	require.Equal(t, stands, b.sweepUp(false), "a plan whose finish is another table's is not believed")
	require.Zero(t, b.messages(b.q.jobs))
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
	require.Equal(t, []SweepFinding{
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
	require.NoError(t, s.clearLeases(t.Context(), leases))
	require.Equal(t, SweepRemoved, s.report.Findings[0].Action)
	require.Len(t, b.leases(), 1, "the lease of the job that is queued stays")
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
