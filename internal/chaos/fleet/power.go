package fleet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Written is what a server had written of its consumers at some moment: what is
// delivered, and what is acknowledged.
type Written map[string][]byte

// ErrNothingWritten says that a server has no consumers yet.
var ErrNothingWritten = errors.New("the server has written nothing of consumers")

// Written copies what the n-th server has written of its consumers by now.
func (b *Broker) Written(n int) (Written, error) {
	states, err := filepath.Glob(filepath.Join(b.nodes[n].store, "jetstream", "*", "streams", "*", "obs", "*", "o.dat"))
	if err != nil {
		return nil, fmt.Errorf("find states of consumers: %w", err)
	}
	copied := Written{}
	for _, path := range states {
		data, err := os.ReadFile(path) //nolint:gosec // in the run's own folder
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read state of consumer: %w", err)
		}
		if len(data) > 0 {
			copied[path] = data
		}
	}
	if len(copied) == 0 {
		return nil, ErrNothingWritten
	}
	return copied, nil
}

// Lose makes a server that does not run forget what it wrote of its consumers since.
func (w Written) Lose() error {
	for path, data := range w {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return fmt.Errorf("put back state of consumer: %w", err)
		}
	}
	return nil
}
