package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// Trap 1: 10077 is "already queued" and "the job was lost" in one code.
func TestAFullQueueIsAnErrorAndATakenSubjectIsNot(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	b.enqueue(job)
	require.Equal(t, jobs.AlreadyQueued, b.publish(job).State)
	// A publisher that expects nothing meets the bare code.
	body, err := job.Encode()
	require.NoError(t, err)
	_, err = b.js.Publish(t.Context(), job.Subject(), body)
	require.ErrorContains(t, err, "10077")
	require.ErrorContains(t, err, "per subject")

	config := b.q.jobs.CachedInfo().Config
	config.MaxBytes = 1500
	_, err = b.js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	var full error
	for range 10 {
		if _, full = jobs.Publish(t.Context(), b.js, newJob(), jobs.PublishOptions{}); full != nil {
			break
		}
	}
	require.ErrorIs(t, full, jobs.ErrQueueFull)
	require.ErrorContains(t, full, "maximum bytes")
	require.Equal(t, jobs.AlreadyQueued, b.publish(job).State, "also while the queue is full")

	config.MaxBytes, config.MaxMsgs = 1<<20, int64(b.messages(b.q.jobs))
	_, err = b.js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	_, err = jobs.Publish(t.Context(), b.js, newJob(), jobs.PublishOptions{})
	require.ErrorIs(t, err, jobs.ErrQueueFull)
}

// Trap 2: a replicated stream reports conflicts as 10164.
func TestConflictsOfAReplicatedStreamAreUnderstood(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
	js := natstest.JetStream(t, natstest.Connect(t, cluster.URL()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	assets := smallAssets(10 * time.Second)
	assets.Replicas = 3
	_, err := Setup(ctx, js, assets)
	require.NoError(t, err)
	q, err := Open(ctx, js, Config{})
	require.NoError(t, err)

	var queued, already, leases, held, results atomic.Int32
	var publishers sync.WaitGroup
	table := make([]*jobs.Job, 10)
	for i := range table {
		table[i] = newJob()
	}
	for range 8 {
		js := natstest.JetStream(t, natstest.Connect(t, cluster.URL()))
		q := &Queue{js: js, timings: q.timings, results: q.results, held: map[string]Holder{},
			locks: bucketStore{js: js, stream: q.locks.stream, prefix: q.locks.prefix}}
		publishers.Go(func() {
			for _, job := range table {
				publication, err := jobs.Publish(ctx, js, job, jobs.PublishOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				if publication.State == jobs.Queued {
					queued.Add(1)
				} else {
					already.Add(1)
				}
				_, err = q.takeLease(ctx, job.LockKey(), Holder{Worker: "w", Job: job.ID})
				switch {
				case err == nil:
					leases.Add(1)
				case errors.Is(err, ErrHeld):
					held.Add(1)
				default:
					t.Error(err)
				}
				_, err = js.PublishMsg(ctx, &nats.Msg{Subject: "results." + job.Tail(), Header: nats.Header{}}, jetstream.WithExpectLastSequencePerSubject(0))
				if err == nil {
					results.Add(1)
				} else if !isConflict(err) {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	require.EqualValues(t, 10, queued.Load())
	require.EqualValues(t, 70, already.Load())
	require.EqualValues(t, 10, leases.Load())
	require.EqualValues(t, 70, held.Load())
	require.EqualValues(t, 10, results.Load())
	// Which of the two codes comes is a matter of timing.
	for _, code := range []jetstream.ErrorCode{10071, 10164} {
		require.True(t, isConflict(fmt.Errorf("write: %w", &jetstream.APIError{ErrorCode: code})))
	}
	require.False(t, isConflict(&jetstream.APIError{ErrorCode: 10077}))
}

// Trap 3: the subject stays taken while the job waits, runs or is delayed.
func TestASubjectIsTakenUntilTheJobHasEnded(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	sequence := b.enqueue(job)
	require.Equal(t, jobs.AlreadyQueued, b.publish(job).State, "waiting")
	began, release := make(chan *jobs.Job, 1), make(chan error)
	b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, j *jobs.Job, p jobs.Progress) (any, error) {
		began <- j
		return nil, <-release
	}))
	waitFor(t, "the run", began)
	require.Equal(t, jobs.AlreadyQueued, b.publish(job).State, "running")
	release <- jobs.Snooze(500*time.Millisecond, nil)
	b.eventually("delayed", func() bool { e := b.entry(job.Tail()); return e != nil && e.State == stateDelayed })
	require.Equal(t, jobs.AlreadyQueued, b.publish(job).State, "delayed")
	waitFor(t, "the second run", began)
	release <- nil
	require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
	b.gone()
	require.Equal(t, jobs.Queued, b.publish(job).State, "ended")
	waitFor(t, "the run of the new job", began)
	release <- nil
}

// Trap 16: a message id would swallow a job that is published again after its
// end.
func TestAFinishedJobCanBePublishedAgainUnderItsID(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	h := &afterHandler{}
	b.start(b.q, "w1", 1, h)
	for n := int32(1); n <= 3; n++ {
		require.Equal(t, jobs.Completed, b.result(job, b.enqueue(job)).Outcome)
		b.gone()
		require.Equal(t, n, h.runs.Load())
	}
	require.Len(t, b.results(job.Tail()), 3)
}

// Trap 17: a purge that is named by its table alone loses the second drop.
func TestATableThatIsDroppedTwiceIsPurgedTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	first, second := newJob(), newJob()
	require.Equal(t, jobs.FormatTable(first.Namespace, first.Table), jobs.FormatTable(second.Namespace, second.Table))
	one, two := b.enqueue(first), b.enqueue(second)
	h := &afterHandler{}
	b.start(b.q, "w1", 2, h)
	require.Equal(t, first.TableUUID, b.result(first, one).TableUUID)
	require.Equal(t, second.TableUUID, b.result(second, two).TableUUID)
	require.EqualValues(t, 2, h.runs.Load())
}

// Trap 20: asynchronous publishes stall when each of them is synced to disk.
func TestManyPublishersSucceedWhenEveryWriteIsSynced(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: "jetstream { sync_interval: always }"})
	js := server.JetStream(t)
	_, err := Setup(t.Context(), js, smallAssets(wait))
	require.NoError(t, err)
	var queued atomic.Int32
	var publishers sync.WaitGroup
	for range 64 {
		publishers.Go(func() {
			for range 4 {
				publication, err := jobs.Publish(t.Context(), js, newJob(), jobs.PublishOptions{})
				if err != nil {
					t.Error(err)
				} else if publication.State == jobs.Queued {
					queued.Add(1)
				}
			}
		})
	}
	publishers.Wait()
	require.EqualValues(t, 256, queued.Load())
}

// Trap 22: names that subjects and keys cannot hold are escaped.
func TestNamesOfAnyShapeGoTheWholeWay(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	h := &afterHandler{}
	b.start(b.q, "w1", 4, h)
	names, queued := []string{"a.b", "a b", "a/b", "über", "*", ">", "a..b", "$SYS", "=", "=2E", "名前", "tab\there", strings.Repeat("long", 600)}, []*jobs.Job(nil)
	for _, name := range names {
		job := newJob()
		job.Catalog, job.Namespace, job.Table = "my lake."+name[:1], []string{name, "x.y"}, name
		if len(job.Catalog) > 0 && job.Catalog[len(job.Catalog)-1] >= 0x80 {
			job.Catalog = "lake"
		}
		b.enqueue(job)
		queued = append(queued, job)
	}
	for i, name := range names {
		result := b.result(queued[i], 0)
		require.Equal(t, jobs.Completed, result.Outcome, name)
		require.Equal(t, name, result.Table)
		require.Equal(t, []string{name, "x.y"}, result.Namespace)
	}
	b.gone()
	require.EqualValues(t, 13, h.runs.Load())
}

// A job that runs again is told how it ended before; a job of another id is not.
func TestAJobThatIsPublishedAgainKnowsItsEarlierEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	earlier := make(chan *jobs.Result, 3)
	b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		earlier <- p.Earlier()
		return map[string]int{"files": 1}, nil
	}))
	job := newJob()
	b.result(job, b.enqueue(job))
	b.gone()
	require.Nil(t, <-earlier)
	b.result(job, b.enqueue(job))
	b.gone()
	again := <-earlier
	require.Equal(t, jobs.Completed, again.Outcome)
	require.JSONEq(t, `{"files":1}`, string(again.Receipt))
	job.ID = jobs.NewID()
	b.result(job, b.enqueue(job))
	require.Nil(t, <-earlier)
}
