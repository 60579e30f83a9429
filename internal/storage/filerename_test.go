package storage

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// pairOf is a file f, as it was looked at, that is to become g.
func pairOf(t *testing.T) pair {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, root.Close()) })
	require.NoError(t, root.WriteFile("f", []byte("bytes"), 0o644))
	info, err := root.Lstat("f")
	require.NoError(t, err)
	return pair{root: root, from: "f", to: "g", source: info}
}

func (p pair) read(t *testing.T, name string) string {
	t.Helper()
	data, err := p.root.ReadFile(name)
	require.NoError(t, err)
	return string(data)
}

// waysToMove are those of file systems that rename without replacing and of
// others.
var waysToMove = map[string]func(pair) error{"rename": pair.rename, "link": pair.link}

func TestAFileIsMovedInBothWays(t *testing.T) {
	t.Parallel()
	for name, move := range waysToMove {
		p := pairOf(t)
		require.NoError(t, move(p), name)
		require.Equal(t, "bytes", p.read(t, "g"))
		_, err := p.root.Lstat("f")
		require.ErrorIs(t, err, os.ErrNotExist)

		p = pairOf(t)
		require.NoError(t, p.root.WriteFile("g", []byte("other"), 0o644))
		require.ErrorIs(t, move(p), os.ErrExist, name)
		require.Equal(t, "bytes", p.read(t, "f"))
		require.Equal(t, "other", p.read(t, "g"))
	}
}

func TestAFileThatIsReplacedWhileItIsMovedStaysInBothWays(t *testing.T) {
	t.Parallel()
	for name, move := range waysToMove {
		p := pairOf(t)
		require.NoError(t, p.root.WriteFile("new", []byte("live!"), 0o644))
		require.NoError(t, p.root.Rename("new", "f"))
		require.ErrorIs(t, move(p), ErrChanged, name)
		require.Equal(t, "live!", p.read(t, "f"), name)
	}
	// After the link was made.
	p := pairOf(t)
	require.NoError(t, p.root.Link("f", "g"))
	require.NoError(t, p.root.WriteFile("new", []byte("live!"), 0o644))
	require.NoError(t, p.root.Rename("new", "f"))
	require.ErrorIs(t, p.unlink(), ErrChanged)
	require.Equal(t, "live!", p.read(t, "f"))
	require.Equal(t, "bytes", p.read(t, "g"))
}
