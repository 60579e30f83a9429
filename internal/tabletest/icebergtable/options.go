package icebergtable

import (
	"cmp"
	"errors"
	"fmt"

	"deckhand/internal/tabletest"
)

// Options says what table to write.
type Options struct {
	// Location of the table: "s3://bucket/folder" or "file:///folder". Required.
	Location string
	// FormatVersion is 1, 2 or 3. Defaults to 2.
	FormatVersion int
	// Files is the number of data files of the main branch. Defaults to 6.
	Files int
	// Snapshots is the number of appends that the files are spread over. Defaults
	// to 3. Deletes and branches add their own snapshots.
	Snapshots int
	// RowsPerFile defaults to 10.
	RowsPerFile int
	// Distinct is the number of data files that are encoded; the rest are copies of
	// them under names of their own, which is much quicker to write. Defaults to
	// all. Not in format 3.
	Distinct int
	// Partitioned makes it a table partitioned by identity of its column region.
	Partitioned bool
	// Branch adds a branch "audit" with a data file that main does not have, and a
	// tag "first" on the first snapshot.
	Branch bool
	// PositionDeletes deletes some rows of a few files by position: Parquet
	// delete files in format 2, deletion vectors in format 3.
	PositionDeletes bool
	// EqualityDeletes deletes one row by its id (format 2 and 3).
	EqualityDeletes bool
	// Statistics adds a statistics and a partition statistics file.
	Statistics bool
	// DeletedOnly removes one data file and the snapshots before, as an expiry
	// does whose cleaning failed: the file lies there and only an entry of status
	// DELETED names it.
	DeletedOnly bool
	// GzipMetadata compresses the metadata files.
	GzipMetadata bool
	// Properties of the table, such as gc.enabled, write.data.path and
	// write.metadata.path. Optional.
	Properties map[string]string
}

// Everything is a table with all that iceberg-go can write into format 2.
func Everything() Options {
	return Options{
		Files: 12, Snapshots: 4, Branch: true, PositionDeletes: true, EqualityDeletes: true, Statistics: true,
	}
}

// WithDefaults fills in what was left out.
func (o Options) WithDefaults() Options {
	o.FormatVersion = cmp.Or(o.FormatVersion, 2)
	o.Files = cmp.Or(o.Files, 6)
	o.Snapshots = cmp.Or(o.Snapshots, 3)
	o.RowsPerFile = cmp.Or(o.RowsPerFile, 10)
	o.Distinct = cmp.Or(o.Distinct, o.Files)
	return o
}

// Validate says what cannot be written.
func (o Options) Validate() error {
	switch {
	case o.Location == "":
		return errors.New("options need a location")
	case o.FormatVersion < 1 || o.FormatVersion > 3:
		return fmt.Errorf("format version %d is not 1, 2 or 3", o.FormatVersion)
	case o.FormatVersion == 1 && (o.PositionDeletes || o.EqualityDeletes):
		return errors.New("format version 1 has no delete files")
	case o.Files < o.Snapshots:
		return fmt.Errorf("%d files are not enough for %d snapshots", o.Files, o.Snapshots)
	case o.FormatVersion == 3 && o.Distinct < o.Files:
		return errors.New("format version 3 gives each row an id: data files cannot be copies")
	case o.RowsPerFile < 4:
		return errors.New("rows per file must be 4 at least, so that deletes leave some")
	}
	return nil
}

// Table is a table as it lies in its store.
type Table struct {
	Location         string
	MetadataLocation string
	UUID             string
	// Files is everything that the metadata reaches, each path once, ordered by
	// path. Entries of status DELETED do not count.
	Files []tabletest.File
	// DeletedOnly are the paths that entries of status DELETED name and no live
	// entry does. They exist.
	DeletedOnly []string
	// Objects are all files: Files, DeletedOnly and nothing else.
	Objects tabletest.Objects
}

// Count gives the number of files of a kind.
func (t *Table) Count(kind tabletest.FileKind) int {
	n := 0
	for _, f := range t.Files {
		if f.Kind == kind {
			n++
		}
	}
	return n
}
