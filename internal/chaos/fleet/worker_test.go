package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/chaos/history"
)

func TestALogTellsWhenJobsBeginAndAreSettled(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 2, 34, 51, 0, time.UTC)
	begins, ok := said([]byte(`{"time":"2026-11-26T02:34:51Z","level":"DEBUG","msg":"job begins","worker":"w2-2","kind":"purge-shard","job":"J","tail":"purge-shard.P.lake.n.t.u.0004","attempt":2}`))
	require.True(t, ok)
	require.Equal(t, history.Event{
		At: at, What: history.Begins, Job: "J", Tail: "purge-shard.P.lake.n.t.u.0004", Attempt: 2, Lock: "table.P.lake.n.t.u.0004", Text: "job begins",
	}, begins)
	settled, ok := said([]byte(`{"time":"2026-11-26T02:34:51Z","level":"WARN","msg":"job failed, it is tried again","tail":"purge.P.lake.n.t.u","seq":41,"job":"J","attempt":2,"ran":"1.25s","error":"store is away"}`))
	require.True(t, ok)
	require.Equal(t, history.Event{
		At: at, What: history.Settled, Job: "J", Tail: "purge.P.lake.n.t.u", Sequence: 41, Attempt: 2, Lock: "table.P.lake.n.t.u",
		Ran: 1250 * time.Millisecond, Text: "job failed, it is tried again: store is away",
	}, settled)
	swept, ok := said([]byte(`{"time":"2026-11-26T02:34:51Z","msg":"sweep put something right","what":"orphan","action":"removed","name":"purge.P.lake.n.t.u","seq":3}`))
	require.True(t, ok)
	require.Equal(t, history.Event{At: at, What: history.Swept, Tail: "purge.P.lake.n.t.u", Sequence: 3, Text: "orphan"}, swept)
	for _, line := range []string{`{"msg":"worker runs"}`, `panic: no JSON`, `{"msg":"progress could not be written","tail":"purge.P.lake.n.t.u"}`} {
		_, ok = said([]byte(line))
		require.False(t, ok, line)
	}
}
