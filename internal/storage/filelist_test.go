package storage

import (
	"context"
	"iter"
	"os"
	"path/filepath"
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
