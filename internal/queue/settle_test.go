package queue

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

func TestAFinishedJobLeavesOneResultAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t, 2*time.Second)
	job := newJob()
	b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, got *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, map[string]int{"manifest": 3}, jobs.Counters{Files: 7}); err != nil {
			return nil, err
		}
		return map[string]int{"files": 7}, nil
	}))
	sequence := b.enqueue(job)
	result := b.result(job, sequence)
	require.Equal(t, jobs.Completed, result.Outcome)
	require.Equal(t, job.ID, result.JobID)
	require.Equal(t, sequence, result.JobSequence)
	require.Equal(t, 1, result.Attempts)
	require.JSONEq(t, `{"files":7}`, string(result.Receipt))
	b.gone()
	b.eventually("progress is removed", func() bool { return b.entry(job.Tail()) == nil })
	require.Len(t, b.results(job.Tail()), 1)
	require.Zero(t, b.messages(b.q.dead))
}
