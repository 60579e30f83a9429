package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// fanIn is the shape of a kind that is shared out. It fails once at each of the
// places where a worker may be killed after a result is recorded.
type fanIn struct {
	t    *testing.T
	s    *Shards
	plan *jobs.ShardPlan

	mu       sync.Mutex
	failed   map[string]bool
	finished int // finish jobs that were queued
	ran      map[int]int
}

var errCutOff = errors.New("cut off")

// cutOff is true the first time that a shard comes to a place.
func (f *fanIn) cutOff(place string, job *jobs.Job) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := fmt.Sprint(place, job.Shard)
	if f.failed[key] || job.Shard%3 != len(place)%3 {
		return false
	}
	f.failed[key] = true
	return true
}

func (f *fanIn) Run(_ context.Context, job *jobs.Job, _ jobs.Progress) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ran[job.Shard]++
	if job.Kind == jobs.Purge {
		return nil, jobs.PlannedOut()
	}
	return map[string]int{"files": job.Shard}, nil
}

func (f *fanIn) AfterResult(ctx context.Context, job *jobs.Job, result *jobs.Result) error {
	if job.Kind != jobs.PurgeShard || result.Outcome != jobs.Completed {
		return nil
	}
	if f.cutOff("a", job) {
		return errCutOff // the result is recorded and nothing else
	}
	if err := f.s.Complete(ctx, job, &jobs.ShardDone{Plan: f.plan.Plan, Shard: job.Shard, Files: int64(job.Shard), Receipt: result.Receipt}); err != nil {
		return err
	}
	if f.cutOff("bb", job) {
		return errCutOff // the completion is written, and nobody has counted
	}
	all, err := f.s.AllDone(ctx, job, f.plan)
	if err != nil || !all {
		return err
	}
	published, err := f.s.Publish(ctx, f.plan.Finish)
	if err == nil && published.State == jobs.Queued {
		f.mu.Lock()
		f.finished++
		f.mu.Unlock()
	}
	if f.cutOff("ccc", job) {
		return errCutOff // the finish is published, and the shard still queued
	}
	return err
}

func TestShardsThatAreCutOffAnywhereMakeOneFinishAndNoneTooEarly(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	const count = 24
	purge := newJob()
	shards, finish := parts(purge, count)
	f := &fanIn{t: t, s: b.q.Shards(), plan: planOf(purge, finish, count), failed: map[string]bool{}, ran: map[int]int{}}
	require.NoError(t, f.s.SavePlan(t.Context(), purge, f.plan, 0))
	for _, shard := range shards {
		_, err := f.s.Publish(t.Context(), shard)
		require.NoError(t, err)
	}
	for i := range 2 {
		b.startKinds(b.open(b.js), fmt.Sprintf("w%d", i), 4, map[jobs.Kind]jobs.Handler{jobs.PurgeShard: f})
	}
	b.eventually("all shards have left the queue", func() bool {
		queued, err := f.s.Queued(t.Context(), purge)
		require.NoError(t, err)
		done, err := f.s.countDone(t.Context(), purge, f.plan.Plan)
		require.NoError(t, err)
		if len(queued) > 0 && queued[len(queued)-1].Kind == jobs.PurgeFinish {
			require.Equal(t, count, done, "the finish waits for the last completion")
		}
		return len(queued) == 1 && queued[0].Kind == jobs.PurgeFinish
	})
	// Half of the shards once more, as after a loss of acknowledgements.
	for _, shard := range shards[:count/2] {
		_, err := f.s.Publish(t.Context(), shard)
		require.NoError(t, err)
	}
	b.eventually("those too", func() bool {
		queued, err := f.s.Queued(t.Context(), purge)
		require.NoError(t, err)
		return len(queued) == 1
	})
	require.Equal(t, 1, f.finished)
	require.Greater(t, len(f.failed), count/2, "shards were cut off")
	notes, err := f.s.Done(t.Context(), purge, f.plan.Plan)
	require.NoError(t, err)
	files := int64(0)
	for _, note := range notes {
		files += note.Files
	}
	require.EqualValues(t, count*(count+1)/2, files, "each shard counts once")
}

func TestADeadOrCanceledShardIsNotCompleted(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, finish := parts(purge, 2)
	f := &fanIn{t: t, s: b.q.Shards(), plan: planOf(purge, finish, 2), failed: map[string]bool{"a1": true, "a2": true, "bb1": true, "bb2": true, "ccc1": true, "ccc2": true}, ran: map[int]int{}}
	require.NoError(t, f.s.SavePlan(t.Context(), purge, f.plan, 0))
	bad := true
	handler := &deadly{fanIn: f, dies: func(job *jobs.Job) bool { return bad && job.Shard == 2 }}
	w := b.startKinds(b.q, "w1", 1, map[jobs.Kind]jobs.Handler{jobs.PurgeShard: handler})
	for _, shard := range shards {
		_, err := f.s.Publish(t.Context(), shard)
		require.NoError(t, err)
	}
	b.eventually("both have ended", func() bool { return b.messages(b.q.jobs) == 0 })
	require.Len(t, b.results(shards[1].Tail()), 1)
	require.Equal(t, jobs.Dead, b.results(shards[1].Tail())[0].Outcome)
	require.Zero(t, f.finished)
	require.NoError(t, w.halt())

	// Requeued alone, and canceled before anybody runs it: a result, and no note.
	_, err := b.q.Requeue(t.Context(), shards[1].Tail())
	require.NoError(t, err)
	require.NoError(t, b.q.Cancel(t.Context(), shards[1].Tail(), "tester"))
	all, err := f.s.AllDone(t.Context(), purge, f.plan)
	require.NoError(t, err)
	require.False(t, all)

	bad = false
	_, err = f.s.Publish(t.Context(), shards[1])
	require.NoError(t, err)
	b.startKinds(b.open(b.js), "w2", 1, map[jobs.Kind]jobs.Handler{jobs.PurgeShard: handler})
	b.eventually("the finish", func() bool {
		queued, err := f.s.Queued(t.Context(), purge)
		require.NoError(t, err)
		return len(queued) == 1 && queued[0].ID == finish.ID
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Equal(t, 1, f.finished)
	require.Equal(t, map[int]int{1: 1, 2: 1}, f.ran, "only what was missing has run again")
}

// deadly fails some jobs for good.
type deadly struct {
	*fanIn
	dies func(*jobs.Job) bool
}

func (d *deadly) Run(ctx context.Context, job *jobs.Job, p jobs.Progress) (any, error) {
	if d.dies(job) {
		return nil, jobs.Permanentf("access denied")
	}
	return d.fanIn.Run(ctx, job, p)
}
