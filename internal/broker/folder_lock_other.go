//go:build !unix

package broker

// folderLock does nothing where the system has no advisory locks.
type folderLock struct{}

func lockFolder(string) (*folderLock, error) { return &folderLock{}, nil }

func (*folderLock) release() error { return nil }
