package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// sweepUp sweeps once, and returns what it found without the texts for people.
func (b *bundle) sweepUp(dryRun bool) []SweepFinding {
	b.t.Helper()
	report, err := b.impatient(b.js).Sweep(b.t.Context(), SweepConfig{Worker: "w9", DryRun: dryRun, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b.t, err)
	for i := range report.Findings {
		require.NotEmpty(b.t, report.Findings[i].Detail)
		require.Empty(b.t, report.Findings[i].Error)
		report.Findings[i].Detail = ""
	}
	return report.Findings
}

// impatient is a queue whose sweeps wait less between their two looks, and longer for
// answers: a busy machine takes its time.
func (b *bundle) impatient(js jetstream.JetStream) *Queue {
	b.t.Helper()
	q := b.open(js)
	q.timings.heartbeat, q.timings.retryBeat = 50*time.Millisecond, 10*time.Millisecond
	q.timings.call = max(q.timings.call, time.Second)
	return q
}

// setupOrphaned runs a queue in which jobs are as a full disk leaves them: settle
// has them acknowledged, and the stream has lost that while the consumers have not.
func setupOrphaned(t *testing.T, queued []*jobs.Job, settle func(b *bundle)) *bundle {
	t.Helper()
	folder := t.TempDir()
	b := &bundle{t: t, server: natstest.Start(t, natstest.Config{Folder: folder, Conf: `
		no_auth_user: a
		authorization { users [ { user: a, password: a },
			{ user: w, password: w, permissions { publish { deny: "$JS.API.STREAM.MSG.DELETE.*" } } },
			{ user: d, password: d, permissions { publish { deny: "$JS.API.STREAM.MSG.DELETE.DEAD" } } } ] }`}), config: Config{Drain: time.Second}}
	b.js = b.server.JetStream(t)
	_, err := Setup(t.Context(), b.js, smallAssets(wait))
	require.NoError(t, err)
	b.q = b.open(b.js)
	for _, job := range queued {
		b.enqueue(job)
	}
	messages := filepath.Join(folder, "store", "jetstream", "$G", "streams", jobs.StreamName, "msgs")
	b.server.Stop()
	require.NoError(t, os.CopyFS(filepath.Join(folder, "before"), os.DirFS(messages)))
	b.restarted()
	settle(b)
	require.Zero(t, b.messages(b.q.jobs))
	b.server.Stop()
	require.NoError(t, os.RemoveAll(messages))
	require.NoError(t, os.Rename(filepath.Join(folder, "before"), messages))
	b.restarted()
	require.EqualValues(t, len(queued), b.messages(b.q.jobs))
	return b
}

// restarted starts the server again and waits until it answers.
func (b *bundle) restarted() {
	b.t.Helper()
	b.server.Restart(b.t)
	b.eventually("the server is back", func() bool {
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		_, err := b.q.jobs.Info(ctx)
		return err == nil
	})
}

func TestASweepRemovesWhatHasEndedAndQueuesAnewWhatHasNot(t *testing.T) {
	t.Parallel()
	done, lost, malformed, planned := newJob(), newJob(), newJob(), newJob()
	b := setupOrphaned(t, []*jobs.Job{done, lost, malformed, planned}, func(b *bundle) {
		w := b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, job *jobs.Job, _ jobs.Progress) (any, error) {
			if job.ID == planned.ID {
				return nil, jobs.PlannedOut()
			}
			return nil, nil
		}))
		b.gone()
		require.NoError(b.t, w.halt())
	})
	// The records of two are lost as well.
	for _, job := range []*jobs.Job{lost, malformed} {
		require.NoError(t, b.q.results.Purge(t.Context(), jetstream.WithPurgeSubject("results."+job.Tail())))
	}
	b.enqueue(newJob()) // one that waits as it should
	value, err := encode(progressEntry{Job: lost.ID, Sequence: 2, Attempts: 24, Checkpoint: json.RawMessage(`{"manifest":7}`)})
	require.NoError(t, err)
	_, err = b.q.progress.put(t.Context(), lost.Tail(), value, b.revision(lost.Tail()))
	require.NoError(t, err)

	want := []SweepFinding{
		{What: SweepEnded, Action: SweepRemoved, Name: done.Subject(), Sequence: 1},
		{What: SweepUndelivered, Action: SweepRequeued, Name: lost.Subject(), Sequence: 2},
		{What: SweepUndelivered, Action: SweepRequeued, Name: malformed.Subject(), Sequence: 3},
		{What: SweepEnded, Action: SweepRemoved, Name: planned.Subject(), Sequence: 4},
	}
	require.Equal(t, want, b.sweepUp(true))
	require.EqualValues(t, 5, b.messages(b.q.jobs))
	require.Equal(t, want, b.sweepUp(false))
	require.EqualValues(t, 3, b.messages(b.q.jobs))
	require.Zero(t, b.messages(b.q.dead))
	require.Empty(t, b.sweepUp(false))
	require.Equal(t, jobs.Queued, b.publish(done).State, "its subject is free")

	checkpoints := make(chan string, 10)
	b.start(b.q, "w2", 1, handlerFunc(func(_ context.Context, job *jobs.Job, p jobs.Progress) (any, error) {
		if job.ID == lost.ID {
			checkpoints <- string(p.Checkpoint())
			require.Equal(t, 1, p.Attempt())
		}
		return nil, nil
	}))
	require.Equal(t, `{"manifest":7}`, waitFor(t, "the job that was lost", checkpoints))
	b.gone()
}

// revision of a key in the bucket progress.
func (b *bundle) revision(key string) uint64 {
	b.t.Helper()
	entry, err := b.q.progress.get(b.t.Context(), key)
	require.NoError(b.t, err)
	return entry.revision
}

// lostJobs are messages that their consumer has for settled and nobody has ended.
func lostJobs(t *testing.T, count int) (*bundle, []*jobs.Job) {
	t.Helper()
	var lost []*jobs.Job
	for range count {
		lost = append(lost, newJob())
	}
	return setupOrphaned(t, lost, func(b *bundle) {
		for range lost {
			require.NoError(b.t, b.pullOne(b.js).DoubleAck(b.t.Context()))
		}
	}), lost
}

func TestASweepThatIsCutOffLosesNothing(t *testing.T) {
	t.Parallel()
	b, lost := lostJobs(t, 4)
	s := &sweep{q: b.q, shards: b.q.Shards(), cfg: SweepConfig{Worker: "w9"}, log: slog.New(slog.DiscardHandler), report: &SweepReport{}}
	require.NoError(t, s.look(t.Context()))
	orphans, err := s.underFloor(t.Context())
	require.NoError(t, err)
	require.Len(t, orphans, 4)
	// As far as the letter, as far as the removal, as far as the publication, and
	// that one run before the next sweep.
	for i, o := range orphans {
		_, err := s.keep(t.Context(), o.msg)
		require.NoError(t, err)
		if i > 0 {
			require.NoError(t, b.q.removeJob(t.Context(), o.msg.Sequence))
		}
		if i > 1 {
			b.enqueue(lost[i])
		}
	}
	// By a clock that lags behind ours, which says nothing. The one before had ended
	// once, by a clock that is ahead.
	ended := func(job *jobs.Job, sequence uint64, at time.Time) {
		_, err := b.q.recordResult(t.Context(), job.Tail(), identity{}, &jobs.Result{Version: 1, JobID: job.ID, Outcome: jobs.Completed,
			JobSequence: sequence, StreamCreated: b.q.streamCreated(), FinishedAt: jobs.At(at)}, 0)
		require.NoError(t, err)
	}
	ended(lost[3], b.publishedAt(lost[3]), time.Now().Add(-time.Hour))
	require.NoError(t, b.q.removeJob(t.Context(), b.publishedAt(lost[3])))
	ended(lost[1], orphans[1].msg.Sequence-1, time.Now().Add(time.Hour))
	require.EqualValues(t, 4, b.messages(b.q.dead))

	found := b.sweepUp(false)
	require.Len(t, found, 5)
	require.Equal(t, SweepFinding{What: SweepUndelivered, Action: SweepRequeued, Name: lost[0].Subject(), Sequence: orphans[0].msg.Sequence}, found[4])
	require.Zero(t, b.messages(b.q.dead))
	ran := make(chan string, 10)
	b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, job *jobs.Job, _ jobs.Progress) (any, error) {
		ran <- job.ID
		return nil, nil
	}))
	b.gone()
	close(ran)
	var ids []string
	for id := range ran {
		ids = append(ids, id)
	}
	require.ElementsMatch(t, []string{lost[0].ID, lost[1].ID, lost[2].ID}, ids, "each once, and the one that has ended not again")
}

func TestASweepLeavesAloneWhatMovesMeanwhile(t *testing.T) {
	t.Parallel()
	b, lost := lostJobs(t, 3)
	s := &sweep{q: b.q, shards: b.q.Shards(), cfg: SweepConfig{Worker: "w9"}, log: slog.New(slog.DiscardHandler), report: &SweepReport{}}
	require.NoError(t, s.look(t.Context()))
	orphans, err := s.underFloor(t.Context())
	require.NoError(t, err)
	// One leaves between the two looks, and its subject is taken by a new job; one is
	// run by a worker whose message was acknowledged by someone else.
	require.NoError(t, b.q.removeJob(t.Context(), orphans[0].msg.Sequence))
	fresh := b.enqueue(lost[0])
	lease, err := b.q.Acquire(t.Context(), lost[1].LockKey(), Holder{Worker: "w1", Job: lost[1].ID, Kind: lost[1].Kind})
	require.NoError(t, err)
	require.NoError(t, s.clearOrphans(t.Context(), orphans[:2]))
	require.Len(t, s.report.Findings, 1)
	require.Equal(t, SweepReported, s.report.Findings[0].Action)
	require.EqualValues(t, 3, b.messages(b.q.jobs))
	require.Equal(t, fresh, b.publishedAt(lost[0]), "the new one was not touched")
	require.NoError(t, b.q.removeJob(t.Context(), fresh))
	require.NoError(t, lease.Release(t.Context()))

	// A message that leaves while it is moved is not queued again, and of one that has
	// left nothing is said: a replica may show it still.
	require.NoError(t, b.q.removeJob(t.Context(), orphans[2].msg.Sequence))
	s.report = &SweepReport{}
	require.NoError(t, s.clearOrphan(t.Context(), orphans[2].msg, func() error { return nil }))
	id := identity{job: lost[2].ID, sequence: orphans[2].msg.Sequence, created: s.created}
	_, err = b.q.recordResult(t.Context(), lost[2].Tail(), id, &jobs.Result{
		Version: 1, JobID: id.job, Outcome: jobs.Completed, JobSequence: id.sequence, StreamCreated: id.created,
	}, 0)
	require.NoError(t, err)
	require.NoError(t, s.clearOrphan(t.Context(), orphans[2].msg, func() error { return nil }))
	require.Empty(t, s.report.Findings)
	require.EqualValues(t, 1, b.messages(b.q.jobs))
	require.Zero(t, b.messages(b.q.dead))

	// A consumer that was made anew delivers everything.
	s.report = &SweepReport{}
	require.NoError(t, b.js.DeleteConsumer(t.Context(), "JOBS", "purge"))
	_, err = Setup(t.Context(), b.js, smallAssets(wait))
	require.NoError(t, err)
	require.NoError(t, s.clearOrphans(t.Context(), orphans[1:2]))
	require.Empty(t, s.report.Findings)
	require.Empty(t, b.sweepUp(false))
}

func TestAMoveIntoATakenSubjectKeepsTheJobInDEAD(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	kept, other := newJob(), newJob()
	other.TableUUID, other.RequestedBy = kept.TableUUID, "someone else"
	sequence := b.enqueue(other) // the one that it had, in a stream that was made anew
	body, err := kept.Encode()
	require.NoError(t, err)
	_, err = (&sweep{q: b.q}).keep(t.Context(), &jetstream.RawStreamMsg{Subject: kept.Subject(), Sequence: sequence, Data: body})
	require.NoError(t, err)
	report, err := b.q.Sweep(t.Context(), SweepConfig{Worker: "w9", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	require.Contains(t, report.Findings[0].Error, `another job has its subject; look at it with "worker dead show sweep.purge.`)
	require.EqualValues(t, 1, b.messages(b.q.dead))
	status, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, status.Kinds, len(jobs.Kinds()), "it is a dead purge, and no kind of its own")
	require.EqualValues(t, 1, status.Kinds[0].Dead)
	require.Equal(t, "sweep."+kept.Tail(), status.Kinds[0].NewestDead)
	require.NoError(t, b.q.removeJob(t.Context(), b.publishedAt(other)))
	publication, err := b.q.Requeue(t.Context(), "sweep."+kept.Tail())
	require.NoError(t, err, "a person may requeue it like any letter")
	require.Equal(t, kept.Subject(), publication.Subject)
	require.Zero(t, b.messages(b.q.dead))
}

func TestASweepWithoutTheRightToRemoveSaysSoAndTouchesNothing(t *testing.T) {
	t.Parallel()
	b, lost := lostJobs(t, 2)
	id := identity{job: lost[1].ID, sequence: b.publishedAt(lost[1]), created: b.q.streamCreated()}
	_, err := b.q.recordResult(t.Context(), lost[1].Tail(), id, &jobs.Result{
		Version: 1, JobID: id.job, Outcome: jobs.Completed, JobSequence: id.sequence, StreamCreated: id.created,
	}, 0)
	require.NoError(t, err)
	for _, c := range []struct{ user, denied string }{{"w", "JOBS"}, {"d", "DEAD"}} {
		js := b.server.JetStream(t, nats.UserInfo(c.user, c.user))
		q, subject := b.impatient(js), "$JS.API.STREAM.MSG.DELETE."+c.denied
		// The server says it beside the question, which times out: now it has said it,
		// however long its word takes the next time.
		require.NoError(t, js.Conn().Publish(subject, nil))
		require.NoError(t, js.Conn().FlushTimeout(patience))
		report, err := q.Sweep(t.Context(), SweepConfig{Worker: "w9", Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.Len(t, report.Findings, 2)
		for _, finding := range report.Findings {
			require.Contains(t, finding.Error, fmt.Sprintf("%s: allow this user to publish to %q", ErrDenied, subject), finding.What)
		}
		require.EqualValues(t, 2, b.messages(b.q.jobs))
		require.Zero(t, b.messages(b.q.dead))
	}
	require.NoError(t, b.q.mayRemove(t.Context(), jobs.StreamName))
	require.EqualValues(t, 2, b.messages(b.q.jobs), "asking removes nothing")
}

func TestOneSweepRunsAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	lease, err := b.open(b.js).Acquire(t.Context(), sweeperKey, Holder{Worker: "w1"})
	require.NoError(t, err)
	_, err = b.q.Sweep(t.Context(), SweepConfig{Worker: "w2"})
	require.ErrorIs(t, err, ErrHeld)
	require.ErrorContains(t, err, "held by w1")
	_, err = b.q.Sweep(t.Context(), SweepConfig{Worker: "w2", DryRun: true})
	require.NoError(t, err, "a look needs no lease")
	require.NoError(t, lease.Release(t.Context()))
	_, err = b.q.Sweep(t.Context(), SweepConfig{Worker: "w2"})
	require.NoError(t, err)
	_, err = b.q.takeLease(t.Context(), sweeperKey, Holder{Worker: "w3"})
	require.NoError(t, err, "it is given back")
}

// A subject that is longer than the server takes closes the connection for good.
func TestAMoveOfAJobWithALongSubjectKeepsItUnderAShortOne(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	subject := "jobs.purge." + strings.Repeat("x", 3900)
	letter, err := (&sweep{q: b.q}).keep(t.Context(), &jetstream.RawStreamMsg{Subject: subject, Sequence: 4711, Data: []byte("{}")})
	require.NoError(t, err)
	require.Equal(t, "dead.sweep.purge.=~4711", letter.Subject)
	require.Equal(t, []SweepFinding{{What: SweepUndelivered, Action: SweepRequeued, Name: letter.Subject, Sequence: letter.Sequence}}, b.sweepUp(false))
	msg, err := b.q.jobs.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, subject, msg.Subject)
	require.Zero(t, b.messages(b.q.dead))
}
