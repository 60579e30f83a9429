package standin

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/apache/iceberg-go/table"
)

// document is a table's metadata in the order in which Iceberg's Java library
// writes it (TableMetadataParser). What a commit of a maintenance client does not
// look into stays as it was read, byte for byte.
type document struct {
	FormatVersion       int               `json:"format-version"`
	UUID                string            `json:"table-uuid"`
	Location            string            `json:"location"`
	LastSequence        *int64            `json:"last-sequence-number,omitempty"` // not in v1
	LastUpdated         int64             `json:"last-updated-ms"`
	LastColumnID        int               `json:"last-column-id"`
	Schema              json.RawMessage   `json:"schema,omitempty"` // v1 only
	CurrentSchemaID     int               `json:"current-schema-id"`
	Schemas             []json.RawMessage `json:"schemas"`
	PartitionSpec       json.RawMessage   `json:"partition-spec,omitempty"` // v1 only
	DefaultSpecID       int               `json:"default-spec-id"`
	PartitionSpecs      []json.RawMessage `json:"partition-specs"`
	LastPartitionID     int               `json:"last-partition-id"`
	DefaultSortOrderID  int               `json:"default-sort-order-id"`
	SortOrders          []json.RawMessage `json:"sort-orders"`
	Properties          map[string]string `json:"properties"`
	CurrentSnapshotID   *int64            `json:"current-snapshot-id"` // none: -1, in v3 null
	NextRowID           *int64            `json:"next-row-id,omitempty"`
	EncryptionKeys      []json.RawMessage `json:"encryption-keys,omitempty"`
	Refs                map[string]ref    `json:"refs"`
	Snapshots           []snapshot        `json:"snapshots"`
	Statistics          []statistics      `json:"statistics"`
	PartitionStatistics []statistics      `json:"partition-statistics"`
	SnapshotLog         []snapshotEntry   `json:"snapshot-log"`
	MetadataLog         []metadataEntry   `json:"metadata-log"`
}

type ref struct {
	SnapshotID     int64  `json:"snapshot-id"`
	Type           string `json:"type"`
	MinSnapshots   *int   `json:"min-snapshots-to-keep,omitempty"`
	MaxSnapshotAge *int64 `json:"max-snapshot-age-ms,omitempty"`
	MaxRefAge      *int64 `json:"max-ref-age-ms,omitempty"`
}

func (r ref) equals(o ref) bool {
	return r.SnapshotID == o.SnapshotID && r.Type == o.Type && same(r.MinSnapshots, o.MinSnapshots) &&
		same(r.MaxSnapshotAge, o.MaxSnapshotAge) && same(r.MaxRefAge, o.MaxRefAge)
}

func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

type snapshotEntry struct {
	Timestamp  int64 `json:"timestamp-ms"`
	SnapshotID int64 `json:"snapshot-id"`
}

type metadataEntry struct {
	Timestamp int64  `json:"timestamp-ms"`
	File      string `json:"metadata-file"`
}

// snapshot keeps its JSON and knows what commits look at.
type snapshot struct {
	fields snapshotFields
	raw    json.RawMessage
}

type snapshotFields struct {
	ID           int64  `json:"snapshot-id"`
	Parent       *int64 `json:"parent-snapshot-id"`
	Sequence     int64  `json:"sequence-number"`
	Timestamp    int64  `json:"timestamp-ms"`
	ManifestList string `json:"manifest-list"`
	FirstRowID   *int64 `json:"first-row-id"`
	AddedRows    *int64 `json:"added-rows"`
}

// UnmarshalJSON keeps what it reads.
func (s *snapshot) UnmarshalJSON(data []byte) error {
	s.raw = slices.Clone(data)
	return json.Unmarshal(data, &s.fields)
}

// MarshalJSON gives what was read.
func (s snapshot) MarshalJSON() ([]byte, error) { return s.raw, nil }

// statistics are of a snapshot or of its partitions.
type statistics struct {
	snapshotID int64
	raw        json.RawMessage
}

// UnmarshalJSON keeps what it reads.
func (s *statistics) UnmarshalJSON(data []byte) error {
	s.raw = slices.Clone(data)
	var fields struct {
		ID int64 `json:"snapshot-id"`
	}
	err := json.Unmarshal(data, &fields)
	s.snapshotID = fields.ID
	return err
}

// MarshalJSON gives what was read.
func (s statistics) MarshalJSON() ([]byte, error) { return s.raw, nil }

const mainBranch = "main"

// readDocument reads metadata of any version and age. Old v1 files that lack
// lists of schemas or specs go through iceberg-go, which makes them up.
func readDocument(data []byte) (*document, error) {
	d, err := decodeDocument(data)
	if err != nil {
		return nil, err
	}
	if len(d.Schemas) == 0 || len(d.PartitionSpecs) == 0 || len(d.SortOrders) == 0 {
		metadata, err := table.ParseMetadataBytes(data)
		if err != nil {
			return nil, err
		}
		if data, err = encodeLibrary(metadata); err != nil {
			return nil, err
		}
		if d, err = decodeDocument(data); err != nil {
			return nil, err
		}
	}
	d.complete()
	return d, nil
}

// encodeLibrary leaves out an empty list that Java does not write.
func encodeLibrary(metadata table.Metadata) ([]byte, error) {
	data, err := json.Marshal(metadata)
	if err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(data, []byte(`,"identifier-field-ids":[]`), nil), nil
}

func decodeDocument(data []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, err
	}
	if d.FormatVersion == 0 || d.Location == "" {
		return nil, unreadable("metadata without a version or location")
	}
	return d, nil
}

// complete adds what Java's writer always writes.
func (d *document) complete() {
	if d.Properties == nil {
		d.Properties = map[string]string{}
	}
	if d.Refs == nil {
		d.Refs = map[string]ref{}
		if current := d.current(); current != none {
			d.Refs[mainBranch] = ref{SnapshotID: current, Type: "branch"}
		}
	}
	d.setCurrent(d.current())
	d.Snapshots = notNil(d.Snapshots)
	d.Statistics = notNil(d.Statistics)
	d.PartitionStatistics = notNil(d.PartitionStatistics)
	d.SnapshotLog = notNil(d.SnapshotLog)
	d.MetadataLog = notNil(d.MetadataLog)
	switch {
	case d.FormatVersion == 1:
		d.LastSequence = nil
		d.completeV1()
	case d.LastSequence == nil:
		d.LastSequence = new(int64)
	}
	if d.FormatVersion >= 3 && d.NextRowID == nil {
		d.NextRowID = new(int64)
	}
}

// completeV1 writes the current schema and spec where v1 readers look for them.
func (d *document) completeV1() {
	for _, schema := range d.Schemas {
		var fields struct {
			ID int `json:"schema-id"`
		}
		if json.Unmarshal(schema, &fields) == nil && fields.ID == d.CurrentSchemaID {
			d.Schema = schema
		}
	}
	for _, spec := range d.PartitionSpecs {
		var fields struct {
			ID     int             `json:"spec-id"`
			Fields json.RawMessage `json:"fields"`
		}
		if json.Unmarshal(spec, &fields) == nil && fields.ID == d.DefaultSpecID {
			d.PartitionSpec = fields.Fields
		}
	}
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// none is the id of no snapshot.
const none int64 = -1

func (d *document) current() int64 {
	if d.CurrentSnapshotID == nil {
		return none
	}
	return *d.CurrentSnapshotID
}

func (d *document) setCurrent(id int64) {
	if id == none && d.FormatVersion >= 3 {
		d.CurrentSnapshotID = nil
		return
	}
	d.CurrentSnapshotID = &id
}

func (d *document) lastSequence() int64 {
	if d.LastSequence == nil {
		return 0
	}
	return *d.LastSequence
}

func (d *document) find(id int64) *snapshot {
	for i := range d.Snapshots {
		if d.Snapshots[i].fields.ID == id {
			return &d.Snapshots[i]
		}
	}
	return nil
}

// onlyReferenced is what snapshots=refs leaves. 1.7.0 fails where a snapshot that
// it leaves out has statistics.
func (d *document) onlyReferenced() (*document, error) {
	referenced := map[int64]bool{}
	for _, r := range d.Refs {
		referenced[r.SnapshotID] = true
	}
	for _, s := range slices.Concat(d.Statistics, d.PartitionStatistics) {
		if !referenced[s.snapshotID] {
			return nil, badRequest("Cannot set metadata location with changes to table metadata: 1 changes")
		}
	}
	filtered := *d
	filtered.Snapshots = []snapshot{}
	for _, s := range d.Snapshots {
		if referenced[s.fields.ID] {
			filtered.Snapshots = append(filtered.Snapshots, s)
		}
	}
	return &filtered, nil
}
