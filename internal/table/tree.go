package table

import (
	"cmp"
	"slices"
)

// Names are what snapshots name: manifest lists, and in old v1 tables manifests.
type Names struct {
	Lists     []string
	Manifests []string
}

// Add adds what a snapshot names.
func (n *Names) Add(manifestList string, manifests []string) {
	if manifestList != "" {
		n.Lists = append(n.Lists, manifestList)
	}
	n.Manifests = append(n.Manifests, manifests...)
}

// Names are those of all snapshots but some, in the order of the snapshots.
func (m *Metadata) Names(but map[int64]bool) Names {
	var names Names
	for _, s := range m.Snapshots {
		if !but[s.ID] {
			names.Add(s.ManifestList, s.Manifests)
		}
	}
	return names
}

// Tree is what some snapshots name above the entries of manifests.
type Tree struct {
	// Lists, each once, in the order of the names.
	Lists []*ManifestList
	// Manifests, each once, ordered by path: those of the lists that were read, and
	// the inline ones.
	Manifests []*Manifest

	names bitmap
}

// Has says whether a manifest of the same shelf is part of the tree.
func (t *Tree) Has(m *Manifest) bool { return t.names.has(m.number) }

// Without are the manifests that another tree of the same shelf does not have,
// ordered by path.
func (t *Tree) Without(other *Tree) []*Manifest {
	var rest []*Manifest
	for _, m := range t.Manifests {
		if !other.Has(m) {
			rest = append(rest, m)
		}
	}
	return rest
}

// Unread are the lists that were not read to their end.
func (t *Tree) Unread() []*ManifestList {
	var unread []*ManifestList
	for _, list := range t.Lists {
		if list.State != Read {
			unread = append(unread, list)
		}
	}
	return unread
}

// sorted are the manifests of some numbers, ordered by path.
func (s *Shelf) sorted(names bitmap) []*Manifest {
	var all []*Manifest
	for _, m := range s.manifests {
		if names.has(m.number) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *Manifest) int { return cmp.Compare(a.Path, b.Path) })
	return all
}

// bitmap is a set of small numbers.
type bitmap []uint64

func (b *bitmap) add(n uint32) {
	for int(n/64) >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bitmap) has(n uint32) bool { return int(n/64) < len(b) && b[n/64]&(1<<(n%64)) != 0 }
