package table

import (
	"errors"
	"strings"
	"time"
)

// MaxFormatVersion is the newest Iceberg table format that is understood.
const MaxFormatVersion = 3

var (
	// ErrCorrupt: the file can be read, but is not what it should be.
	ErrCorrupt = errors.New("damaged metadata file")
	// ErrEncrypted: the table's metadata is encrypted and cannot be followed.
	ErrEncrypted = errors.New("the table is encrypted, and Deckhand has no key to read its manifests")
	// ErrNewerFormat: the table's format is newer than [MaxFormatVersion].
	ErrNewerFormat = errors.New("the table format is newer than this version of Deckhand knows")
)

// Metadata is what a table's root metadata file says about its files and its
// history. Field names follow the Iceberg table spec, appendix C.
type Metadata struct {
	FormatVersion int
	// UUID is empty in some v1 tables.
	UUID       string
	Location   string
	Properties map[string]string
	// LastUpdated is when the table was committed to last, by the writer's clock.
	LastUpdated time.Time
	// LastSequenceNumber is 0 in v1 tables.
	LastSequenceNumber int64
	// CurrentSnapshotID of the branch main; 0 when there is none.
	CurrentSnapshotID int64
	Snapshots         []Snapshot
	// Refs by name. Where the file has none but a current snapshot, that is the
	// branch main, as for Iceberg's Java library.
	Refs map[string]Ref
	// CurrentSchemaID and DefaultSpecID are -1 in v1 tables that do not tell.
	CurrentSchemaID, DefaultSpecID int
	// SchemaIDs and SpecIDs, in the order of the file.
	SchemaIDs, SpecIDs []int
	// PartitionFields are the names of the partition fields of all specs, each once.
	PartitionFields []string
	// MetadataLog names the earlier metadata files, oldest first.
	MetadataLog []string
	// LogBegan is the LastUpdated of the first of MetadataLog; zero where there is
	// none, or it is not told.
	LogBegan time.Time
	// Statistics and PartitionStatistics name the files of every snapshot.
	Statistics          []StatisticsFile
	PartitionStatistics []StatisticsFile
	// Size of the metadata file as stored, in bytes; 0 when the store does not
	// tell.
	Size int64
}

// Snapshot is what the metadata says about one snapshot.
type Snapshot struct {
	ID int64
	// ParentID is 0 when there is none.
	ParentID int64
	// SequenceNumber is 0 in v1 tables.
	SequenceNumber int64
	// Timestamp is when it was made, by the writer's clock, in whole
	// milliseconds; zero where the file does not say.
	Timestamp time.Time
	// Operation is append, replace, overwrite or delete; empty where it is not told.
	Operation string
	// Summary without the operation; nil when there is none.
	Summary map[string]string
	// SchemaID is -1 when it is not told.
	SchemaID int
	// ManifestList is empty in v1 tables that name their manifests inline.
	ManifestList string
	// Manifests are those inline names.
	Manifests []string
}

// StatisticsFile is a Puffin file of statistics, or a file of partition
// statistics.
type StatisticsFile struct {
	// SnapshotID that it describes.
	SnapshotID int64
	Path       string
	// Size in bytes, as the metadata says.
	Size int64
}

// Locations are where the table keeps its files: its location and the paths
// that its properties set for data and for metadata, without repeats.
func (m *Metadata) Locations() []string {
	var locations []string
	for _, l := range []string{m.Location, m.Properties["write.data.path"], m.Properties["write.metadata.path"]} {
		repeated := false
		for _, have := range locations {
			repeated = repeated || have == l
		}
		if l != "" && !repeated {
			locations = append(locations, l)
		}
	}
	return locations
}

// ManifestLists are the lists that the snapshots name, each once by whatever
// spelling, in the order of the snapshots.
func (m *Metadata) ManifestLists() []string {
	var lists []string
	for _, snapshot := range m.Snapshots {
		if snapshot.ManifestList != "" {
			lists = append(lists, snapshot.ManifestList)
		}
	}
	return Distinct(lists)
}

// GCEnabled reports whether the table owns its files. Like Iceberg's Java
// library it takes every value but "true" for false.
func (m *Metadata) GCEnabled() bool {
	value, set := m.Properties["gc.enabled"]
	return !set || strings.EqualFold(value, "true")
}
