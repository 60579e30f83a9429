package fleet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// diskSize is that of a small disk. It is fuller than the streams of a chaos run ever
// need.
const diskSize = "size=64m"

// Disk is a small file system of its own for the store of a NATS server, which can be
// filled up.
type Disk struct{ folder string }

// ErrNoDisk says that this process may not mount one.
var ErrNoDisk = errors.New("a small disk takes the right to mount one (root)")

// MountDisk mounts one on a folder that it makes.
func MountDisk(folder string) (*Disk, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	if err := syscall.Mount("chaos", folder, "tmpfs", 0, diskSize); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDisk, err)
	}
	return &Disk{folder: folder}, nil
}

// Store is the folder for the server.
func (d *Disk) Store() string { return filepath.Join(d.folder, "store") }

func (d *Disk) filler() string { return filepath.Join(d.folder, "filler") }

// Fill leaves no byte free.
func (d *Disk) Fill() error {
	file, err := os.Create(d.filler())
	if err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	defer func() { _ = file.Close() }()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := file.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2] // the last bytes too
		} else if err != nil {
			return fmt.Errorf("fill disk: %w", err)
		}
	}
	return nil
}

// Free gives the space back.
func (d *Disk) Free() error { return os.Remove(d.filler()) }

// Unmount throws the disk away. No process must use it.
func (d *Disk) Unmount() error {
	if err := syscall.Unmount(d.folder, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount disk: %w", err)
	}
	return nil
}

// Abandon throws away the disk of a run that was killed, if there is one.
func Abandon(folder string) { _ = syscall.Unmount(folder, syscall.MNT_DETACH) }
