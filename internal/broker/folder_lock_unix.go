//go:build unix

package broker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// folderLock keeps a second process out of a store, which the server itself does
// not: two servers on one store destroy it. The system drops the lock when the
// process dies, however it dies.
type folderLock struct{ file *os.File }

func lockFolder(folder string) (*folderLock, error) {
	path := filepath.Join(folder, "deckhand.lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of store folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("the store folder %s is in use by another process; stop that, or choose another folder with --embedded-store", folder)
		} else {
			err = fmt.Errorf("lock store folder: %w", err)
		}
		return nil, errors.Join(err, file.Close())
	}
	return &folderLock{file}, nil
}

func (l *folderLock) release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("unlock store folder: %w", err)
	}
	return nil
}
