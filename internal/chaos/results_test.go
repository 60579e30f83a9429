package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/chaos/history"
	"deckhand/internal/natstest"
	"deckhand/jobs"
)

func newRound(t *testing.T) *round {
	t.Helper()
	record, err := history.Create(filepath.Join(t.TempDir(), "history.jsonl"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, record.Close()) })
	return &round{record: record, js: natstest.Start(t, natstest.Config{}).JetStream(t)}
}

func publish(t *testing.T, js jetstream.JetStream, subject string, body any) uint64 {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	ack, err := js.Publish(t.Context(), subject, data)
	require.NoError(t, err)
	return ack.Sequence
}

func TestResultsCountThatStayedOrWereFollowedByNewerOnes(t *testing.T) {
	t.Parallel()
	r := newRound(t)
	stream, err := r.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "RESULTS", Subjects: []string{"results.>"}, MaxMsgsPerSubject: keptPerSubject,
	})
	require.NoError(t, err)
	ended := make(chan struct{}, 1)
	reader := newReader(r.js, r.record, ended)
	say := func(tail, job string, outcome jobs.Outcome, receipt string) uint64 {
		return publish(t, r.js, jobs.ResultSubjectPrefix+tail, jobs.Result{
			JobID: job, Kind: jobs.Expire, Outcome: outcome, JobSequence: 7, Receipt: json.RawMessage(receipt),
		})
	}
	for range keptPerSubject + 1 { // the first is pushed out by the last
		say("expire.P.lake.live.t1", "A", jobs.Completed, `{"removed":{"snapshots":2},"deleted":{"data_files":{"files":3}}}`)
		require.True(t, reader.read(t.Context()))
	}
	say("purge.P.lake.dropped.t1x.u", "B", jobs.Planned, `{}`)
	gone := say("purge.P.lake.dropped.t2x.u", "C", jobs.Completed, `{}`)
	require.True(t, reader.read(t.Context()))
	require.Len(t, ended, 1)
	require.NoError(t, stream.DeleteMsg(t.Context(), gone)) // a server that forgot it
	require.NoError(t, reader.finish(t.Context()))

	var ends []string
	for _, e := range r.record.Events() {
		ends = append(ends, string(e.What)+" "+e.Job)
		if e.Job == "A" {
			require.Equal(t, 5, e.Did)
		}
	}
	require.ElementsMatch(t, []string{"ended A", "ended A", "ended A", "ended A", "ended A", "ended A", "planned B"}, ends)
}

func TestWhatIsLeftInTheQueueIsFound(t *testing.T) {
	t.Parallel()
	r := newRound(t)
	require.Len(t, r.queued(t.Context()), 1, "it cannot be looked at")
	require.Len(t, r.plans(t.Context()), 1)
	_, err := r.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: jobs.StreamName, Subjects: []string{"jobs.>"}})
	require.NoError(t, err)
	bucket, err := r.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "shards", TTL: time.Hour})
	require.NoError(t, err)
	require.Empty(t, r.queued(t.Context()))
	require.Empty(t, r.plans(t.Context()))
	publish(t, r.js, "jobs.purge-shard.P.lake.n.t.u.0001", "x")
	_, err = bucket.PutString(t.Context(), "P.lake.n.t.u.plan", "x")
	require.NoError(t, err)
	require.Contains(t, r.queued(t.Context())[0], "jobs.purge-shard.P.lake.n.t.u.0001 is still queued")
	require.Contains(t, r.plans(t.Context())[0], "P.lake.n.t.u.plan is left")
}
