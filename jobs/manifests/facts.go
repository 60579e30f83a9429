package manifests

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/manifest"
	"deckhand/internal/polaris"
	"deckhand/internal/table"
)

// facts are what writing manifests and a snapshot needs of a table's metadata
// beyond [table.Metadata].
type facts struct {
	// specs by id, and their fields.
	specs  map[int32]json.RawMessage
	fields map[int32][]specField
	// schemas, the current one first and then the newest first.
	schemas   []json.RawMessage
	nextRowID int64
	main      mainRef
}

type specField struct {
	Name      string `json:"name"`
	Transform string `json:"transform"`
}

// mainRef is what the branch main says of retention, in the numbers of the
// metadata; 0 is not set.
type mainRef struct {
	MaxRefAge          int64 `json:"max-ref-age-ms"`
	MaxSnapshotAge     int64 `json:"max-snapshot-age-ms"`
	MinSnapshotsToKeep int   `json:"min-snapshots-to-keep"`
}

// factsOf reads the metadata as the catalog sent it.
func factsOf(loaded *polaris.Loaded) (*facts, error) {
	var raw struct {
		Specs         []json.RawMessage  `json:"partition-specs"`
		OldSpec       json.RawMessage    `json:"partition-spec"` // of v1
		Schemas       []json.RawMessage  `json:"schemas"`
		OldSchema     json.RawMessage    `json:"schema"` // of v1
		CurrentSchema *int               `json:"current-schema-id"`
		NextRowID     int64              `json:"next-row-id"`
		Refs          map[string]mainRef `json:"refs"`
	}
	if err := json.Unmarshal(loaded.RawMetadata, &raw); err != nil {
		return nil, fmt.Errorf("read the metadata of the catalog's answer: %w", err)
	}
	f := &facts{specs: map[int32]json.RawMessage{}, fields: map[int32][]specField{}, nextRowID: raw.NextRowID, main: raw.Refs[table.MainBranch]}
	if raw.Specs == nil && raw.OldSpec != nil {
		raw.Specs = []json.RawMessage{[]byte(`{"spec-id":0,"fields":` + string(raw.OldSpec) + `}`)}
	}
	for _, text := range raw.Specs {
		var spec struct {
			ID     int32       `json:"spec-id"`
			Fields []specField `json:"fields"`
		}
		if err := json.Unmarshal(text, &spec); err != nil {
			return nil, fmt.Errorf("read a partition spec of the metadata: %w", err)
		}
		f.specs[spec.ID], f.fields[spec.ID] = text, spec.Fields
	}
	if raw.Schemas == nil && raw.OldSchema != nil {
		raw.Schemas = []json.RawMessage{raw.OldSchema}
	}
	if err := f.order(raw.Schemas, raw.CurrentSchema); err != nil {
		return nil, err
	}
	return f, nil
}

// order puts the current schema first and then the newest first.
func (f *facts) order(schemas []json.RawMessage, current *int) error {
	type numbered struct {
		id   int
		text json.RawMessage
	}
	var all []numbered
	for _, text := range schemas {
		var schema struct {
			ID int `json:"schema-id"`
		}
		if err := json.Unmarshal(text, &schema); err != nil {
			return fmt.Errorf("read a schema of the metadata: %w", err)
		}
		all = append(all, numbered{schema.ID, text})
	}
	slices.SortStableFunc(all, func(a, b numbered) int {
		isCurrent := func(n numbered) int {
			if current != nil && n.id == *current {
				return 0
			}
			return 1
		}
		return cmp.Or(isCurrent(a)-isCurrent(b), b.id-a.id)
	})
	for _, n := range all {
		f.schemas = append(f.schemas, n.text)
	}
	return nil
}

// unpartitioned says that a spec has no field with values, as Iceberg's Java
// library takes it: its equality deletes apply to every partition of every spec.
func (f *facts) unpartitioned(spec int32) bool {
	return !slices.ContainsFunc(f.fields[spec], func(field specField) bool { return !strings.EqualFold(field.Transform, "void") })
}

// layout of the manifests of a spec and content.
func (f *facts) layout(m *table.Metadata, spec int32, deletes bool) (*manifest.Layout, error) {
	text, found := f.specs[spec]
	if !found {
		return nil, fmt.Errorf("the table has no partition spec %d", spec)
	}
	return manifest.NewLayout(manifest.LayoutConfig{FormatVersion: m.FormatVersion, Spec: text, Schemas: f.schemas, Deletes: deletes})
}

// Table properties.
const (
	propertyCodec      = "write.manifest.compression-codec"
	propertyLevel      = "write.manifest.compression-level"
	propertyTargetSize = "commit.manifest.target-size-bytes"
	defaultTargetSize  = 8 << 20
	leastTargetSize    = 1 << 10
)

// targetSize of a manifest, in bytes: what the settings say, or else the table.
func targetSize(settings int64, m *table.Metadata) (int64, error) {
	if settings > 0 {
		return settings, nil
	}
	text, found := m.Properties[propertyTargetSize]
	if !found {
		return defaultTargetSize, nil
	}
	size, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || size <= 0 {
		return 0, fmt.Errorf("the table property %s is %q, which is no size in bytes; correct it, or set target-size-bytes", propertyTargetSize, text)
	}
	return max(size, leastTargetSize), nil
}

// setMain moves the branch main to a snapshot, with what it says of retention.
func (f *facts) setMain(snapshot int64) iceberg.Update {
	return iceberg.NewSetSnapshotRefUpdate(table.MainBranch, snapshot, iceberg.BranchRef, f.main.MaxRefAge, f.main.MaxSnapshotAge, f.main.MinSnapshotsToKeep)
}

// compression of manifests as the table's properties ask for it (those of Iceberg's
// Java library, TableProperties); gzip where they do not or where the codec is not
// known, and the level of [manifest.Compression] where they give none that is one.
func compression(m *table.Metadata) manifest.Compression {
	var c manifest.Compression
	switch codec := strings.ToLower(strings.TrimSpace(m.Properties[propertyCodec])); codec {
	case "zstd", "snappy", "uncompressed":
		c.Codec = codec
	}
	level, err := strconv.Atoi(strings.TrimSpace(m.Properties[propertyLevel]))
	if most := map[string]int{"": 9, "zstd": 22}[c.Codec]; err == nil && level > 0 && level <= most {
		c.Level = level
	}
	return c
}
