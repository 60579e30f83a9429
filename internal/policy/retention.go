package policy

import (
	"time"

	"deckhand/internal/table"
)

// moment before which everything is old, seen from now; never later than latest.
func (a Age) moment(now, latest time.Time) time.Time {
	before := a.Before
	if before.IsZero() {
		before = now.Add(-a.Ago)
	}
	if before.After(latest) {
		return latest
	}
	return before
}

// Cutoff is the moment before which a file must have been written to be an orphan.
// However the settings came to be, it is never less than a day before now: a writer
// that is still at work has files which no metadata names yet.
func (o Orphans) Cutoff(now time.Time) time.Time {
	age := Age{Ago: defaultOrphanAge}
	if o.OlderThan != nil {
		age = *o.OlderThan
	}
	return age.moment(now, now.Add(-leastOrphanAge))
}

// Retention at a time, for [table.Metadata.Expired]. What the settings leave open
// stays open there, so that the table's properties and then the defaults apply.
func (e Expire) Retention(now time.Time) table.Retention {
	r := table.Retention{MinSnapshotsToKeep: e.MinSnapshotsToKeep, MaxRefAge: e.MaxRefAge, SnapshotIDs: e.SnapshotIDs}
	if e.MaxSnapshotAge != nil {
		r.OlderThan = e.MaxSnapshotAge.moment(now, now)
	}
	return r
}
