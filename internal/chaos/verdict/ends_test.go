package verdict

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/chaos/history"
)

func published(job string, sequence uint64) history.Event {
	return history.Event{What: history.Published, Job: job, Tail: "purge.P.lake.n." + job, Sequence: sequence, Text: "queued"}
}

func ended(job string, sequence uint64, outcome string) history.Event {
	return history.Event{What: history.Ended, Job: job, Sequence: sequence, Text: outcome}
}

func TestEachAcceptedJobHasOneFinalResult(t *testing.T) {
	t.Parallel()
	unanswered := history.Event{What: history.Published, Job: "C", Tail: "purge.P.lake.n.C", Text: "only"}
	for name, c := range map[string]struct {
		events []history.Event
		found  string
	}{
		"all well": {events: []history.Event{published("A", 1), ended("A", 1, "completed"), unanswered, ended("C", 9, "completed")}},
		"none":     {[]history.Event{published("A", 1)}, "job A (purge.P.lake.n.A, message 1 of JOBS) was accepted and has no final result"},
		"none for this message": {
			[]history.Event{published("A", 1), ended("A", 2, "completed")}, "message 1 of JOBS) was accepted and has no final result",
		},
		"none without an answer": {[]history.Event{unanswered}, "job C (purge.P.lake.n.C) was accepted, without an answer"},
		"two": {
			[]history.Event{published("A", 1), ended("A", 1, "completed"), ended("A", 1, "completed")}, "has 2 final results: [completed completed]",
		},
		"dead":               {[]history.Event{published("A", 1), ended("A", 1, "dead: it had to")}, "ended dead: it had to"},
		"planned is no end":  {[]history.Event{published("A", 1), {What: history.Planned, Job: "A", Sequence: 1}}, "no final result"},
		"queued by somebody": {events: []history.Event{{What: history.Published, Job: "B", Text: "already queued"}}},
	} {
		found := Ends(c.events)
		if c.found == "" {
			require.Empty(t, found, name)
			continue
		}
		require.Len(t, found, 1, name)
		require.Contains(t, found[0], c.found, name)
	}
}

func TestOnlyJobsForLivingTablesMayBeWornOutAndOnlyByWhatSpendsAttempts(t *testing.T) {
	t.Parallel()
	const without = "dead: attempts spent (8): each run ended without a word, as when the process is killed"
	begins := func(worker string) history.Event {
		return history.Event{What: history.Begins, Worker: worker, Job: "A", Attempt: 1}
	}
	settled := func(worker, text string) history.Event {
		return history.Event{What: history.Settled, Worker: worker, Job: "A", Attempt: 1, Text: text}
	}
	const lost = "lease was lost, nothing is touched: lease is lost"
	killed := []history.Event{begins("w1")}
	unanswered := []history.Event{begins("w1"), settled("w1", lost)}
	overtaken := []history.Event{begins("w1"), begins("w2"), settled("w1", lost), settled("w2", "job is completed")}
	late := append(slices.Clone(unanswered), history.Event{What: history.Spent, Worker: "w1", Job: "A"})
	unbegun := []history.Event{{What: history.Spent, Worker: "w1", Job: "A"}}
	for name, c := range map[string]struct {
		kind, text string
		run        []history.Event
		times      int
		found      int
	}{
		"killed":                   {"expire", without, killed, 8, 0},
		"killed seven times":       {"expire", without, killed, 7, 1},
		"stopped":                  {"expire", without, overtaken, 8, 0},
		"nobody answered":          {"expire", without, unanswered, 20, 1},
		"another was faster":       {"expire", without, late, 8, 0},
		"another was, seven times": {"expire", without, late, 7, 1},
		"faster than the handler":  {"expire", without, unbegun, 8, 0},
		"it failed":                {"expire", "dead: attempts spent (8): table is damaged", killed, 8, 1},
		"it never will":            {"expire", "dead: permanent: it was without a word", killed, 8, 1},
		"a purge":                  {"purge-shard", without, killed, 25, 1},
	} {
		e := ended("A", 1, c.text)
		e.Tail = c.kind + ".P.lake.n.t"
		require.Len(t, Ends(append(slices.Repeat(c.run, c.times), published("A", 1), e)), c.found, name)
	}
}

func TestAWorkerThatEndsByItselfIsFound(t *testing.T) {
	t.Parallel()
	require.Len(t, Exits([]history.Event{
		{What: history.Exited, Worker: "w1-1"}, {What: history.Exited, Worker: "w2-1", Text: "by itself: exit status 1"},
	}), 1)
}

func TestAHandlerThatPanickedIsFound(t *testing.T) {
	t.Parallel()
	require.Len(t, Panics([]history.Event{
		{What: history.Settled, Text: "job failed, it is tried again: store is away"},
		{What: history.Settled, Text: "job failed, it is tried again: handler panicked: nil map"},
	}), 1)
}

func TestTooMuchExtraWorkIsFound(t *testing.T) {
	t.Parallel()
	var w Work
	require.Empty(t, w.Violations())
	w.Files(1000)
	w.Repeated(149)
	require.Empty(t, w.Violations())
	w.Repeated(1)
	require.Len(t, w.Violations(), 1)
}
