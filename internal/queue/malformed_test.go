package queue

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// edited is a valid job's body with one field changed, or left out.
func edited(t *testing.T, job *jobs.Job, field string, value any) []byte {
	t.Helper()
	body, err := job.Encode()
	require.NoError(t, err)
	var fields map[string]any
	requireJSON(t, body, &fields)
	if fields[field] = value; value == nil {
		delete(fields, field)
	}
	body, err = json.Marshal(fields)
	require.NoError(t, err)
	return body
}

func TestAMalformedJobIsDeadAtOnceWithItsFieldAndItsPayload(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	h := &afterHandler{}
	neighbour := newJob()
	type message struct {
		subject string
		body    []byte
		field   string
	}
	valid := newJob()
	body, err := valid.Encode()
	require.NoError(t, err)
	messages := []message{
		{newJob().Subject(), []byte("not json"), "body"},
		{newJob().Subject(), nil, "body"},
		{newJob().Subject(), []byte(`["a list"]`), "body"},
		{newJob().Subject(), []byte(`{"v":1,`), "body"},
		{newJob().Subject(), edited(t, newJob(), "v", nil), "v"},
		{newJob().Subject(), edited(t, newJob(), "table", 7), "table"},
		{newJob().Subject(), edited(t, newJob(), "namespace", "sales"), "namespace"},
		{newJob().Subject(), edited(t, newJob(), "metadata_location", nil), "metadata_location"},
		{newJob().Subject(), edited(t, newJob(), "params", "all"), "params"},
		{newJob().Subject(), edited(t, newJob(), "kind", "purgee"), "kind"},
		{neighbour.Subject() + "x", body, "subject"},
		{"jobs.purge.odd", body, "subject"},
		{"jobs.purge.*.$x.ümlaut", []byte("{}"), "v"},
		{"jobs.purge." + strings.Repeat("long", 700), []byte("{}"), "v"},
	}
	for _, m := range messages {
		b.raw(m.subject, nats.Header{"Job-Id": {"some id"}, "Traceparent": {"00-1-2-03"}}, m.body)
	}
	b.start(b.q, "w1", 4, h)
	require.Equal(t, jobs.Completed, b.result(neighbour, b.enqueue(neighbour)).Outcome)
	b.eventually("only the neighbour's job was one", func() bool { return b.messages(b.q.jobs) == 0 })
	require.EqualValues(t, 1, h.runs.Load())

	letters := map[string]*DeadLetter{}
	for letter, err := range b.q.DeadLetters(t.Context(), "") {
		require.NoError(t, err)
		letters[letter.JobSubject] = letter
	}
	require.Len(t, letters, len(messages))
	for _, m := range messages {
		letter := letters[m.subject]
		require.NotNil(t, letter, m.subject)
		require.Contains(t, letter.Reason, "field "+m.field+":", m.subject)
		require.Equal(t, string(m.body), string(letter.Body), "the payload is kept")
		require.Equal(t, []string{"00-1-2-03"}, letter.header["Traceparent"])
		require.LessOrEqual(t, len(letter.Subject), 1100)
	}
	require.Empty(t, b.leases())
	for _, letter := range letters {
		require.NoError(t, b.q.Drop(t.Context(), letter.Tail), "each can be named")
	}
	require.Zero(t, b.messages(b.q.dead))
}

func TestWhoWaitsForAMalformedJobIsToldItsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.start(b.q, "w1", 1, does(nil, nil))
	job := newJob()
	sequence := b.raw(job.Subject(), nats.Header{}, edited(t, job, "realm", ""))
	result := b.result(job, sequence)
	require.Equal(t, jobs.Dead, result.Outcome)
	require.Contains(t, result.Reason, "field realm")
}

func TestAMalformedJobDoesNotTouchTheProgressOfAnother(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	b.spend(job, 1, 7)
	before := *b.entry(job.Tail())
	b.start(b.q, "w1", 1, does(nil, nil))
	b.raw(job.Subject(), nats.Header{}, []byte("{}"))
	b.eventually("it is dead", func() bool { return b.messages(b.q.dead) == 1 })
	b.gone()
	require.Equal(t, before, *b.entry(job.Tail()))
}
