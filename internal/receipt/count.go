package receipt

import (
	"maps"

	"deckhand/internal/manifest"
)

// Kind is what a file is to its table.
type Kind string

// The kinds of file that jobs tell apart.
const (
	Data                Kind = "data"
	PositionDeletes     Kind = "position-deletes"
	EqualityDeletes     Kind = "equality-deletes"
	DeletionVectors     Kind = "dv"
	Manifests           Kind = "manifest"
	ManifestLists       Kind = "manifest-list"
	Statistics          Kind = "statistics"
	PartitionStatistics Kind = "partition-statistics"
	MetadataFiles       Kind = "metadata"
)

// kinds in the order in which people read them.
var kinds = []Kind{Data, PositionDeletes, EqualityDeletes, DeletionVectors, Manifests, ManifestLists,
	Statistics, PartitionStatistics, MetadataFiles}

// entryKinds are those of manifest entries.
var entryKinds = [...]Kind{Data, PositionDeletes, EqualityDeletes, DeletionVectors}

// EntryKind is the kind of a file that a manifest names, as a small number from
// 0 to 3.
type EntryKind uint8

// KindOfEntry is the kind of an entry's file. It needs
// [manifest.FieldFormat].
func KindOfEntry(e *manifest.Entry) EntryKind {
	switch {
	case string(e.Format) == "PUFFIN" || string(e.Format) == "puffin":
		return 3
	case e.Content == manifest.ContentPositionDeletes:
		return 1
	case e.Content == manifest.ContentEqualityDeletes:
		return 2
	default:
		return 0
	}
}

// Kind of the file.
func (k EntryKind) Kind() Kind { return entryKinds[k] }

// Count is a number of files and their bytes as far as the metadata tells:
// earlier metadata files are counted with 0 bytes.
type Count struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

func (c Count) plus(d Count) Count { return Count{c.Files + d.Files, c.Bytes + d.Bytes} }

// Counts by kind. Kinds with no files are absent.
type Counts map[Kind]Count

// Add counts files of a kind; negative numbers take some back.
func (c Counts) Add(kind Kind, files, bytes int64) {
	sum := c[kind].plus(Count{files, bytes})
	if sum.Files == 0 {
		delete(c, kind)
		return
	}
	c[kind] = sum
}

// AddAll counts what d counts.
func (c Counts) AddAll(d Counts) {
	for kind, count := range d {
		c.Add(kind, count.Files, count.Bytes)
	}
}

// Clone is a copy; never nil.
func (c Counts) Clone() Counts {
	if c == nil {
		return Counts{}
	}
	return maps.Clone(c)
}

// Total of all kinds.
func (c Counts) Total() Count {
	var total Count
	for _, count := range c {
		total = total.plus(count)
	}
	return total
}
