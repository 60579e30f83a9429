package queue

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

func TestABigPurgeIsOneLineWithItsShardsBelowIt(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge, neighbour := newJob(), newJob()
	shards, finish := parts(purge, 8)
	s, plan := b.q.Shards(), planOf(purge, finish, 8)
	plan.Created = jobs.At(time.Now().Add(-10 * time.Second))
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
	began, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	b.startKinds(b.q, "w1", 2, map[jobs.Kind]jobs.Handler{jobs.PurgeShard: handlerFunc(func(ctx context.Context, job *jobs.Job, p jobs.Progress) (any, error) {
		if job.Shard == 3 {
			return nil, jobs.Permanentf("access denied")
		}
		if err := p.Save(ctx, nil, jobs.Counters{Files: 40, Bytes: 400}); err != nil {
			return nil, err
		}
		began <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil, context.Cause(ctx)
	})})
	for number, files := range map[int]int64{1: 100, 2: 90} {
		require.NoError(t, s.Complete(t.Context(), shards[number-1], &jobs.ShardDone{Plan: plan.Plan, Shard: number, Files: files, Bytes: 10 * files}))
	}
	// A letter of a shard that was done in the end, and one of another purge.
	b.raw("dead."+shards[0].Tail(), nil, []byte("{}"))
	others, _ := parts(neighbour, 3)
	b.raw("dead."+others[2].Tail(), nil, []byte("{}"))
	for _, shard := range shards[2:6] { // one dies, two run, one waits; two are canceled
		_, err := s.Publish(t.Context(), shard)
		require.NoError(t, err)
		if shard.Shard == 3 {
			b.result(shard, 0)
		}
	}
	waitFor(t, "a shard", began)
	waitFor(t, "another shard", began)

	status, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.Empty(t, status.Running, "shards are not listed beside other jobs")
	require.Len(t, status.Purges, 1)
	got := status.Purges[0]
	require.Len(t, got.Running, 2)
	require.Equal(t, "w1", got.Running[0].Holder.Worker)
	require.Positive(t, got.Left)
	require.InDelta(t, 27, got.FilesPerSecond, 3)
	got.Running, got.Left, got.FilesPerSecond = nil, 0, 0
	require.Equal(t, SharedPurge{
		Tail: purge.Tail(), Plan: plan.Plan, Job: purge.ID, Shards: 8, Done: 2, Ongoing: 2, Waiting: 1, Dead: 1, Missing: 2,
		Files: 800, FilesDone: 270, BytesDone: 2700, Created: plan.Created, DeadShards: []string{shards[2].Tail()},
	}, got)

	b.enqueue(purge)
	_, err = s.Publish(t.Context(), finish)
	require.NoError(t, err)
	later, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.True(t, later.Purges[0].Planning, "the purge publishes what is missing")
	require.Zero(t, later.Purges[0].Missing)
	require.Equal(t, "waiting", later.Purges[0].Finish)
	status.Time, status.Purges[0].FilesDone = jobs.At(later.Time.Add(-2*time.Second)), 70
	later.RatesSince(status)
	require.InDelta(t, 100, later.Purges[0].FilesPerSecond, 0.1)

	require.NoError(t, s.Remove(t.Context(), purge, plan.Plan))
	later, err = b.q.Status(t.Context())
	require.NoError(t, err)
	require.Empty(t, later.Purges)
	require.Len(t, later.Running, 2, "what runs of a plan that is gone is shown like any other job")
}

// publishedAt is the sequence of a queued job.
func (b *bundle) publishedAt(job *jobs.Job) uint64 {
	b.t.Helper()
	msg, err := b.q.queued(b.t.Context(), job.Subject())
	require.NoError(b.t, err)
	require.NotNil(b.t, msg)
	return msg.Sequence
}

func TestResultsOfShardsDoNotHideTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, _ := parts(purge, 12)
	b.startKinds(b.q, "w1", 2, map[jobs.Kind]jobs.Handler{jobs.Purge: does(nil, nil), jobs.PurgeShard: handlerFunc(
		func(_ context.Context, job *jobs.Job, _ jobs.Progress) (any, error) {
			if job.Shard == 7 {
				return nil, jobs.Permanentf("access denied")
			}
			return nil, nil
		})})
	b.enqueue(purge)
	b.gone()
	for _, shard := range shards {
		b.enqueue(shard)
	}
	b.gone()
	status, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, status.Results, 2)
	require.Equal(t, shards[6].Tail(), status.Results[0].Tail)
	require.Equal(t, purge.Tail(), status.Results[1].Tail)
}

func TestTheFilesOfAShardThatHasJustEndedCountOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	// Names as nobody should give them.
	purge.Catalog, purge.Namespace, purge.Table = "my lake", []string{"a.b", "*", "plan"}, strings.Repeat("a>.", 400)
	shards, finish := parts(purge, 2)
	s, plan := b.q.Shards(), planOf(purge, finish, 2)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
	began, release := make(chan struct{}, 2), make(chan struct{})
	defer close(release)
	b.startKinds(b.q, "w1", 2, map[jobs.Kind]jobs.Handler{jobs.PurgeShard: handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, nil, jobs.Counters{Files: 40, Bytes: 400}); err != nil {
			return nil, err
		}
		began <- struct{}{}
		<-release
		return nil, nil
	})})
	for _, shard := range shards {
		b.enqueue(shard)
		waitFor(t, "a shard", began)
	}
	require.NoError(t, s.Complete(t.Context(), shards[0], &jobs.ShardDone{Plan: plan.Plan, Shard: 1, Files: 100, Bytes: 1000}))
	status, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, status.Purges, 1)
	require.Equal(t, purge.Tail(), status.Purges[0].Tail)
	require.Equal(t, 1, status.Purges[0].Done)
	require.EqualValues(t, 140, status.Purges[0].FilesDone)
	require.EqualValues(t, 1400, status.Purges[0].BytesDone)
	require.Empty(t, b.sweepUp(true), "it goes on")
}

func TestTheFilesOfAFinishAreThoseOfItsShards(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, finish := parts(purge, 2)
	s, plan := b.q.Shards(), planOf(purge, finish, 2)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
	for _, shard := range shards {
		require.NoError(t, s.Complete(t.Context(), shard, &jobs.ShardDone{Plan: plan.Plan, Shard: shard.Shard, Files: 100, Bytes: 1000}))
	}
	b.raw("dead."+finish.Tail(), nil, []byte("{}")) // of a run before
	began, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	b.startKinds(b.q, "w1", 1, map[jobs.Kind]jobs.Handler{jobs.PurgeFinish: handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, nil, jobs.Counters{Files: 203, Bytes: 2030}); err != nil {
			return nil, err
		}
		close(began)
		<-release
		return nil, nil
	})})
	_, err := s.Publish(t.Context(), finish)
	require.NoError(t, err)
	waitFor(t, "the finish", began)
	status, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "running", status.Purges[0].Finish)
	require.EqualValues(t, 203, status.Purges[0].FilesDone)
	require.EqualValues(t, 2030, status.Purges[0].BytesDone)
}

func TestADeadFinishIsForgottenWhileThePurgeGoesOn(t *testing.T) {
	t.Parallel()
	finish, first := "purge-finish.R.c.n.t.u", "R.c.n.t.u.p.0001"
	for _, c := range []struct {
		queued string
		done   []string
		want   string
	}{
		{"purge-shard.R.c.n.t.u.0002", []string{first}, ""}, // which publishes it again
		{"purge.R.c.n.t.u", []string{first}, ""},
		{"purge.R.c.n.t.u", []string{first, "R.c.n.t.u.p.0002"}, ""},
		{finish, []string{first, "R.c.n.t.u.p.0002"}, "waiting"},
		{"", []string{first, "R.c.n.t.u.p.0002"}, "dead"},
		{"", []string{first}, "dead"},
	} {
		p, queued := SharedPurge{Shards: 2}, map[string]bool{}
		if c.queued != "" {
			queued[c.queued] = true
		}
		p.count("R.c.n.t.u", queued, map[string]uint64{"dead." + finish: 1}, c.done)
		require.Equal(t, c.want, p.Finish, "%v", c)
	}
}

// Each worker of a fleet counts every half a minute.
func TestCountsAskNothingOfBigPurges(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, finish := parts(purge, 2)
	require.NoError(t, b.q.Shards().SavePlan(t.Context(), purge, planOf(purge, finish, 2), 0))
	b.enqueue(shards[0])
	b.raw("dead."+shards[1].Tail(), nil, []byte("{}"))
	whole, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, whole.Purges, 1)
	q := b.open(b.js)
	q.shards.stream, q.results = nil, nil
	counts, err := q.Counts(t.Context())
	require.NoError(t, err)
	for i := range counts.Kinds {
		counts.Kinds[i].OldestWaiting = whole.Kinds[i].OldestWaiting
	}
	require.Equal(t, whole.Kinds, counts.Kinds)
}
