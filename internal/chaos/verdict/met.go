package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"deckhand/internal/chaos/history"
)

// Met counts the storms and faults that came to pass, by name.
func Met(events []history.Event) map[string]int {
	counts := map[string]int{}
	for _, e := range events {
		if e.What == history.Met {
			counts[e.Storm]++
		}
	}
	return counts
}

// Said counts how deliveries were settled, and what was swept, in the workers' words.
func Said(events []history.Event) map[string]int {
	counts := map[string]int{}
	for _, e := range events {
		switch e.What {
		case history.Settled:
			message, _, _ := strings.Cut(e.Text, ": ")
			counts[message]++
		case history.Swept:
			counts["swept: "+e.Text]++
		}
	}
	return counts
}

// Done adds up, by the kind of job, how much the jobs for living tables did.
func Done(events []history.Event) map[string]int {
	done := map[string]int{}
	for _, e := range events {
		if e.What == history.Ended && e.Did > 0 {
			kind, _, _ := strings.Cut(e.Tail, ".")
			done[kind] += e.Did
		}
	}
	return done
}

// Missing complains of what a run was to meet or to do and has not: a run in calm
// weather shows nothing.
func Missing(counts map[string]int, wanted []string) []string {
	var found []string
	for _, name := range wanted {
		if counts[name] == 0 {
			found = append(found, fmt.Sprintf("the run shows too little: not once was there %q", name))
		}
	}
	return found
}

// List is the counts for people, the highest first.
func List(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}
