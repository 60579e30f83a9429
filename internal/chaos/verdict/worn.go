package verdict

import (
	"slices"
	"strings"

	"deckhand/internal/chaos/history"
	"deckhand/jobs"
)

// worn says that a job for a living table died of the storms alone: as many runs as it
// has attempts were ended by one that spends them, before they had got anywhere. That
// is an end too, and the next look at the table asks for the job anew. No purge may end
// like that, and no job because NATS did not answer.
func worn(e history.Event, storms int) bool {
	name, _, _ := strings.Cut(e.Tail, ".")
	kind := jobs.Kind(name)
	return !kind.PurgesDropped() && strings.HasPrefix(e.Text, string(jobs.Dead)+": attempts spent") &&
		strings.Contains(e.Text, "without a word") && storms >= kind.MaxAttempts()
}

// try is one run of a job.
type try struct {
	worker string
	// settled: its worker said how it ended; lost, that the lease was.
	settled, lost bool
	// overtaken: another worker began before it was settled, as when the process was
	// stopped for a while.
	overtaken bool
	// spent: its attempt could not be given back, since another worker had begun.
	spent bool
}

// stormsOf counts, by job, the runs whose attempts storms have spent by right: their
// process was killed, or stopped for so long that another took over, or another had
// begun before NATS answered.
func stormsOf(events []history.Event) map[string]int {
	tries, counts := map[string][]*try{}, map[string]int{}
	last := func(e history.Event, is func(*try) bool) *try {
		for _, t := range slices.Backward(tries[e.Job]) {
			if t.worker == e.Worker && is(t) {
				return t
			}
		}
		return nil
	}
	for _, e := range events {
		switch e.What {
		case history.Begins:
			for _, t := range tries[e.Job] {
				t.overtaken = t.overtaken || !t.settled && t.worker != e.Worker
			}
			tries[e.Job] = append(tries[e.Job], &try{worker: e.Worker})
		case history.Settled:
			if t := last(e, func(t *try) bool { return !t.settled }); t != nil && e.Attempt > 0 {
				t.settled, t.lost = true, strings.HasPrefix(e.Text, "lease was lost")
			}
		case history.Spent:
			if t := last(e, func(t *try) bool { return !t.spent }); t != nil {
				t.spent = true
			} else {
				counts[e.Job]++ // the handler was not even begun
			}
		}
	}
	for job, all := range tries {
		for _, t := range all {
			if t.spent || !t.settled || t.lost && t.overtaken {
				counts[job]++
			}
		}
	}
	return counts
}
