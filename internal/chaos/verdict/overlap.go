package verdict

import (
	"fmt"
	"time"

	"deckhand/internal/chaos/history"
)

// zombie is how long a process that was stopped may still send what it was about to
// send: nothing can tell it in time that it is not to.
const zombie = 500 * time.Millisecond

// deed is something that a run did under a lock key, by the store's own record or its
// log.
type deed struct {
	run  *run
	at   time.Time
	what string
}

// run is one run of a job, as far as it is known from the record.
type run struct {
	worker, job, tail string
	attempt           int
	last              deed
	did               bool
}

// Overlaps finds runs under one lock key that worked at the same time: one did
// something between two deeds of the other. A deed is the beginning of a run, as the
// worker's log tells it, and each request to the store about the lock's table.
func Overlaps(events []history.Event) []string {
	runs := map[[2]string]*run{} // by worker and lock: the one that runs now
	last := map[string]deed{}    // by lock
	woken := map[string]time.Time{}
	seen := map[[2]*run]bool{}
	var found []string
	for _, e := range events {
		id := [2]string{e.Worker, e.Lock}
		switch e.What {
		case history.Woken:
			woken[e.Worker] = e.At
			continue
		case history.Begins:
			runs[id] = &run{worker: e.Worker, job: e.Job, tail: e.Tail, attempt: e.Attempt}
		case history.Asked:
			if at, was := woken[e.Worker]; was && e.At.Sub(at) < zombie {
				continue
			}
		default:
			continue
		}
		r := runs[id]
		if r == nil || e.Lock == "" {
			continue
		}
		what := "began"
		if e.What == history.Asked {
			what = fmt.Sprintf("asked the store for %s %s", e.Op, e.Key)
		}
		now := deed{run: r, at: e.At, what: what}
		other := last[e.Lock]
		if r.did && other.run != r && other.run != nil && !seen[[2]*run{r, other.run}] {
			seen[[2]*run{r, other.run}], seen[[2]*run{other.run, r}] = true, true
			found = append(found, fmt.Sprintf("two runs under %s overlap: job %s (%s) by %s, attempt %d, %s at %s, and then %s at %s; in between job %s (%s) by %s, attempt %d, %s at %s",
				e.Lock, r.job, r.tail, r.worker, r.attempt, r.last.what, clock(r.last.at), what, clock(e.At),
				other.run.job, other.run.tail, other.run.worker, other.run.attempt, other.what, clock(other.at)))
		}
		r.last, r.did = now, true
		last[e.Lock] = now
	}
	return found
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
