package fleet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPowerLossForgetsWhatWasWrittenOfConsumers(t *testing.T) {
	t.Parallel()
	b := &Broker{nodes: []*node{{store: t.TempDir()}}}
	_, err := b.Written(0)
	require.ErrorIs(t, err, ErrNothingWritten)

	folder := filepath.Join(b.nodes[0].store, "jetstream", "$G", "streams", "JOBS", "obs", "purge")
	require.NoError(t, os.MkdirAll(folder, 0o750))
	state := filepath.Join(folder, "o.dat")
	require.NoError(t, os.WriteFile(state, []byte("before"), 0o600))
	written, err := b.Written(0)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(state, []byte("after"), 0o600))
	require.NoError(t, written.Lose())
	data, err := os.ReadFile(state) //nolint:gosec // the test's own
	require.NoError(t, err)
	require.Equal(t, "before", string(data))
	require.NoError(t, Written(nil).Lose())
}
