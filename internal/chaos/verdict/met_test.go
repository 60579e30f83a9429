package verdict

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/chaos/history"
)

func TestARunThatMetNothingShowsTooLittle(t *testing.T) {
	t.Parallel()
	events := []history.Event{
		{What: history.Met, Storm: "kill NATS"}, {What: history.Met, Storm: "503"}, {What: history.Met, Storm: "503"},
		{What: history.Storm, Storm: "hang"},
		{What: history.Ended, Tail: "expire.P.lake.n.t", Did: 2}, {What: history.Ended, Tail: "expire.P.lake.n.t", Did: 3},
		{What: history.Ended, Tail: "orphans.P.lake.n.t"},
		{What: history.Settled, Text: "job failed, it is tried again: store is away: for long"}, {What: history.Swept, Text: "orphan"},
	}
	require.Equal(t, "503 2, kill NATS 1", List(Met(events)))
	require.Empty(t, Missing(Met(events), []string{"503", "kill NATS"}))
	require.Len(t, Missing(Met(events), []string{"503", "hang"}), 1)
	require.Equal(t, map[string]int{"expire": 5}, Done(events))
	require.Equal(t, map[string]int{"job failed, it is tried again": 1, "swept: orphan": 1}, Said(events))
}
