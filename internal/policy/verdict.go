package policy

import "time"

// Verdict says whether a table needs a job now.
type Verdict struct {
	Due bool
	// Need orders tables of one kind: the more, the earlier. For what depends on
	// the clock it is the number of days since the table came to need a job; for
	// the rest how many times over its threshold it is.
	Need float64
	// Why, one sentence for people.
	Why string
	// Next is when the table will be due if nothing is committed meanwhile: now when
	// it is due, zero when that is not known or never.
	Next time.Time
}
