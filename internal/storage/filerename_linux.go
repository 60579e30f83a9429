package storage

import (
	"errors"
	"os"
	"path"
	"syscall"

	"golang.org/x/sys/unix"
)

// renameNew renames where nothing has the new name, else the error is EEXIST. Some
// file systems, NFS for one, cannot: errNoRename. Source: renameat2(2).
func renameNew(root *os.Root, from, to string) error {
	left, err := root.OpenFile(path.Dir(from), os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer left.Close()
	entered, err := root.OpenFile(path.Dir(to), os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer entered.Close()
	err = unix.Renameat2(int(left.Fd()), path.Base(from), int(entered.Fd()), path.Base(to), unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
		return errNoRename
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}
