package queue

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// In a cluster reads are answered by any replica, and a lost race is another error. The
// leaders move while the sweep waits between its two looks.
func TestASweepOfAClusterWhoseLeadersMoveLosesNothing(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
	nc := natstest.Connect(t, cluster.URL())
	js := &floored{JetStream: natstest.JetStream(t, nc)}
	assets := smallAssets(wait)
	assets.Replicas = 3
	_, err := Setup(t.Context(), js, assets)
	require.NoError(t, err)
	b := &bundle{t: t, js: js}
	b.q = b.open(js)
	b.q.timings.call = time.Second // three servers on a busy machine take their time
	s := b.q.Shards()

	done, lost, lives := newJob(), newJob(), newJob()
	id := identity{job: done.ID, sequence: b.enqueue(done), created: b.q.streamCreated()}
	_, err = b.q.recordResult(t.Context(), done.Tail(), id, &jobs.Result{
		Version: 1, JobID: id.job, Outcome: jobs.Completed, JobSequence: id.sequence, StreamCreated: id.created,
	}, 0)
	require.NoError(t, err)
	js.floor = b.enqueue(lost)
	living := b.enqueue(lives)
	ended, going, gone := newJob(), newJob(), newJob()
	endedShards, endedFinish := parts(ended, 3)
	goingShards, goingFinish := parts(going, 2)
	goneShards, _ := parts(gone, 1)
	note := func(shard *jobs.Job) {
		require.NoError(t, s.Complete(t.Context(), shard, &jobs.ShardDone{Plan: planOf(ended, endedFinish, 3).Plan, Shard: shard.Shard}))
	}
	require.NoError(t, s.SavePlan(t.Context(), ended, planOf(ended, endedFinish, 3), 0))
	require.NoError(t, s.SavePlan(t.Context(), going, planOf(going, goingFinish, 2), 0))
	for _, shard := range endedShards {
		note(shard)
	}
	note(goingShards[0])
	b.enqueue(goingShards[1])
	note(goneShards[0])

	q, looks := b.impatient(js), 0
	q.jobs = &meddling{Stream: q.jobs, do: func() {
		if looks++; looks != 2 {
			return
		}
		for _, stream := range []string{jobs.StreamName, shardsStream} {
			b.eventually("the leader steps down", func() bool {
				_, err := nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, patience)
				return err == nil
			})
		}
	}}
	var found []SweepFinding
	b.eventually("a sweep comes to its end and finds nothing more", func() bool {
		report, err := q.Sweep(t.Context(), SweepConfig{Worker: "w9", Logger: slog.New(slog.DiscardHandler)})
		if report != nil {
			found = append(found, report.Findings...)
		}
		return err == nil && len(report.Findings) == 0
	})
	require.Greater(t, looks, 2, "the leaders have moved")

	for _, finding := range found {
		require.NotEqual(t, SweepReported, finding.Action, finding)
		require.NotEqual(t, SweepOld, finding.What)
	}
	queued := map[string]uint64{}
	b.eventually("all replicas know what is queued, and what was lost is delivered", func() bool {
		_, err := b.q.jobs.GetMsg(t.Context(), id.sequence)
		for _, job := range []*jobs.Job{lives, lost, endedFinish, goingShards[1]} {
			if msg, err := b.q.queued(t.Context(), job.Subject()); err == nil && msg != nil {
				queued[job.ID] = msg.Sequence
			}
		}
		return errors.Is(err, jetstream.ErrMsgNotFound) && len(queued) == 4 && queued[lost.ID] > js.floor
	})
	require.Equal(t, living, queued[lives.ID], "what waits as it should is not touched")
	require.EqualValues(t, 4, b.messages(b.q.jobs))
	require.Zero(t, b.messages(b.q.dead))
	require.Len(t, b.liveNotes(), 2+3+1)
	all, err := s.AllDone(t.Context(), ended, planOf(ended, endedFinish, 3))
	require.NoError(t, err)
	require.True(t, all)
}
