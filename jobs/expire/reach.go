package expire

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/erase"
	"deckhand/internal/manifest"
	"deckhand/internal/table"
)

// listsInFlight manifest lists are read at once.
const listsInFlight = 32

// namedManifest is a manifest that a list or a snapshot names. There is one for
// each, so that its address identifies it.
type namedManifest struct {
	table.Manifest
	// spec is -1 when no list tells.
	spec int
	// entries that are live; -1 when no list tells.
	entries int64
}

// readList is a manifest list that was read, or tried.
type readList struct {
	manifests []*namedManifest
	size      int64
	state     table.State
	err       error
}

// shelf holds the manifest lists that a run has read: they never change.
type shelf struct {
	from table.Opener

	mu        sync.Mutex
	lists     map[string]*readList
	manifests map[string]*namedManifest
}

func newShelf(from table.Opener) *shelf {
	return &shelf{from: from, lists: map[string]*readList{}, manifests: map[string]*namedManifest{}}
}

// read reads the lists that were not yet. The error means that reading was
// stopped or that trying later may help.
func (s *shelf) read(ctx context.Context, paths []string) error {
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(listsInFlight)
	for _, path := range table.Distinct(paths) {
		id := table.Identity(path)
		if s.list(id) != nil {
			continue
		}
		group.Go(func() error {
			list := &readList{}
			size, err := table.ReadList(reading, s.from, path, func(e *manifest.ListEntry) error {
				if e.HasKeyMetadata {
					return table.ErrEncrypted
				}
				list.manifests = append(list.manifests, s.named(e))
				return nil
			})
			state, temporary := table.StateOf(err)
			if temporary {
				return fmt.Errorf("read manifest list %s: %w", path, err)
			}
			list.size, list.state, list.err = size, state, err
			s.mu.Lock()
			defer s.mu.Unlock()
			s.lists[id] = list
			return nil
		})
	}
	return erase.Failure(ctx, group.Wait())
}

func (s *shelf) list(id string) *readList {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists[id]
}

func (s *shelf) named(e *manifest.ListEntry) *namedManifest {
	entries := int64(-1)
	if e.AddedFiles >= 0 && e.ExistingFiles >= 0 {
		entries = e.AddedFiles + e.ExistingFiles
	}
	return s.intern(namedManifest{Manifest: table.Manifest{Path: e.Path, Length: e.Length}, spec: int(e.SpecID), entries: entries})
}

func (s *shelf) intern(m namedManifest) *namedManifest {
	id := table.Identity(m.Path)
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.manifests[id]
	if found == nil {
		found = &m
		s.manifests[id] = found
	}
	return found
}

// tree is what some snapshots name above the entries of manifests.
type tree struct {
	lists     []string
	manifests map[*namedManifest]bool
	// bad are the lists that were not read to their end.
	bad []string
}

// tree gathers what was read of the snapshots' lists.
func (s *shelf) tree(lists []string, inline []string) tree {
	t := tree{lists: table.Distinct(lists), manifests: map[*namedManifest]bool{}}
	for _, path := range t.lists {
		list := s.list(table.Identity(path))
		if list.state != table.Read {
			t.bad = append(t.bad, path)
			continue
		}
		for _, m := range list.manifests {
			t.manifests[m] = true
		}
	}
	for _, path := range inline {
		t.manifests[s.intern(namedManifest{Manifest: table.Manifest{Path: path, Length: -1}, spec: -1, entries: -1})] = true
	}
	return t
}

// without are the manifests that other does not have, ordered by path.
func (t tree) without(other tree) []*namedManifest {
	var rest []*namedManifest
	for m := range t.manifests {
		if !other.manifests[m] {
			rest = append(rest, m)
		}
	}
	slices.SortFunc(rest, func(a, b *namedManifest) int { return strings.Compare(a.Path, b.Path) })
	return rest
}

func plain(named []*namedManifest) []table.Manifest {
	manifests := make([]table.Manifest, len(named))
	for i, m := range named {
		manifests[i] = m.Manifest
	}
	return manifests
}

// namesOf are the lists and inline manifests of the table's snapshots, but for
// those of some.
func namesOf(m *table.Metadata, but map[int64]bool) (lists, inline []string) {
	for _, s := range m.Snapshots {
		if but[s.ID] {
			continue
		}
		if s.ManifestList != "" {
			lists = append(lists, s.ManifestList)
		}
		inline = append(inline, s.Manifests...)
	}
	return lists, inline
}

func (rec *record) names() (lists, inline []string) {
	for _, s := range rec.Snapshots {
		if s.ManifestList != "" {
			lists = append(lists, s.ManifestList)
		}
		inline = append(inline, s.Manifests...)
	}
	return lists, inline
}
