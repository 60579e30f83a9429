package policy

import (
	"strconv"
	"time"

	"deckhand/internal/table"
)

// Facts are what deciding needs of a load, small enough to be kept of ten
// thousand tables between two scans.
type Facts struct {
	UUID, MetadataLocation string
	FormatVersion          int
	// Locations where the table keeps its files.
	Locations []string
	// GCEnabled: the table owns its files.
	GCEnabled bool
	// Properties that settings depend on, and no others; nil when there are none.
	Properties         map[string]string
	LastUpdated        time.Time
	LastSequenceNumber int64
	// History is what retention depends on.
	History table.History
	// Totals of the current snapshot.
	Totals Totals
}

// Totals are counts and sizes in bytes that a snapshot's summary tells; -1 is one
// that it does not.
type Totals struct {
	DataFiles, DeleteFiles, Bytes, Records, PositionDeletes, EqualityDeletes int64
}

// FactsOf a table whose metadata lies at the location.
func FactsOf(m *table.Metadata, metadataLocation string) Facts {
	f := Facts{
		UUID: m.UUID, MetadataLocation: metadataLocation, FormatVersion: m.FormatVersion, Locations: m.Locations(),
		GCEnabled: m.GCEnabled(), LastUpdated: m.LastUpdated, LastSequenceNumber: m.LastSequenceNumber, History: m.History(),
		Totals: totalsOf(nil),
	}
	for i := range Keys {
		name := Keys[i].Property
		if value, found := m.Properties[name]; found {
			if f.Properties == nil {
				f.Properties = map[string]string{}
			}
			f.Properties[name] = value
		}
	}
	for _, s := range m.Snapshots {
		if s.ID == m.CurrentSnapshotID {
			f.Totals = totalsOf(s.Summary)
		}
	}
	return f
}

// begun is the oldest time that is known of the table, at the latest now.
func (f Facts) begun(now time.Time) time.Time {
	first := now
	if !f.LastUpdated.IsZero() && f.LastUpdated.Before(first) {
		first = f.LastUpdated
	}
	for _, s := range f.History.Snapshots {
		if at := time.UnixMilli(s.Timestamp); s.Timestamp > 0 && at.Before(first) {
			first = at
		}
	}
	return first
}

// totalsOf a snapshot's summary; names from the Iceberg table spec, appendix F.
func totalsOf(summary map[string]string) Totals {
	read := func(name string) int64 {
		n, err := strconv.ParseInt(summary[name], 10, 64)
		if err != nil || n < 0 {
			return -1
		}
		return n
	}
	return Totals{
		DataFiles: read("total-data-files"), DeleteFiles: read("total-delete-files"), Bytes: read("total-files-size"), Records: read("total-records"),
		PositionDeletes: read("total-position-deletes"), EqualityDeletes: read("total-equality-deletes"),
	}
}
