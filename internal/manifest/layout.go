package manifest

import (
	"encoding/json"
	"fmt"
	"sync"

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
	schema    string
	entry     *avroType
	file      *avroType

	mu     sync.Mutex
	routes map[string]*route // by the schema of the source
}

const newestVersion = 3

// NewLayout gives the layout as Iceberg's Java library writes it (V1Metadata,
// V2Metadata, V3Metadata), with partition fields whose names are none in Avro
// renamed as there. An error is one of the configuration: JSON that is none,
// a version, transform or type that is not known.
func NewLayout(c LayoutConfig) (*Layout, error) {
	if err := checkVersion(c.FormatVersion); err != nil {
		return nil, err
	}
	if c.FormatVersion == 1 && c.Deletes {
		return nil, fmt.Errorf("format version 1 has no delete manifests")
	}
	spec, err := partition.NewSpec(c.Spec, c.Schemas)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, f := range spec.Fields() {
		name := avroName(f.Name)
		if names[name] {
			return nil, fmt.Errorf("two fields of partition spec %d have the name %q in Avro", spec.ID(), name)
		}
		names[name] = true
	}
	l := &Layout{version: c.FormatVersion, deletes: c.Deletes, partition: spec, routes: map[string]*route{}}
	l.schema = entrySchema(l.version, spec.Fields())
	if l.entry, err = parseAvro(l.schema); err != nil {
		return nil, err
	}
	l.file = l.entry.fields[len(l.entry.fields)-1].typ
	return l, nil
}

func checkVersion(version int) error {
	if version < 1 || version > newestVersion {
		return fmt.Errorf("format version %d is not known: 1 to %d are written", version, newestVersion)
	}
	return nil
}

// Partition is the partition spec of the layout, which orders the partitions
// of a [Transcript] and makes keys of them.
func (l *Layout) Partition() *partition.Spec { return l.partition }

// FormatVersion is the version of the table.
func (l *Layout) FormatVersion() int { return l.version }

// Deletes is whether the manifests hold delete files.
func (l *Layout) Deletes() bool { return l.deletes }

// rowIDs says whether the entries have first row ids.
func (l *Layout) rowIDs() bool { return l.version > 2 && !l.deletes }
