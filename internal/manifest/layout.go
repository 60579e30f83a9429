package manifest

import (
	"encoding/json"

	"deckhand/internal/manifest/partition"
)

// LayoutConfig says what manifests of a table are written as.
type LayoutConfig struct {
	// FormatVersion of the table, 1 to 3.
	FormatVersion int
	// Spec is the partition spec as in the table's metadata: an object with
	// spec-id and fields.
	Spec json.RawMessage
	// Schemas of the table as in its metadata, the current one first and then
	// the newest first: the type of a column that was dropped is taken from
	// the first schema that has it.
	Schemas []json.RawMessage
	// Deletes is whether the manifests hold delete files.
	Deletes bool
}

// Layout is the form of the manifests of one partition spec, one kind of
// content and one format version: their Avro schema and their header. It may
// be used by several goroutines at once.
type Layout struct {
	version   int
	deletes   bool
	partition *partition.Spec
}

// NewLayout gives the layout as Iceberg's Java library writes it (V1Metadata,
// V2Metadata, V3Metadata), with partition fields whose names are none in Avro
// renamed as there. An error is one of the configuration: JSON that is none,
// a version, transform or type that is not known.
func NewLayout(c LayoutConfig) (*Layout, error) {
	spec, err := partition.NewSpec(c.Spec, c.Schemas)
	if err != nil {
		return nil, err
	}
	return &Layout{version: c.FormatVersion, deletes: c.Deletes, partition: spec}, nil
}

// Partition is the partition spec of the layout, which orders the partitions
// of a [Transcript] and makes keys of them.
func (l *Layout) Partition() *partition.Spec { return l.partition }

// FormatVersion is the version of the table.
func (l *Layout) FormatVersion() int { return l.version }

// Deletes is whether the manifests hold delete files.
func (l *Layout) Deletes() bool { return l.deletes }
