package verdict

import (
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

func TestOnlyJobsForLivingTablesMayBeWornOut(t *testing.T) {
	t.Parallel()
	const without = "dead: attempts spent (8): each run ended without a word, as when the process is killed"
	dead := func(kind, text string) []string {
		e := ended("A", 1, text)
		e.Tail = kind + ".P.lake.n.t"
		return Ends([]history.Event{published("A", 1), e})
	}
	require.Empty(t, dead("expire", without))
	require.Len(t, dead("expire", "dead: attempts spent (8): table is damaged"), 1)
	require.Len(t, dead("expire", "dead: permanent: it was without a word"), 1)
	require.Len(t, dead("purge-shard", without), 1)
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
