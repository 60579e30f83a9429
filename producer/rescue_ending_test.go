package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// A purge that is shared out is recorded as planned long before its files are
// gone; its row must wait for the end.
func TestAPlannedPurgeIsNotOver(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[jobs.Outcome]ending{
		jobs.Planned: endPending, jobs.Completed: endCompleted, jobs.Canceled: endVoid, jobs.Dead: endVoid,
	} {
		end, _ := endingOf(&jobs.Result{Outcome: outcome, Receipt: []byte(`{"dry_run":false}`)})
		require.Equal(t, want, end, outcome)
	}
}
