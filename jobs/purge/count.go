package purge

import (
	"maps"

	"deckhand/internal/manifest"
)

// Kind is what a file is to its table.
type Kind string

// The kinds of file that a purge tells apart.
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

// entryKinds are those of manifest entries, in the order of their tags.
var entryKinds = [...]Kind{Data, PositionDeletes, EqualityDeletes, DeletionVectors}

// entryKind is an index into entryKinds.
type entryKind int

func kindOfEntry(e *manifest.Entry) entryKind {
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

// Count is a number of files and their bytes as far as the metadata tells:
// earlier metadata files are counted with 0 bytes.
type Count struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

func (c Count) plus(d Count) Count { return Count{c.Files + d.Files, c.Bytes + d.Bytes} }

// Counts by kind. Kinds with no files are absent.
type Counts map[Kind]Count

func (c Counts) add(kind Kind, files, bytes int64) {
	sum := c[kind].plus(Count{files, bytes})
	if sum.Files == 0 {
		delete(c, kind)
		return
	}
	c[kind] = sum
}

func (c Counts) addAll(d Counts) {
	for kind, count := range d {
		c.add(kind, count.Files, count.Bytes)
	}
}

func (c Counts) clone() Counts {
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
