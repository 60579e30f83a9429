package table

import (
	"strings"

	"deckhand/internal/manifest"
)

// Reached is a file that a table reaches.
type Reached struct {
	Kind ReachedKind
	// Path as the metadata writes it; it may be no location that this program
	// knows a store for.
	Path string
	// Size in bytes, as the metadata says; -1 where it does not.
	Size int64
}

// ReachedKind is what a file is to the table that reaches it.
type ReachedKind uint8

// The kinds of files that a table reaches.
const (
	// ReachedMetadata: the current metadata file, or one of the metadata log.
	ReachedMetadata ReachedKind = iota
	// ReachedVersionHint: where a catalog of files would note the current version.
	// It need not exist.
	ReachedVersionHint
	ReachedStatistics
	ReachedPartitionStatistics
	ReachedList
	ReachedManifest
	ReachedData
	ReachedPositionDeletes
	ReachedEqualityDeletes
	// ReachedDV: a Puffin file with deletion vectors, once for each live one.
	ReachedDV
	// ReachedReferenced: the data file that a live deletion vector or file of
	// position deletes is about.
	ReachedReferenced
)

var reachedNames = [...]string{
	"metadata file", "version hint", "statistics file", "partition statistics file", "manifest list", "manifest",
	"data file", "position delete file", "equality delete file", "deletion vector file", "referenced data file",
}

func (k ReachedKind) String() string { return reachedNames[k] }

// reachedByEntry is the kind of the file that an entry names.
func reachedByEntry(e *manifest.Entry) ReachedKind {
	switch {
	case e.Content == manifest.ContentEqualityDeletes:
		return ReachedEqualityDeletes
	case e.Content == manifest.ContentPositionDeletes && strings.EqualFold(string(e.Format), "puffin"):
		return ReachedDV
	case e.Content == manifest.ContentPositionDeletes:
		return ReachedPositionDeletes
	default:
		return ReachedData
	}
}

// UnreadError says which list or manifest of a retained snapshot was not read, so
// that what it reaches is unknown. Waiting does not change that.
type UnreadError struct {
	// Kind is [ReachedList] or [ReachedManifest].
	Kind ReachedKind
	Path string
	// State is [Absent] or [Unreadable].
	State State
	Err   error
}

func (e *UnreadError) Error() string {
	return "read " + e.Kind.String() + " " + e.Path + ": " + e.Err.Error()
}

func (e *UnreadError) Unwrap() error { return e.Err }
