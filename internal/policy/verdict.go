package policy

import "time"

// Hold is what an earlier job left behind.
type Hold string

// What holds a table that a policy wants maintained.
const (
	// HeldByJob: its job waits, runs or is delayed.
	HeldByJob Hold = "queued"
	// HeldByDeadLetter: its job died, and nobody has dealt with it.
	HeldByDeadLetter Hold = "dead"
)

// Verdict says whether a table needs a job now.
type Verdict struct {
	Due bool
	// Need orders tables of one kind: the more, the earlier. For what depends on
	// the clock it is the number of days since the table came to need a job; for
	// the rest how many times over its threshold it is.
	Need float64
	// Held says what an earlier job left that keeps the table from being due,
	// whatever its state; empty: nothing.
	Held Hold
	// Why, one sentence for people.
	Why string
	// Next is when the table will be due if nothing is committed meanwhile: now when
	// it is due, zero when that is not known or never.
	Next time.Time
}
