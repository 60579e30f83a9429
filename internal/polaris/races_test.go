package polaris_test

import (
	"context"
	"errors"
	"testing"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/standin"
)

var setOurs = []iceberg.Update{iceberg.NewSetPropertiesUpdate(map[string]string{"ours": "1"})}

// ours says whether the table has what setOurs sets.
func (s *stage) ours(t testing.TB) bool {
	t.Helper()
	loaded, err := s.connect(t).Load(t.Context(), in("t", "n"), polaris.LoadOptions{})
	require.NoError(t, err)
	return loaded.Metadata.Properties["ours"] == "1"
}

func TestACommitWhoseAnswerIsLostMayHaveTakenPlace(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	c := s.connect(t, func(cfg *polaris.Config) { cfg.Retries = 3 })
	s.Fault(standin.OnNth(1, standin.CommitTable, standin.Fault{Serve: true, Drop: true}))
	_, err := c.Commit(t.Context(), in("t", "n"), nil, setOurs)
	require.ErrorIs(t, err, polaris.ErrStateUnknown)
	require.True(t, s.ours(t))
	require.EqualValues(t, 1, s.Count(standin.CommitTable))
}

func TestACommitWhoseAnswerIsLostIsAskedForAgainUnderItsKey(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{Idempotency: true})
	c := s.connect(t, func(cfg *polaris.Config) { cfg.Retries = 3 })
	s.Fault(standin.OnNth(1, standin.CommitTable, standin.Fault{Serve: true, Drop: true}))
	loaded, err := c.Commit(t.Context(), in("t", "n"), nil, setOurs)
	require.NoError(t, err)
	require.Equal(t, "1", loaded.Metadata.Properties["ours"])
}

// Whoever gives up while a commit is under way must not take it for one that was
// never made.
func TestACommitThatItsCallerGivesUpMayHaveTakenPlace(t *testing.T) {
	t.Parallel()
	for _, idempotency := range []bool{false, true} {
		s := setStage(t, standin.Options{Idempotency: idempotency})
		c := s.connect(t, func(cfg *polaris.Config) { cfg.Retries = 3 })
		ctx, leave := context.WithCancelCause(t.Context())
		why := errors.New("the lease is lost")
		s.Fault(standin.OnNth(1, standin.CommitTable, standin.Fault{After: func() { leave(why) }, Hang: true}))
		_, err := c.Commit(ctx, in("t", "n"), nil, setOurs)
		require.ErrorIs(t, err, polaris.ErrStateUnknown)
		require.True(t, s.ours(t))
	}
}

func TestACommitThatWasNeverSentDidNotTakePlace(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	c := s.connect(t)
	_, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{})
	require.NoError(t, err)

	ctx, leave := context.WithCancelCause(t.Context())
	why := errors.New("the lease is lost")
	leave(why)
	_, err = c.Commit(ctx, in("t", "n"), nil, setOurs)
	require.ErrorIs(t, err, why)
	require.NotErrorIs(t, err, polaris.ErrStateUnknown)

	require.NoError(t, s.Close())
	_, _ = c.Commit(t.Context(), in("t", "n"), nil, setOurs) // may find a connection that was closed
	_, err = c.Commit(t.Context(), in("t", "n"), nil, setOurs)
	require.ErrorIs(t, err, polaris.ErrUnavailable)
	require.NotErrorIs(t, err, polaris.ErrStateUnknown)
}

func TestACommitThatCameSecondIsAConflict(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	c := s.connect(t)
	id := int64(7)
	_, err := c.Commit(t.Context(), in("t", "n"), []iceberg.Requirement{iceberg.AssertRefSnapshotID("main", &id)}, setOurs)
	require.ErrorIs(t, err, polaris.ErrConflict)
	require.False(t, s.ours(t))
}

func TestACommitToATableThatIsGoneIsToldSo(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	c := s.connect(t)
	s.Fault(standin.OnNth(1, standin.CommitTable, standin.Fault{Call: func() { _ = s.Drop(context.Background(), orders) }}))
	_, err := c.Commit(t.Context(), in("t", "n"), nil, setOurs)
	require.ErrorIs(t, err, polaris.ErrNotFound)
}

// A token that expires between two requests is renewed in the middle of whatever
// is done.
func TestTokensThatExpireMeanwhileStopNothing(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	c := s.connect(t)
	for range 3 {
		_, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{})
		require.NoError(t, err)
		s.ExpireTokens()
		_, err = c.Commit(t.Context(), in("t", "n"), nil, setOurs)
		require.NoError(t, err)
		s.ExpireTokens()
	}
}
