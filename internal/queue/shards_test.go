package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// parts are the jobs of a purge that is shared out.
func parts(purge *jobs.Job, shards int) (all []*jobs.Job, finish *jobs.Job) {
	for number := range shards {
		shard := *purge
		shard.ID, shard.Kind, shard.Shard = jobs.NewID(), jobs.PurgeShard, number+1
		all = append(all, &shard)
	}
	last := *purge
	last.ID, last.Kind = jobs.NewID(), jobs.PurgeFinish
	return all, &last
}

func planOf(purge, finish *jobs.Job, shards int) *jobs.ShardPlan {
	return &jobs.ShardPlan{
		Plan: "0123456789abcdef", Job: purge.ID, Shards: shards, Files: int64(shards) * 100, ShardFiles: 100,
		Root: purge.MetadataLocation, Created: jobs.At(time.Now()), Finish: finish,
	}
}

func TestAPlanIsStoredOnceAndReplacedOnlyByWhoHasReadIt(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, finish := parts(purge, 2)
	s := b.q.Shards()
	none, revision, err := s.Plan(t.Context(), purge)
	require.NoError(t, err)
	require.Nil(t, none)
	require.Zero(t, revision)

	plan := planOf(purge, finish, 2)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, revision))
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, revision), "its answer was lost")
	stored, revision, err := s.Plan(t.Context(), shards[1])
	require.NoError(t, err, "each part finds it")
	require.Equal(t, plan.Finish.Subject(), stored.Finish.Subject())
	require.Equal(t, plan.Files, stored.Files)

	other := planOf(purge, finish, 3)
	other.Plan = "fedcba9876543210"
	require.ErrorIs(t, s.SavePlan(t.Context(), purge, other, 0), jobs.ErrPlanConflict)
	require.NoError(t, s.SavePlan(t.Context(), finish, other, revision))
	require.ErrorIs(t, s.SavePlan(t.Context(), purge, plan, revision), jobs.ErrPlanConflict)
	large := planOf(purge, finish, 2)
	large.Root = string(make([]byte, maxShardSize))
	require.ErrorContains(t, s.SavePlan(t.Context(), purge, large, 0), "is the limit")
}

func TestAShardIsCompletedOnceHoweverOftenThatIsNoted(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, finish := parts(purge, 3)
	s, plan := b.q.Shards(), planOf(purge, finish, 3)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
	note := func(shard int, plan string, files int64) {
		t.Helper()
		require.NoError(t, s.Complete(t.Context(), shards[shard-1], &jobs.ShardDone{Plan: plan, Shard: shard, Files: files}))
	}
	all := func() bool {
		t.Helper()
		done, err := s.AllDone(t.Context(), purge, plan)
		require.NoError(t, err)
		return done
	}
	note(3, plan.Plan, 30)
	note(1, plan.Plan, 10)
	note(1, plan.Plan, 11)
	note(2, "fedcba9876543210", 20)
	require.False(t, all(), "a shard of another plan is none of this one's")
	done, err := s.Done(t.Context(), finish, plan.Plan)
	require.NoError(t, err)
	require.Equal(t, []*jobs.ShardDone{{Plan: plan.Plan, Shard: 1, Files: 10}, {Plan: plan.Plan, Shard: 3, Files: 30}}, done)
	shards[1].Shard = 7
	require.NoError(t, s.Complete(t.Context(), shards[1], &jobs.ShardDone{Plan: plan.Plan, Shard: 7}))
	require.False(t, all(), "as many as there are to be, but not those")
	shards[1].Shard = 2
	require.NoError(t, s.clear(t.Context(), doneKey(purge.ShardBase(), plan.Plan, 7)))
	note(2, plan.Plan, 20)
	require.True(t, all())

	require.NoError(t, s.Remove(t.Context(), purge, "fedcba9876543210"))
	require.True(t, all(), "what another plan left is removed without it")
	require.NoError(t, s.Remove(t.Context(), finish, plan.Plan))
	require.NoError(t, s.Remove(t.Context(), finish, plan.Plan), "it was cut off and is repeated")
	gone, revision, err := s.Plan(t.Context(), purge)
	require.NoError(t, err)
	require.Nil(t, gone)
	require.False(t, all())
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, revision), "the table is purged again at once")
	note(1, plan.Plan, 12)
	done, err = s.Done(t.Context(), finish, plan.Plan)
	require.NoError(t, err)
	require.Equal(t, []*jobs.ShardDone{{Plan: plan.Plan, Shard: 1, Files: 12}}, done)
	require.NoError(t, s.Remove(t.Context(), finish, plan.Plan))
	require.Empty(t, b.liveNotes())
}

func TestWhatIsQueuedOfAPurgeIsFoundWhateverItsNeighbours(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge, neighbour := newJob(), newJob()
	shards, finish := parts(purge, 12)
	shards[11].Shard = 12345
	others, otherFinish := parts(neighbour, 3)
	s := b.q.Shards()
	for _, job := range slices.Concat(shards, others, []*jobs.Job{finish, otherFinish}) {
		published, err := s.Publish(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, jobs.Queued, published.State)
		published, err = s.Publish(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, jobs.AlreadyQueued, published.State)
	}
	b.raw(shardSubjects(purge.ShardBase())[:len(shardSubjects(purge.ShardBase()))-1]+"typo", nil, []byte("{}"))
	queued, err := s.Queued(t.Context(), shards[4])
	require.NoError(t, err)
	var numbers []int
	for _, job := range queued[:12] {
		require.Equal(t, jobs.PurgeShard, job.Kind)
		numbers = append(numbers, job.Shard)
	}
	require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12345}, numbers)
	require.Equal(t, &jobs.Job{Kind: jobs.PurgeShard}, queued[12], "what nobody can read is in the way too")
	require.Equal(t, finish.ID, queued[13].ID)
	require.Len(t, queued, 14)

	var invalid *jobs.FieldError
	_, err = s.Publish(t.Context(), &jobs.Job{Version: 1})
	require.ErrorAs(t, err, &invalid)
	require.NotErrorIs(t, err, jobs.ErrUnavailable)
}

func TestABucketThatCannotBeAskedIsAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	_, finish := parts(purge, 1)
	s, plan := b.q.Shards(), planOf(purge, finish, 1)
	b.server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, _, err := s.Plan(ctx, purge)
	errs := []error{
		err, s.SavePlan(ctx, purge, plan, 0), s.Complete(ctx, purge, &jobs.ShardDone{}), s.Remove(ctx, purge, plan.Plan), s.End(ctx, plan, finish, &jobs.Result{}),
	}
	_, err = s.Done(ctx, purge, plan.Plan)
	errs = append(errs, err)
	_, err = s.Queued(ctx, purge)
	errs = append(errs, err)
	_, err = s.Publish(ctx, finish)
	for i, err := range append(errs, err) {
		require.ErrorIs(t, err, jobs.ErrUnavailable, "%d", i)
	}
}

// In a cluster a lost race is another error than on one server.
func TestOneOfManyPlannersWinsOnAClusterToo(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
	js := natstest.JetStream(t, natstest.Connect(t, cluster.URL()))
	assets := smallAssets(wait)
	assets.Replicas = 3
	_, err := Setup(t.Context(), js, assets)
	require.NoError(t, err)
	q, err := Open(t.Context(), js, Config{})
	require.NoError(t, err)
	for range 8 {
		purge := newJob()
		_, finish := parts(purge, 1)
		var racing sync.WaitGroup
		won, notes, queued := make(chan int, 6), make(chan error, 6), make(chan jobs.PublishState, 6)
		for planner := range 6 {
			racing.Go(func() {
				s, plan := q.Shards(), planOf(purge, finish, 1)
				plan.Plan = fmt.Sprintf("%016d", planner)
				if err := s.SavePlan(t.Context(), purge, plan, 0); err == nil {
					won <- planner
				} else if !errors.Is(err, jobs.ErrPlanConflict) {
					notes <- err
				}
				notes <- s.Complete(t.Context(), purge, &jobs.ShardDone{Plan: "p", Shard: 1, Files: int64(planner)})
				published, err := s.Publish(t.Context(), finish)
				if err != nil {
					notes <- err
				}
				queued <- published.State
			})
		}
		racing.Wait()
		close(won)
		close(notes)
		close(queued)
		require.Len(t, won, 1)
		winner := <-won
		plan, _, err := q.Shards().Plan(t.Context(), purge)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%016d", winner), plan.Plan)
		for err := range notes {
			require.NoError(t, err)
		}
		accepted := 0
		for state := range queued {
			if state == jobs.Queued {
				accepted++
			}
		}
		require.Equal(t, 1, accepted)
	}
}

func TestNotesThatSomeoneWroteIntoTheBucketAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	s := b.q.Shards()
	bucket, err := b.js.KeyValue(t.Context(), "shards")
	require.NoError(t, err)
	for _, value := range []string{"{}", "done", `{"plan":"p","shard":2}`} {
		_, err = bucket.Put(t.Context(), doneKey(purge.ShardBase(), "p", 1), []byte(value))
		require.NoError(t, err)
		_, err = s.Done(t.Context(), purge, "p")
		require.ErrorContains(t, err, "not the note of that shard", value)
	}
	_, err = bucket.Put(t.Context(), planKey(purge.ShardBase()), []byte("[]"))
	require.NoError(t, err)
	_, _, err = s.Plan(t.Context(), purge)
	require.ErrorContains(t, err, "read plan")
	entry, err := bucket.Get(t.Context(), planKey(purge.ShardBase()))
	require.NoError(t, err)
	require.NoError(t, bucket.Delete(t.Context(), entry.Key(), jetstream.LastRevision(entry.Revision())))
	plan, revision, err := s.Plan(t.Context(), purge)
	require.NoError(t, err, "the nats CLI removed it")
	require.Nil(t, plan)
	_, finish := parts(purge, 1)
	require.NoError(t, s.SavePlan(t.Context(), purge, planOf(purge, finish, 1), revision))
}

func receiptOf(t *testing.T, result *jobs.Result) (fields map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(result.Receipt, &fields))
	return fields
}
