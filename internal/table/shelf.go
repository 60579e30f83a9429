package table

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/manifest"
)

// DefaultListsInFlight manifest lists are read at once by a [Shelf].
const DefaultListsInFlight = 32

// Shelf holds the manifest lists that were read of a table, which never change,
// and the manifests that they name: each list is read once and each manifest is
// there once, whatever the spellings of its path and however many lists name it.
//
// Memory grows with the number of distinct manifests. A list takes few bytes: it
// names mostly what the others name. A shelf is not for use by several goroutines
// at once.
type Shelf struct {
	from     Opener
	inFlight int

	mu        sync.Mutex               // while lists are read
	lists     map[string]*ManifestList // by identity
	numbers   map[string]uint32        // of manifests, by each spelling and by identity
	manifests []*Manifest
}

// NewShelf makes an empty shelf that reads inFlight lists at once (0:
// [DefaultListsInFlight]).
func NewShelf(from Opener, inFlight int) *Shelf {
	return &Shelf{
		from: from, inFlight: cmp.Or(inFlight, DefaultListsInFlight),
		lists: map[string]*ManifestList{}, numbers: map[string]uint32{},
	}
}

// Read gives what the names stand for, and reads of the lists those that were not
// read yet. A list that is absent or unreadable is part of the tree, and so is one
// with an encrypted manifest, with [ErrEncrypted]. The error means that reading
// was stopped or that trying later may help; it names the list.
func (s *Shelf) Read(ctx context.Context, names Names) (*Tree, error) {
	tree := &Tree{}
	for _, path := range Distinct(names.Lists) {
		list := s.lists[Identity(path)]
		if list == nil {
			list = &ManifestList{Path: path, shelf: s}
		}
		tree.Lists = append(tree.Lists, list)
	}
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(s.inFlight)
	for _, list := range tree.Lists {
		if !list.tried {
			group.Go(func() error { return s.read(reading, list) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, path := range names.Manifests {
		entry := inlineEntry(path)
		tree.names.add(s.number(&entry))
	}
	for _, list := range tree.Lists {
		for number := range list.names.all() {
			tree.names.add(number)
		}
	}
	tree.Manifests = s.sorted(tree.names)
	return tree, nil
}

// read reads a list. What was read of one that is damaged is not part of it, but
// its manifests have got their numbers.
func (s *Shelf) read(ctx context.Context, list *ManifestList) error {
	var numbers []uint32
	size, err := ReadList(ctx, s.from, list.Path, func(entry *manifest.ListEntry) error {
		if entry.HasKeyMetadata {
			return ErrEncrypted
		}
		numbers = append(numbers, s.number(entry))
		return nil
	})
	state, temporary := StateOf(err)
	if temporary {
		return fmt.Errorf("read manifest list %s: %w", list.Path, err)
	}
	if list.State, list.Err = state, err; state == Read {
		list.Size, list.names = size, rangesOf(numbers)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list.tried, s.lists[Identity(list.Path)] = true, list
	return nil
}

// number gives the manifest of that path its place, or tells the one that it has.
func (s *Shelf) number(entry *manifest.ListEntry) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	number, found := s.numbers[entry.Path]
	if !found {
		id := Identity(entry.Path)
		if number, found = s.numbers[id]; !found {
			number = uint32(len(s.manifests)) //nolint:gosec // there is no memory for so many
			s.numbers[id] = number
			s.manifests = append(s.manifests, &Manifest{ListEntry: *entry, number: number})
		}
		s.numbers[entry.Path] = number
	}
	s.manifests[number].learn(entry)
	return number
}
