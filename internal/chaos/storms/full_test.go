package storms

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/chaos/history"
	"deckhand/internal/natstest"
	"deckhand/jobs"
)

func TestFullStreamsRefuseAndTakeAgainAfterwards(t *testing.T) {
	t.Parallel()
	record, err := history.Create(filepath.Join(t.TempDir(), "history.jsonl"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, record.Close()) })
	js := natstest.Start(t, natstest.Config{}).JetStream(t)
	for name, subject := range map[string]string{jobs.StreamName: "jobs.>", "KV_progress": "$KV.progress.>"} {
		_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
			Name: name, Subjects: []string{subject}, Discard: jetstream.DiscardNew, MaxBytes: 1 << 20,
		})
		require.NoError(t, err)
	}
	take := func() error {
		_, err := js.Publish(t.Context(), "jobs.purge.x", make([]byte, 1000))
		return err
	}
	require.NoError(t, take())
	f := &Front{JS: js, Record: record, Random: seeded(1), Lease: 3 * time.Second}
	restore, err := f.limit(t.Context(), jobs.StreamName)
	require.NoError(t, err)
	require.ErrorContains(t, take(), "maximum bytes exceeded")
	require.NoError(t, restore(t.Context()))
	require.NoError(t, take())

	f.Lease = time.Second // as short as it can be
	require.NoError(t, f.fillStreams(t.Context()))
	require.NoError(t, take())
	var met []string
	for _, e := range record.Events() {
		if e.What == history.Met {
			met = append(met, e.Storm)
		}
	}
	require.Equal(t, []string{string(FillStreams)}, met)
}
