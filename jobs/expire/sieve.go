package expire

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"deckhand/internal/erase"
	"deckhand/internal/manifest"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// largeTable is how many files stay, at least, where the set of those that could
// go is made first. A set of a million takes 16 MiB.
const largeTable = 1_000_000

// sieve knows which files manifests that stay name as live. Its sets hold hashes:
// their only possible mistake is to keep a file.
type sieve struct {
	from table.Opener
	// live files: all of them, or where wanted is not nil those of wanted.
	live *table.PathSet
	// wanted are the files that could go. It saves memory where they are few and
	// many stay, more than large.
	wanted *table.PathSet
	// covered are the manifests whose files are wanted.
	covered map[*table.Manifest]bool
	large   int64
	// unread are manifests of removed snapshots whose files are not in wanted.
	unread map[*table.Manifest]*unreadManifest
	read   map[*table.Manifest]bool
}

// unreadManifest says why a manifest was not read.
type unreadManifest struct {
	state table.State
	err   error
}

func newSieve(from table.Opener, large int64) *sieve {
	return &sieve{from: from, large: large, live: endlessSet(), read: map[*table.Manifest]bool{}, unread: map[*table.Manifest]*unreadManifest{}}
}

// endlessSet is never full, so that what it does not have was never added.
func endlessSet() *table.PathSet { return table.NewPathSet(1 << 48) }

// prepare chooses the cheaper way: the files that could go are remembered first
// when they are much fewer than those that stay.
func (s *sieve) prepare(ctx context.Context, going, staying []*table.Manifest) error {
	if len(s.read) > 0 || s.wanted != nil {
		return nil
	}
	few, many := countEntries(going), countEntries(staying)
	if few < 0 || many < s.large || few*4 > many {
		return nil
	}
	s.wanted, s.covered = endlessSet(), make(map[*table.Manifest]bool, len(going))
	for _, m := range going {
		s.covered[m] = true
	}
	var mu sync.Mutex
	return s.walk(ctx, going, s.wanted, nil, func(m *table.Manifest, state table.State, err error) error {
		if state != table.Read {
			mu.Lock()
			defer mu.Unlock()
			s.unread[m] = &unreadManifest{state: state, err: err}
		}
		return nil
	})
}

// serves says whether it can tell about the files of these manifests. One that was
// filled for fewer must not be asked: it has left out what only the others name.
func (s *sieve) serves(going []*table.Manifest) bool {
	return s.wanted == nil || !slices.ContainsFunc(going, func(m *table.Manifest) bool { return !s.covered[m] })
}

// countEntries is -1 when a list does not tell.
func countEntries(manifests []*table.Manifest) (n int64) {
	for _, m := range manifests {
		live := m.Live()
		if live < 0 {
			return -1
		}
		n += live
	}
	return n
}

// staysError says that a manifest which stays cannot be read.
type staysError struct {
	path string
	err  error
}

func (e *staysError) Error() string {
	return fmt.Sprintf("read manifest %s, which stays: %v", e.path, e.err)
}

func (e *staysError) Unwrap() error { return e.err }

// add reads the live entries of manifests that stay. A *staysError says which one
// cannot be read.
func (s *sieve) add(ctx context.Context, staying []*table.Manifest) error {
	var todo []*table.Manifest
	for _, m := range staying {
		if !s.read[m] {
			todo = append(todo, m)
		}
	}
	var mu sync.Mutex
	return s.walk(ctx, todo, s.live, s.wanted, func(m *table.Manifest, state table.State, err error) error {
		if state != table.Read {
			return &staysError{path: m.Path, err: err}
		}
		mu.Lock()
		defer mu.Unlock()
		s.read[m] = true
		return nil
	})
}

// has says whether a file is live, as far as can be told.
func (s *sieve) has(l storage.Location) bool { return s.live.Has(l) != table.New }

// walk puts the live entries of manifests into a set, those of among only where
// that is given.
func (s *sieve) walk(ctx context.Context, manifests []*table.Manifest, into, among *table.PathSet,
	end func(*table.Manifest, table.State, error) error,
) error {
	if len(manifests) == 0 {
		return nil
	}
	v := collector{manifests: manifests, into: into, among: among, end: end}
	err := table.Walk(ctx, s.from, manifests, table.WalkConfig{}, v)
	return erase.Failure(ctx, err)
}

// collector is a [table.Visitor].
type collector struct {
	manifests   []*table.Manifest
	into, among *table.PathSet
	end         func(*table.Manifest, table.State, error) error
}

// Entry implements [table.Visitor].
func (c collector) Entry(_ int, e *manifest.Entry) error {
	if e.Status == manifest.StatusDeleted {
		return nil
	}
	l, err := storage.Parse(string(e.Path))
	if err != nil {
		return nil //nolint:nilerr // what is no location is never deleted
	}
	if c.among == nil || c.among.Has(l) == table.Seen {
		c.into.Add(l)
	}
	return nil
}

// End implements [table.Visitor].
func (c collector) End(i int, state table.State, err error) error {
	return c.end(c.manifests[i], state, err)
}
