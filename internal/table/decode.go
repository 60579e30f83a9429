package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// noSnapshot stands in files for the absence of a snapshot id.
const noSnapshot = -1

func decodeMetadata(dec *json.Decoder) (*Metadata, error) {
	m := &Metadata{CurrentSchemaID: -1, DefaultSpecID: -1}
	encrypted, isTable := false, false
	err := decodeObject(dec, func(key string) error {
		switch key {
		case "format-version":
			return dec.Decode(&m.FormatVersion)
		case "table-uuid":
			return dec.Decode(&m.UUID)
		case "location":
			return dec.Decode(&m.Location)
		case "properties":
			return dec.Decode(&m.Properties)
		case "last-updated-ms":
			return decodeTime(dec, &m.LastUpdated)
		case "last-sequence-number":
			return dec.Decode(&m.LastSequenceNumber)
		case "current-snapshot-id":
			return decodeSnapshotID(dec, &m.CurrentSnapshotID)
		case "refs":
			return decodeRefs(dec, &m.Refs)
		case "current-schema-id":
			return decodeID(dec, &m.CurrentSchemaID)
		case "default-spec-id":
			return decodeID(dec, &m.DefaultSpecID)
		case "schemas":
			return decodeIDs(dec, "schema-id", &m.SchemaIDs)
		case "partition-specs":
			return decodeSpecs(dec, m)
		case "partition-spec": // of format 1, also beside the list
			return decodePartitionFields(dec, m)
		case "snapshots":
			return decodeArray(dec, func() error {
				snapshot, err := decodeSnapshot(dec)
				encrypted = encrypted || snapshot.encrypted
				m.Snapshots = append(m.Snapshots, snapshot.Snapshot)
				return err
			})
		case "metadata-log":
			return decodeArray(dec, func() error {
				var entry struct {
					File string `json:"metadata-file"`
					Time int64  `json:"timestamp-ms"`
				}
				err := dec.Decode(&entry)
				if entry.File != "" && len(m.MetadataLog) == 0 {
					m.LogBegan = timeOf(entry.Time)
				}
				if entry.File != "" {
					m.MetadataLog = append(m.MetadataLog, entry.File)
				}
				return err
			})
		case "statistics":
			return decodeStatistics(dec, &m.Statistics)
		case "partition-statistics":
			return decodeStatistics(dec, &m.PartitionStatistics)
		case "encryption-keys":
			return decodeArray(dec, func() error {
				encrypted = true
				return skipValue(dec)
			})
		case "last-column-id": // every table has one, no view has
			isTable = true
			return skipValue(dec)
		default:
			return skipValue(dec)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case !isTable:
		return nil, errors.New("last-column-id is missing: this is not a table's metadata")
	case m.FormatVersion > MaxFormatVersion:
		return nil, fmt.Errorf("%w: it is v%d, known is up to v%d", ErrNewerFormat, m.FormatVersion, MaxFormatVersion)
	case m.FormatVersion < 1:
		return nil, errors.New("format-version is missing: this is not a table's metadata")
	case m.Location == "":
		return nil, errors.New("location is missing: this is not a table's metadata")
	case encrypted, m.Properties["encryption.key-id"] != "":
		return nil, ErrEncrypted
	}
	if _, found := m.Refs[MainBranch]; !found && m.CurrentSnapshotID != 0 {
		if m.Refs == nil {
			m.Refs = map[string]Ref{}
		}
		m.Refs[MainBranch] = Ref{SnapshotID: m.CurrentSnapshotID, Type: Branch}
	}
	return m, nil
}

type decodedSnapshot struct {
	Snapshot
	encrypted bool
}

func decodeSnapshot(dec *json.Decoder) (decodedSnapshot, error) {
	var raw struct {
		ID             int64             `json:"snapshot-id"`
		ParentID       *int64            `json:"parent-snapshot-id"`
		SequenceNumber int64             `json:"sequence-number"`
		Timestamp      int64             `json:"timestamp-ms"`
		Summary        map[string]string `json:"summary"`
		SchemaID       *int              `json:"schema-id"`
		ManifestList   string            `json:"manifest-list"`
		Manifests      []string          `json:"manifests"`
		KeyID          string            `json:"key-id"`
	}
	err := dec.Decode(&raw)
	if err == nil && raw.ManifestList == "" && raw.Manifests == nil {
		err = errors.New("a snapshot names neither a manifest list nor manifests")
	}
	snapshot := Snapshot{
		ID: raw.ID, SequenceNumber: raw.SequenceNumber, Timestamp: timeOf(raw.Timestamp), Summary: raw.Summary,
		SchemaID: -1, ManifestList: raw.ManifestList, Manifests: raw.Manifests,
	}
	if raw.ParentID != nil && *raw.ParentID != noSnapshot {
		snapshot.ParentID = *raw.ParentID
	}
	if raw.SchemaID != nil {
		snapshot.SchemaID = *raw.SchemaID
	}
	if operation, found := raw.Summary["operation"]; found {
		snapshot.Operation = operation
		delete(raw.Summary, "operation")
	}
	return decodedSnapshot{Snapshot: snapshot, encrypted: raw.KeyID != ""}, err
}

func decodeStatistics(dec *json.Decoder, into *[]StatisticsFile) error {
	return decodeArray(dec, func() error {
		var raw struct {
			SnapshotID int64  `json:"snapshot-id"`
			Path       string `json:"statistics-path"`
			Size       int64  `json:"file-size-in-bytes"`
		}
		err := dec.Decode(&raw)
		*into = append(*into, StatisticsFile{SnapshotID: raw.SnapshotID, Path: raw.Path, Size: raw.Size})
		return err
	})
}

// decodeTime reads milliseconds since 1970, where 0 and null are no time.
func decodeTime(dec *json.Decoder, into *time.Time) error {
	var ms int64
	err := dec.Decode(&ms)
	*into = timeOf(ms)
	return err
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func decodeSnapshotID(dec *json.Decoder, into *int64) error {
	err := dec.Decode(into)
	if *into == noSnapshot {
		*into = 0
	}
	return err
}

// decodeID leaves what it is for null.
func decodeID(dec *json.Decoder, into *int) error { return dec.Decode(into) }

// decodeSpecs reads the ids of partition specs and the names of their fields.
func decodeSpecs(dec *json.Decoder, m *Metadata) error {
	return decodeArray(dec, func() error {
		id := -1
		err := decodeObject(dec, func(key string) error {
			switch key {
			case "spec-id":
				return decodeID(dec, &id)
			case "fields":
				return decodePartitionFields(dec, m)
			}
			return skipValue(dec)
		})
		if err == nil && id >= 0 {
			m.SpecIDs = append(m.SpecIDs, id)
		}
		return err
	})
}

func decodePartitionFields(dec *json.Decoder, m *Metadata) error {
	return decodeArray(dec, func() error {
		var field struct {
			Name string `json:"name"`
		}
		err := dec.Decode(&field)
		if field.Name != "" && !slices.Contains(m.PartitionFields, field.Name) {
			m.PartitionFields = append(m.PartitionFields, field.Name)
		}
		return err
	})
}

// decodeIDs reads the ids of a list of objects whose other fields do not matter.
func decodeIDs(dec *json.Decoder, key string, into *[]int) error {
	return decodeArray(dec, func() error {
		id := -1
		err := decodeObject(dec, func(found string) error {
			if found == key {
				return decodeID(dec, &id)
			}
			return skipValue(dec)
		})
		if err == nil && id >= 0 {
			*into = append(*into, id)
		}
		return err
	})
}
