package queue

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// ended stores results as workers do, of one catalog's tables.
func (b *bundle) ended(kind jobs.Kind, catalog string, count int) (tails []string) {
	b.t.Helper()
	for i := range count {
		tail := fmt.Sprintf("%s.POLARIS.%s.db.t%d", kind, catalog, i)
		body, err := encode(jobs.Result{Version: 1, JobID: fmt.Sprint(i), Kind: kind, Outcome: jobs.Completed})
		require.NoError(b.t, err)
		_, err = b.js.PublishAsync(jobs.ResultSubjectPrefix+tail, body)
		require.NoError(b.t, err)
		tails = append(tails, tail)
	}
	<-b.js.PublishAsyncComplete()
	return tails
}

func (b *bundle) history(filter string, after uint64) (tails []string, last uint64) {
	b.t.Helper()
	for result, err := range b.q.Results(b.t.Context(), filter, after) {
		require.NoError(b.t, err)
		require.Equal(b.t, jobs.Completed, result.Result.Outcome)
		require.False(b.t, result.Time.IsZero())
		tails, last = append(tails, result.Tail), result.Sequence
	}
	return tails, last
}

func TestTheHistoryOfACatalogIsReadInBatchesAndGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	tails, last := b.history("", 0)
	require.Empty(t, tails)
	require.Zero(t, last)

	lake := b.ended(jobs.Purge, "lake", 2*resultsBatch+1)
	b.ended(jobs.Purge, "lake2", 3)
	_, err := b.js.Publish(t.Context(), "results.purge.POLARIS.lake.db.odd", []byte("not a result"))
	require.NoError(t, err)

	filter := CatalogTails(jobs.Purge, "POLARIS", "lake")
	tails, last = b.history(filter, 0)
	require.Equal(t, lake, tails)
	tails, _ = b.history(filter, last)
	require.Empty(t, tails)
	more := b.ended(jobs.Purge, "lake", 1)
	tails, _ = b.history(filter, last)
	require.Equal(t, more, tails)
	tails, _ = b.history("", 0)
	require.Len(t, tails, len(lake)+3+1)
}

func TestQueuedAndDeadTailsAreThoseOfTheKindAndCatalog(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	mine, other, view := newJob(), newJob(), newJob()
	other.Catalog, view.Kind = "lake2", jobs.PurgeView
	for _, job := range []*jobs.Job{mine, other, view} {
		b.enqueue(job)
		_, err := b.js.Publish(t.Context(), jobs.DeadSubjectPrefix+job.Tail(), nil)
		require.NoError(t, err)
	}
	want := map[string]bool{mine.Tail(): true}
	queued, err := b.q.QueuedTails(t.Context(), jobs.Purge, "POLARIS", "lake")
	require.NoError(t, err)
	require.Equal(t, want, queued)
	dead, err := b.q.DeadTails(t.Context(), jobs.Purge, "POLARIS", "lake")
	require.NoError(t, err)
	require.Equal(t, want, dead)
}

func TestAHistoryThatCannotBeReadIsAnErrorAndNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.ended(jobs.Purge, "lake", 1)
	require.NoError(t, b.js.DeleteStream(t.Context(), resultsStream))
	var got error
	for _, err := range b.q.Results(t.Context(), "", 0) {
		got = err
	}
	require.Error(t, got)
	require.NotErrorIs(t, got, jetstream.ErrMsgNotFound)
}
