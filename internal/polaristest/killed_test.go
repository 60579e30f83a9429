package polaristest

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/internal/pgtest"
)

func killedBeforePublish(t *testing.T, r *ring) {
	proxy := natstest.NewProxy(t, r.nats.Addr())
	server, c := r.serve(t, func(o *Options) { o.NATS = proxy.URL() })
	r.create(t, c, 3)
	proxy.Stall()
	drop(t, c, 0, 3)
	server.Kill()
	proxy.Cut()
	proxy.Resume()
	waiting, _ := r.published(t)
	require.Zero(t, waiting, "it was not killed before it published")
	r.serve(t, nil)
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == 3 }, "the second server does not publish what the first one left")
	eventually(t, func() bool { return r.taskRows(t) == 0 }, "the rows stay")
}

// killedBeforeDelete holds the deletes of task rows by a lock, so that a server is
// killed when the stream has the jobs and the rows are there still.
func killedBeforeDelete(t *testing.T, r *ring) {
	server, c := r.serve(t, nil)
	r.create(t, c, 3)
	release := r.holdDeletes(t, `PERFORM pg_advisory_xact_lock(1)`)
	drop(t, c, 0, 3)
	eventually(t, func() bool { return r.heldDeletes(t) == 3 }, "the deletes of three rows are not held")
	server.Kill()
	r.exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`)
	eventually(t, func() bool { return r.heldDeletes(t) == 0 }, "the killed server's sessions stay")
	release()
	waiting, taken := r.published(t)
	require.EqualValues(t, 3, waiting)
	require.EqualValues(t, 3, taken)
	require.Equal(t, 3, r.taskRows(t), "it was not killed before it deleted")

	second, _ := r.serve(t, nil)
	eventually(t, func() bool { return r.taskRows(t) == 0 }, "the rows stay")
	_, taken = r.published(t)
	require.EqualValues(t, 3, taken, "a job is published twice")
	require.EqualValues(t, 3, publishes(t, second, "already_queued"))
	require.Zero(t, publishes(t, second, "queued"))
}

func deletesFail(t *testing.T, r *ring) {
	server, c := r.serve(t, nil)
	r.create(t, c, 3)
	release := r.holdDeletes(t, `RAISE EXCEPTION 'the disk is full'`)
	drop(t, c, 0, 3)
	eventually(t, func() bool { return publishes(t, server, "already_queued") >= 3 }, "the rows are not tried again")
	require.Equal(t, 3, r.taskRows(t))
	release()
	eventually(t, func() bool { return r.taskRows(t) == 0 }, "the rows stay")
	_, taken := r.published(t)
	require.EqualValues(t, 3, taken, "a job is published twice")
	require.EqualValues(t, 3, publishes(t, server, "queued"))
	answer, err := c.CreateTable(t.Context(), catalogName, "n", "t0")
	require.NoError(t, err, "Polaris serves on")
	require.NotEmpty(t, answer.Metadata.UUID)
}

// holdDeletes makes the database do something before it deletes a task row, until
// release is called.
func (r *ring) holdDeletes(t *testing.T, first string) (release func()) {
	t.Helper()
	r.exec(t, `SELECT pg_advisory_lock(1)`)
	r.exec(t, `CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN `+first+`; RETURN OLD; END $$`)
	r.exec(t, `CREATE TRIGGER hold BEFORE DELETE ON polaris_schema.entities FOR EACH ROW WHEN (OLD.type_code = 8) EXECUTE FUNCTION public.hold()`)
	return func() {
		r.exec(t, `DROP TRIGGER hold ON polaris_schema.entities`)
		r.exec(t, `SELECT pg_advisory_unlock(1)`)
	}
}

func (r *ring) heldDeletes(t *testing.T) int {
	t.Helper()
	return r.number(t, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
}

func (r *ring) taskRows(t *testing.T) int {
	t.Helper()
	return r.number(t, `SELECT count(*) FROM polaris_schema.entities WHERE type_code = 8`)
}

func (r *ring) number(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, r.sql(t).QueryRow(t.Context(), query).Scan(&n))
	return n
}

func (r *ring) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := r.sql(t).Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

// sql is the test's own session on the servers' database.
func (r *ring) sql(t *testing.T) *pgx.Conn {
	t.Helper()
	if r.session == nil {
		r.session = pgtest.Connect(t, r.databaseURL)
	}
	return r.session
}

// publishes counts those of a server by the stream's answer.
func publishes(t *testing.T, s *Server, answer string) float64 {
	t.Helper()
	n, err := s.Metric(t.Context(), "deckhand_outbox_publishes_total", `answer="`+answer+`"`)
	require.NoError(t, err)
	return n
}
