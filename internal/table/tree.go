package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/manifest"
	"deckhand/internal/storage"
)

// State is what became of reading a manifest list or a manifest.
type State uint8

const (
	// Read: it was read to its end.
	Read State = iota
	// Absent: there is no such object.
	Absent
	// Unreadable: it is damaged, may not be read, or lies where nothing may be
	// read; waiting does not change that.
	Unreadable
)

// StateOf sorts the error of reading a file. temporary is true when trying
// again later may help, or when the reading was stopped; the state then says
// nothing.
func StateOf(err error) (state State, temporary bool) {
	var corrupt *manifest.CorruptError
	switch {
	case err == nil:
		return Read, false
	case errors.As(err, &corrupt):
		return Unreadable, false
	case errors.Is(err, storage.ErrNotFound):
		return Absent, false
	case errors.Is(err, storage.ErrDenied), errors.Is(err, storage.ErrOutside), errors.Is(err, storage.ErrNoBucket),
		errors.Is(err, storage.ErrRejected), errors.Is(err, storage.ErrUnsupportedScheme),
		errors.Is(err, storage.ErrInvalidLocation), errors.Is(err, ErrEncrypted):
		return Unreadable, false
	default:
		return Unreadable, true
	}
}

// Manifest is one that some manifest list names.
type Manifest struct {
	Path string
	// Length in bytes; -1 when no list tells.
	Length int64
}

// ManifestList is one that some snapshot names.
type ManifestList struct {
	Path string
	// Size in bytes as stored; 0 unless it was read.
	Size  int64
	State State
	// Err says why it is unreadable.
	Err error
}

// Tree is what a table's snapshots name above the entries of manifests.
type Tree struct {
	// Lists, each once, in the order of the snapshots.
	Lists []ManifestList
	// Manifests, each once, ordered by path.
	Manifests []Manifest
}

// ReadTree reads every manifest list that the metadata names, some at a time.
// A list that is missing or unreadable is part of the tree; an error means that
// reading was stopped or that trying later may help.
func ReadTree(ctx context.Context, from Opener, m *Metadata, inFlight int) (*Tree, error) {
	tree := &Tree{}
	collected := newManifestCollector()
	for _, snapshot := range m.Snapshots {
		for _, path := range snapshot.Manifests {
			collected.add(Manifest{Path: path, Length: -1})
		}
	}
	for _, path := range m.ManifestLists() {
		tree.Lists = append(tree.Lists, ManifestList{Path: path})
	}
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i := range tree.Lists {
		list := &tree.Lists[i]
		group.Go(func() error {
			var err error
			list.Size, err = ReadList(reading, from, list.Path, func(entry *manifest.ListEntry) error {
				if entry.HasKeyMetadata {
					return ErrEncrypted
				}
				collected.add(Manifest{Path: entry.Path, Length: entry.Length})
				return nil
			})
			state, temporary := StateOf(err)
			if temporary {
				return fmt.Errorf("read manifest list %s: %w", list.Path, err)
			}
			list.State, list.Err = state, err
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	tree.Manifests = collected.sorted()
	return tree, nil
}

// ReadList streams one manifest list and returns its size in bytes as stored, 0
// when the store does not tell.
// For its errors see [StateOf].
func ReadList(ctx context.Context, from Opener, path string, entry func(*manifest.ListEntry) error) (int64, error) {
	location, err := storage.Parse(path)
	if err != nil {
		return 0, err
	}
	body, info, err := from.Open(ctx, location)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	return max(info.Size, 0), manifest.ReadList(body, path, entry)
}

// manifestCollector keeps each manifest once. Two lists may name one manifest
// in two spellings of its location, so it is the identity that counts.
type manifestCollector struct {
	mu        sync.Mutex
	index     map[string]int
	manifests []Manifest
}

func newManifestCollector() *manifestCollector { return &manifestCollector{index: map[string]int{}} }

func (c *manifestCollector) add(m Manifest) {
	id := Identity(m.Path)
	c.mu.Lock()
	defer c.mu.Unlock()
	i, found := c.index[id]
	if !found {
		c.index[id] = len(c.manifests)
		c.manifests = append(c.manifests, m)
		return
	}
	// Of two spellings the smaller one stays, so that every run has the same.
	c.manifests[i].Path = min(c.manifests[i].Path, m.Path)
	c.manifests[i].Length = max(c.manifests[i].Length, m.Length)
}

func (c *manifestCollector) sorted() []Manifest {
	slices.SortFunc(c.manifests, func(a, b Manifest) int { return cmp.Compare(a.Path, b.Path) })
	return c.manifests
}
