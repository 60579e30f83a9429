package storms

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAStormAsksUntilSomebodyAnswers(t *testing.T) {
	t.Parallel()
	asked := 0
	require.NoError(t, untilAnswered(t.Context(), func(context.Context) error {
		if asked++; asked < 3 {
			return errNoLeader
		}
		return nil
	}))
	require.Equal(t, 3, asked)

	ctx, cancel := context.WithCancel(t.Context())
	err := untilAnswered(ctx, func(context.Context) error { cancel(); return errNoLeader })
	require.ErrorIs(t, err, errNoLeader)
	require.ErrorIs(t, err, context.Canceled)
}
