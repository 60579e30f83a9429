package ownership

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Where a server joins levels by another separator, a level may hold the usual one.
func TestNamespacesAreToldApartWhateverTheirLevelsHold(t *testing.T) {
	t.Parallel()
	x := &Index{cfg: Config{}.WithDefaults(), shelves: map[shelfKey]*shelf{}}
	seen := map[*shelf]bool{}
	for _, namespace := range [][]string{{"a", "b"}, {"a\x1fb"}, {"a.b"}, {"a b"}, {`a" "b`}} {
		seen[x.shelf(Table, namespace)] = true
		require.Same(t, x.shelf(Table, namespace), x.shelf(Table, namespace))
		require.NotSame(t, x.shelf(Table, namespace), x.shelf(View, namespace))
	}
	require.Len(t, seen, 5)
}
