package policy

import (
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
