package queue

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

func TestSignsOfHTMLAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	signs := strings.Repeat("<&>", 5000) // six times as long with escapes, and no checkpoint any more
	b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, j *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, map[string]string{"at": signs}, jobs.Counters{}); err != nil {
			return nil, jobs.Permanent(err)
		}
		entry, err := b.q.progress.get(ctx, j.Tail())
		if err != nil || !strings.Contains(string(entry.value), signs) {
			return nil, jobs.Permanentf("stored otherwise (%v)", err)
		}
		return map[string]string{"key": "a<b>&c"}, nil
	}))
	result := b.result(job, b.enqueue(job))
	require.Equal(t, jobs.Completed, result.Outcome, result.Reason)
	stored, err := b.q.results.GetLastMsgForSubject(t.Context(), jobs.ResultSubjectPrefix+job.Tail())
	require.NoError(t, err)
	require.Contains(t, string(stored.Data), `"receipt":{"key":"a<b>&c"}`)
}
