package policy

import (
	"time"

	"deckhand/internal/table"
)

// Moment before which everything is old, seen from now; never later than now.
func (a Age) Moment(now time.Time) time.Time {
	if a.Before.IsZero() {
		return now.Add(-a.Ago)
	}
	if a.Before.After(now) {
		return now
	}
	return a.Before
}

// Retention at a time, for [table.Metadata.Expired]. What the settings leave open
// stays open there, so that the table's properties and then the defaults apply.
func (e Expire) Retention(now time.Time) table.Retention {
	r := table.Retention{MinSnapshotsToKeep: e.MinSnapshotsToKeep, MaxRefAge: e.MaxRefAge, SnapshotIDs: e.SnapshotIDs}
	if e.MaxSnapshotAge != nil {
		r.OlderThan = e.MaxSnapshotAge.Moment(now)
	}
	return r
}
