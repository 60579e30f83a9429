package polaristest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const backlogRows = 10_000

// backlog multiplies the row that a real drop wrote while NATS was away.
func backlog(t *testing.T, r *ring) {
	_, c := r.serve(t, nil)
	r.create(t, c, 1)
	loaded, err := c.Load(t.Context(), catalogName, "n", "t0")
	require.NoError(t, err)
	r.nats.Stop()
	drop(t, c, 0, 1)
	require.Equal(t, 1, r.taskRows(t))
	uuid := loaded.Metadata.UUID
	r.exec(t, `INSERT INTO polaris_schema.entities
		SELECT (jsonb_populate_record(e, replace(to_jsonb(e)::text, $1, $2 || lpad(g::text, 12, '0'))::jsonb
			|| jsonb_build_object('id', e.id / 2 + g, 'name', e.name || '_' || g))).*
		FROM polaris_schema.entities e, generate_series(2, $3::int) g WHERE e.type_code = 8`, uuid, uuid[:24], backlogRows)
	require.Equal(t, backlogRows, r.taskRows(t))

	restarted := time.Now()
	r.nats.Restart(t)
	r.js = r.nats.JetStream(t)
	var begun time.Time
	eventually(t, func() bool {
		left := r.taskRows(t)
		if begun.IsZero() && left < backlogRows {
			begun = time.Now()
		}
		return left == 0
	}, "the backlog does not drain")
	t.Logf("%d rows drained in %s, %.0f rows a second; %s after NATS was there again",
		backlogRows, time.Since(begun).Round(time.Millisecond), backlogRows/time.Since(begun).Seconds(), time.Since(restarted).Round(time.Millisecond))
	waiting, taken := r.published(t)
	require.EqualValues(t, backlogRows, waiting)
	require.EqualValues(t, backlogRows, taken)
}
