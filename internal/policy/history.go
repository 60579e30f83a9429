package policy

import "time"

// History is what is known of the jobs of one kind on one table, from RESULTS, DEAD
// and JOBS. Zero is: never ran, as far as is known.
type History struct {
	// LastSuccess is when the newest job that succeeded ended, PreviousSuccess the
	// one before it.
	LastSuccess, PreviousSuccess time.Time
	// LastFailure is when the newest job that failed ended, Failures how many failed
	// since the last success.
	LastFailure time.Time
	Failures    int
	// ZeroChanges is how many of the newest successes in a row changed nothing; dry
	// runs are among them.
	ZeroChanges int
	// FreedBytes by the last success, those that it moved into the trash included.
	FreedBytes int64
	// Left: the last success left files to the next, since it had dealt with as many
	// as one may.
	Left bool
	// Trashed is when the newest successes that moved files into the trash ended,
	// oldest first.
	Trashed []time.Time
	// DataFiles, DeleteFiles and SequenceNumber that the table had after the last
	// success; 0 is not known.
	DataFiles, DeleteFiles, SequenceNumber int64
	// Queued: a job waits, runs or is delayed.
	Queued bool
	// DeadLetter: one stands in DEAD.
	DeadLetter bool
}

// of the table as it is now: a table that was dropped and made again under its name
// counts its commits anew, and what is known is of the old one.
func (h History) of(f Facts) History {
	if f.LastSequenceNumber < h.SequenceNumber {
		h.LastSuccess, h.DataFiles, h.DeleteFiles, h.SequenceNumber = time.Time{}, 0, 0, 0
	}
	return h
}
