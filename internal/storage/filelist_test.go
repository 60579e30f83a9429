package storage

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// lists are both ways to list local folders.
func lists(f *fileStore, try tryFunc, key string) map[string]iter.Seq2[entry, error] {
	return map[string]iter.Seq2[entry, error]{
		"flat":     f.list(context.Background(), try, key, 0),
		"parallel": f.listParallel(context.Background(), try, key, 4),
	}
}

func TestAFolderBelowThatFailsEndsTheListingAndOneThatIsGoneDoesNot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "a", "b"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "a", "f"), nil, 0o600))
	guard, err := NewGuard(root)
	require.NoError(t, err)
	for _, c := range []struct {
		err  error
		want error
	}{{syscall.EACCES, ErrDenied}, {syscall.EIO, ErrUnavailable}, {syscall.ENOENT, nil}} {
		var opened int
		try := func(ctx context.Context, request func(context.Context) error) error {
			if opened++; opened == 3 { // the folders are opened one after the other
				return fileError(c.err)
			}
			return request(ctx)
		}
		for name, list := range lists(&fileStore{guard: guard}, try, root) {
			opened = 0
			files, last := 0, error(nil)
			for _, err := range list {
				if last = err; err == nil {
					files++
				}
			}
			require.Equal(t, 1, files, name)
			require.ErrorIs(t, last, c.want, name)
			if c.want != nil {
				require.ErrorContains(t, locate(last, "list", Location{Scheme: "file", Key: root}), "list file://"+root+"/a/b:")
			}
		}
	}
}

func TestMoreFoldersThanThereIsRoomForAreReadNevertheless(t *testing.T) {
	t.Parallel()
	root, want := t.TempDir(), []string{}
	for n := range 100 {
		name := filepath.Join(root, strconv.Itoa(n), strconv.Itoa(n%5), "deep")
		require.NoError(t, os.MkdirAll(name, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(name, "f"), nil, 0o600))
		want = append(want, filepath.Join(name, "f"))
	}
	guard, err := NewGuard(root)
	require.NoError(t, err)
	try := func(ctx context.Context, request func(context.Context) error) error { return request(ctx) }
	for _, inFlight := range []int{1, 4} {
		pool := newFolderPool(3)
		w, err := (&fileStore{guard: guard}).walk(try, root)
		require.NoError(t, err)
		var found []string
		w.readAll(t.Context(), pool, inFlight, func(e entry, err error) bool {
			found = append(found, e.key)
			return err == nil
		})
		w.close()
		require.ElementsMatch(t, want, found)
		require.LessOrEqual(t, cap(pool.pending), 4)
	}
}
