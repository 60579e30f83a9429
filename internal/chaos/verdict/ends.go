package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"deckhand/internal/chaos/history"
	"deckhand/jobs"
)

// delivery is one message in JOBS: a job that was published twice is two.
type delivery struct {
	job      string
	sequence uint64
}

// Ends checks that each job that the queue took has exactly one record of its end, and
// that this is the one wanted.
func Ends(events []history.Event) []string {
	ends := map[delivery][]string{}
	fell := map[delivery]bool{}
	storms := stormsOf(events)
	byJob := map[string]int{}
	for _, e := range events {
		if e.What == history.Ended {
			d := delivery{e.Job, e.Sequence}
			ends[d] = append(ends[d], e.Text)
			byJob[e.Job]++
			fell[d] = worn(e, storms[e.Job])
		}
	}
	var found []string
	for _, d := range slices.SortedFunc(maps.Keys(ends), func(a, b delivery) int { return int(a.sequence) - int(b.sequence) }) {
		if outcomes := ends[d]; len(outcomes) > 1 {
			found = append(found, fmt.Sprintf("job %s (message %d of %s) has %d final results: %v", d.job, d.sequence, jobs.StreamName, len(outcomes), outcomes))
		} else if outcomes[0] != string(jobs.Completed) && !fell[d] {
			found = append(found, fmt.Sprintf("job %s (message %d of %s) ended %s", d.job, d.sequence, jobs.StreamName, outcomes[0]))
		}
	}
	for _, e := range events {
		if e.What != history.Published {
			continue
		}
		switch {
		case e.Sequence != 0 && len(ends[delivery{e.Job, e.Sequence}]) == 0:
			found = append(found, fmt.Sprintf("job %s (%s, message %d of %s) was accepted and has no final result", e.Job, e.Tail, e.Sequence, jobs.StreamName))
		case e.Sequence == 0 && e.Text == "only" && byJob[e.Job] == 0:
			found = append(found, fmt.Sprintf("job %s (%s) was accepted, without an answer, and has no final result", e.Job, e.Tail))
		}
	}
	return found
}

// Exits are workers that ended by themselves.
func Exits(events []history.Event) []string {
	var found []string
	for _, e := range events {
		if e.What == history.Exited && e.Text != "" {
			found = append(found, fmt.Sprintf("worker %s ended %s", e.Worker, e.Text))
		}
	}
	return found
}

// Panics are runs in which a handler panicked. The queue tries such a job again, so
// that nothing else is seen of it.
func Panics(events []history.Event) []string {
	var found []string
	for _, e := range events {
		if e.What == history.Settled && strings.Contains(e.Text, "panicked") {
			found = append(found, fmt.Sprintf("job %s (%s) by %s: %s", e.Job, e.Tail, e.Worker, e.Text))
		}
	}
	return found
}
