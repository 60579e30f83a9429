package warehouse

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheKeysOfATableAreKeptInLittleSpace(t *testing.T) {
	t.Parallel()
	w := open(t)
	d, err := w.Drop(t.Context(), "t1x", Size{Files: 2_000, Manifests: 10})
	require.NoError(t, err)
	all := d.keys.all()
	require.Len(t, all, d.Files)
	size := 0
	for _, key := range all {
		size += len(key)
		require.True(t, w.Has(key), key)
	}
	require.Less(t, len(d.keys.packed), size/5)
	require.Empty(t, d.keys.loose)
}
