package scan_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/queue"
	"deckhand/internal/standin"
	"deckhand/jobs"
)

const subject = "jobs.expire.POLARIS.lake.n.t"

func dueYard(t *testing.T) *yard {
	t.Helper()
	y := newYard(t, nil)
	y.table(in("n", "t"), 9*day, time.Hour)
	y.attach(policy("keep5", fiveDays), standin.Target{})
	require.Equal(t, 1, y.scan().Published())
	return y
}

func TestADeadLetterQuarantinesItsTable(t *testing.T) {
	t.Parallel()
	y := dueYard(t)
	tail := y.job(subject).Tail()
	_, err := y.js.Publish(t.Context(), jobs.DeadSubjectPrefix+tail, []byte("{}"))
	require.NoError(t, err)
	y.end(subject, jobs.Dead, "")
	y.pass(30 * day)
	require.Zero(t, y.scan().Published())
	dead, err := y.js.Stream(t.Context(), "DEAD")
	require.NoError(t, err)
	require.NoError(t, dead.Purge(t.Context(), jetstream.WithPurgeSubject(jobs.DeadSubjectPrefix+tail)))
	require.Equal(t, 1, y.scan().Published())
}

func TestATableCoolsDownAfterASuccess(t *testing.T) {
	t.Parallel()
	y := dueYard(t)
	y.end(subject, jobs.Completed, `{"removed":{"snapshots":1},"deleted":{}}`)
	require.Zero(t, y.scan().Published())
	y.pass(time.Hour + time.Minute)
	require.Equal(t, 1, y.scan().Published())
}

func TestJobsThatChangeNothingComeMoreAndMoreSeldom(t *testing.T) {
	t.Parallel()
	y := dueYard(t)
	y.end(subject, jobs.Completed, `{"removed":{"snapshots":0},"deleted":{}}`)
	y.pass(time.Hour + time.Minute)
	require.Zero(t, y.scan().Published())
	y.pass(time.Hour)
	require.Equal(t, 1, y.scan().Published())
	y.end(subject, jobs.Completed, `{"removed":{"snapshots":1},"dry_run":true,"deleted":{}}`)
	y.pass(time.Hour)
	require.Zero(t, y.scan().Published(), "a dry run changes nothing either")
	y.pass(2 * time.Hour)
	require.Equal(t, 1, y.scan().Published())
}

func TestATableBacksOffAfterFailures(t *testing.T) {
	t.Parallel()
	y := dueYard(t)
	y.end(subject, jobs.Canceled, "")
	y.pass(14 * time.Minute)
	require.Zero(t, y.scan().Published())
	y.pass(2 * time.Minute)
	require.Equal(t, 1, y.scan().Published())
	y.end(subject, jobs.Dead, "") // and its letter was dropped
	y.pass(13 * time.Minute)      // 29 after it: results have the real time
	require.Zero(t, y.scan().Published(), "twice as long")
	y.pass(2 * time.Minute)
	require.Equal(t, 1, y.scan().Published())
}

func TestATableThatIsMadeAnewHasNoHistory(t *testing.T) {
	t.Parallel()
	y := dueYard(t)
	y.end(subject, jobs.Completed, `{"removed":{"snapshots":1},"deleted":{}}`)
	require.Zero(t, y.scan().Published(), "it cools down")
	require.NoError(t, y.server.Drop(t.Context(), in("n", "t")))
	y.table(in("n", "t"), 9*day, time.Hour)
	require.Equal(t, 1, y.scan().Published())
	y.end(subject, jobs.Completed, `{"removed":{"snapshots":1},"deleted":{}}`)
	require.Zero(t, y.scan().Published(), "it cools down by its own history")
}

func TestTheHistoryOutlivesTheProducer(t *testing.T) {
	t.Parallel()
	y := dueYard(t)
	y.end(subject, jobs.Completed, `{"removed":{"snapshots":1},"deleted":{}}`)
	y.restart()
	require.Zero(t, y.scan().Published())
}

func TestAStreamOfResultsThatIsMadeAnewIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	y := dueYard(t)
	y.end(subject, jobs.Completed, `{"removed":{"snapshots":1},"deleted":{}}`)
	require.Zero(t, y.scan().Published())
	require.NoError(t, y.js.DeleteStream(t.Context(), "RESULTS"))
	_, err := queue.Setup(t.Context(), y.js, queue.AssetsConfig{})
	require.NoError(t, err)
	require.Equal(t, 1, y.scan().Published(), "nothing is known of it")
	require.Zero(t, y.scan().Published())
	y.end(subject, jobs.Canceled, "")
	y.pass(10 * time.Minute)
	require.Zero(t, y.scan().Published(), "backs off")
	y.pass(6 * time.Minute)
	require.Equal(t, 1, y.scan().Published())
}
