package queue

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// floored is a fleet of consumers that have everything up to a sequence for settled,
// and that were made later than they were by so much.
type floored struct {
	jetstream.JetStream
	floor uint64
	later time.Duration
}

func (f *floored) Consumer(ctx context.Context, stream, name string) (jetstream.Consumer, error) {
	consumer, err := f.JetStream.Consumer(ctx, stream, name)
	return settledUpTo{consumer, *f}, err
}

type settledUpTo struct {
	jetstream.Consumer
	floored floored
}

func (s settledUpTo) CachedInfo() *jetstream.ConsumerInfo {
	info := *s.Consumer.CachedInfo()
	info.AckFloor.Stream, info.Created = s.floored.floor, info.Created.Add(s.floored.later)
	return &info
}

// setupFloored has messages that their consumers have for settled up to a sequence,
// without a disk that was full.
func setupFloored(t *testing.T) (*bundle, *floored, *sweep) {
	t.Helper()
	b := setup(t, wait)
	js := &floored{JetStream: b.js}
	b.q = b.open(js)
	s := &sweep{q: b.q, shards: b.q.Shards(), cfg: SweepConfig{Worker: "w9"}, log: slog.New(slog.DiscardHandler), report: &SweepReport{}}
	require.NoError(t, s.look(t.Context()))
	return b, js, s
}

func TestAMessageIsClearedOnlyIfItsConsumerHasItForSettledAtBothLooks(t *testing.T) {
	t.Parallel()
	b, js, s := setupFloored(t)
	first := b.enqueue(newJob())
	b.enqueue(newJob())
	js.floor = b.enqueue(newJob()) // which has left as it should
	require.NoError(t, b.q.removeJob(t.Context(), js.floor))
	waits := b.enqueue(newJob())
	orphans, err := s.underFloor(t.Context())
	require.NoError(t, err)
	require.Len(t, orphans, 2, "not the one that waits")

	for _, second := range []floored{{floor: first - 1}, {floor: 0}, {floor: waits, later: time.Second}} {
		js.floor, js.later = second.floor, second.later
		require.NoError(t, s.clearOrphans(t.Context(), orphans))
		require.Empty(t, s.report.Findings, "its consumer was set back or made anew, and will deliver it")
	}
	js.floor, js.later = first, 0
	require.NoError(t, s.clearOrphans(t.Context(), orphans))
	require.Len(t, s.report.Findings, 1)
	require.Equal(t, first, s.report.Findings[0].Sequence)
	require.EqualValues(t, 3, b.messages(b.q.jobs))
}

// What a record says of another message than this very one ends nothing.
func TestAMessageIsGarbageOnlyByTheRecordOfItsOwnEnd(t *testing.T) {
	t.Parallel()
	b, js, s := setupFloored(t)
	for what, change := range map[string]func(*jobs.Result){
		"another job":         func(r *jobs.Result) { r.JobID = jobs.NewID() },
		"its run before":      func(r *jobs.Result) { r.JobSequence-- },
		"another stream":      func(r *jobs.Result) { r.StreamCreated = jobs.At(r.StreamCreated.Add(-time.Minute)) },
		"an end of the parts": func(r *jobs.Result) { r.JobSequence, r.StreamCreated = 0, jobs.Timestamp{} },
	} {
		job := newJob()
		js.floor = b.enqueue(job)
		result := &jobs.Result{Version: 1, JobID: job.ID, Outcome: jobs.Completed, JobSequence: js.floor, StreamCreated: b.q.streamCreated()}
		change(result)
		_, err := b.q.recordResult(t.Context(), job.Tail(), identity{}, result, 0)
		require.NoError(t, err)
		s.report = &SweepReport{}
		orphans, err := s.underFloor(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.clearOrphans(t.Context(), orphans))
		require.Equal(t, []SweepFinding{{What: SweepUndelivered, Action: SweepRequeued, Name: job.Subject(), Sequence: js.floor,
			Detail: s.report.Findings[0].Detail}}, s.report.Findings, what)
		require.NoError(t, b.q.removeJob(t.Context(), b.publishedAt(job)))
	}
}

func TestASweepDuringWhichTheQueueIsMadeAnewTouchesNothing(t *testing.T) {
	t.Parallel()
	b, js, _ := setupFloored(t)
	js.floor = b.enqueue(newJob())
	looks := 0
	q := b.impatient(js)
	q.jobs = &meddling{Stream: q.jobs, change: func(info *jetstream.StreamInfo) {
		if looks++; looks > 1 {
			info.Created = info.Created.Add(time.Second)
		}
	}}
	report, err := q.Sweep(t.Context(), SweepConfig{Worker: "w9", Logger: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "JOBS was made anew meanwhile")
	require.Empty(t, report.Findings)
	require.EqualValues(t, 1, b.messages(b.q.jobs))
}
