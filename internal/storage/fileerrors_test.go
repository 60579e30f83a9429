package storage

import (
	"io/fs"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFileErrorsAreClassified(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]error{
		syscall.ENOENT: ErrNotFound, syscall.ENOTDIR: ErrNotFound,
		syscall.EACCES: ErrDenied, syscall.EPERM: ErrDenied, syscall.EROFS: ErrDenied,
		syscall.EISDIR: ErrRejected, syscall.ENAMETOOLONG: ErrRejected,
		syscall.EIO: ErrUnavailable, syscall.ESTALE: ErrUnavailable, syscall.EMFILE: ErrUnavailable,
	} {
		err := fileError(&fs.PathError{Op: "unlinkat", Path: "x", Err: errno})
		require.ErrorIs(t, err, want, errno)
		require.ErrorIs(t, err, errno)
	}
}
