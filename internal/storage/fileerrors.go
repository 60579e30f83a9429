package storage

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
)

// fileError classifies an error of the file system.
func fileError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Reason: ErrUnavailable, Err: err}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		e.Err = path.Err
	}
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return e
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR:
		// ENOTDIR: a file stands where the path has a folder.
		e.Reason = ErrNotFound
	case syscall.EACCES, syscall.EPERM, syscall.EROFS:
		e.Reason = ErrDenied
	case syscall.EISDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL, syscall.ENXIO:
		e.Reason = ErrRejected
	}
	return e
}

// located is fileError, but a symbolic link that leaves the guard's location is
// an [*OutsideError].
func (f *fileStore) located(err error, key string) error {
	if outside, ok := errors.AsType[*OutsideError](err); ok {
		return outside
	}
	if escapes(err) {
		return &OutsideError{
			Location: Location{Scheme: "file", Key: key}, Allowed: f.guard.Locations(),
			Detail: "a symbolic link on its path leaves them",
		}
	}
	return fileError(err)
}

// escapes recognises os.Root's error for a path that leaves it, which the
// standard library does not export.
func escapes(err error) bool {
	path, ok := errors.AsType[*fs.PathError](err)
	return ok && strings.Contains(path.Err.Error(), "path escapes from parent")
}

// fileCode is the outcome for counters.
func fileCode(err error) string {
	if err == nil {
		return codeOK
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		switch errno {
		case syscall.ENOENT, syscall.ENOTDIR:
			return "NotFound"
		case syscall.EACCES, syscall.EPERM, syscall.EROFS:
			return "Denied"
		}
	}
	if errors.Is(err, ErrOutside) || escapes(err) {
		return "Outside"
	}
	return "Failed"
}
