package ownership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"deckhand/internal/polaris"
	"deckhand/jobs"
)

// tree is which namespaces the catalog has.
type tree struct {
	cfg     Config
	sharing *sharing

	mu         sync.Mutex
	namespaces [][]string
}

func newTree(cfg Config) *tree { return &tree{cfg: cfg, sharing: newSharing()} }

// fresh lists all namespaces, unless that was done lately and since after.
func (t *tree) fresh(ctx context.Context, alive func(), after time.Time) (namespaces [][]string, began time.Time, err error) {
	began, err = t.sharing.do(ctx, t.cfg, alive, after, func(ctx context.Context, alive func()) (time.Time, error) {
		var found [][]string
		if err := t.below(ctx, nil, alive, &found); err != nil {
			return time.Time{}, err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.namespaces = found
		return time.Time{}, nil
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.namespaces, began, err
}

func (t *tree) below(ctx context.Context, parent []string, alive func(), found *[][]string) error {
	first := len(*found)
	for namespace, err := range t.cfg.Client.Namespaces(ctx, parent) {
		switch {
		case errors.Is(err, polaris.ErrNoNamespace) && len(parent) > 0: // dropped meanwhile
			return nil
		case err != nil:
			return fmt.Errorf("list the namespaces in %s: %w", place(parent), err)
		}
		*found = append(*found, namespace)
	}
	alive()
	for _, namespace := range (*found)[first:len(*found):len(*found)] {
		if err := t.below(ctx, namespace, alive, found); err != nil {
			return err
		}
	}
	return nil
}

// place names a namespace for people.
func place(namespace []string) string {
	if len(namespace) == 0 {
		return "the catalog"
	}
	return jobs.FormatTable(namespace[:len(namespace)-1], namespace[len(namespace)-1])
}
