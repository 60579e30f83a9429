package purge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/natstest"
	"deckhand/internal/queue"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// line is a real queue whose jobs are run one by one, as a worker settles them, so
// that the work can be cut off at each step.
type line struct {
	*yard
	js       jetstream.JetStream
	q        *queue.Queue
	cfg      purge.Config
	handlers map[jobs.Kind]jobs.Handler
	progress map[string]*jobtest.Progress
	// dead are the errors of the jobs that died, by tail.
	dead map[string]error
	// bodies of all jobs that were seen in the queue, by subject.
	bodies map[string][]byte
	// done are the tails of the jobs that were completed or planned, in order.
	done []string
	// finishFirst runs a finish before the shards that are in the queue.
	finishFirst bool

	// steps that were taken, and the one at which the work is cut off: before it, or
	// after it where taken is true.
	steps, cut int
	taken      bool
	kill       context.CancelCauseFunc
}

// newLine has a queue of its own. Every table is shared out, shardFiles to a shard.
func newLine(y *yard, policy purge.Policy, shardFiles int64) *line {
	y.t.Helper()
	js := natstest.Start(y.t, natstest.Config{}).JetStream(y.t)
	_, err := queue.Setup(y.t.Context(), js, queue.AssetsConfig{
		JobsMaxBytes: 64 << 20, DeadMaxBytes: 16 << 20, ResultsMaxBytes: 64 << 20, LocksMaxBytes: 4 << 20, ProgressMaxBytes: 16 << 20,
	})
	require.NoError(y.t, err)
	q, err := queue.Open(y.t.Context(), js, queue.Config{})
	require.NoError(y.t, err)
	l := &line{yard: y, js: js, q: q, cfg: y.config(policy), bodies: map[string][]byte{}}
	l.cfg.Fleet, l.cfg.ShardAbove, l.cfg.ShardFiles = cuttable{q.Shards(), l}, -1, shardFiles
	l.reset()
	l.rebuild()
	return l
}

// rebuild makes the handlers anew, as a worker that is started with l.cfg.
func (l *line) rebuild() {
	tables, err := purge.New(l.cfg)
	require.NoError(l.t, err)
	shards, err := purge.NewShards(l.cfg)
	require.NoError(l.t, err)
	finish, err := purge.NewFinish(l.cfg)
	require.NoError(l.t, err)
	l.handlers = map[jobs.Kind]jobs.Handler{jobs.Purge: tables, jobs.PurgeShard: shards, jobs.PurgeFinish: finish}
}

// reset forgets the jobs that were run.
func (l *line) reset() {
	l.progress, l.dead, l.done = map[string]*jobtest.Progress{}, map[string]error{}, nil
	l.steps, l.cut = 0, 0
}

func (l *line) submit(job *jobs.Job) {
	l.t.Helper()
	publication, err := jobs.Publish(l.t.Context(), l.js, job, jobs.PublishOptions{})
	require.NoError(l.t, err)
	require.Equal(l.t, jobs.Queued, publication.State)
}

// waiting are the messages of JOBS in the order in which they are to be run.
func (l *line) waiting() []*jetstream.RawStreamMsg {
	l.t.Helper()
	stream, err := l.js.Stream(l.t.Context(), jobs.StreamName)
	require.NoError(l.t, err)
	info, err := stream.Info(l.t.Context(), jetstream.WithSubjectFilter(">"))
	require.NoError(l.t, err)
	var all []*jetstream.RawStreamMsg
	for subject := range info.State.Subjects {
		msg, err := stream.GetLastMsgForSubject(l.t.Context(), subject)
		require.NoError(l.t, err)
		all, l.bodies[subject] = append(all, msg), msg.Data
	}
	slices.SortFunc(all, func(a, b *jetstream.RawStreamMsg) int {
		last := func(m *jetstream.RawStreamMsg) int {
			if strings.HasPrefix(m.Subject, "jobs.purge-finish.") != l.finishFirst {
				return 1
			}
			return 0
		}
		if order := last(a) - last(b); order != 0 {
			return order
		}
		return int(a.Sequence) - int(b.Sequence)
	})
	return all
}

// drain runs jobs until none is left or all that are left are snoozed.
func (l *line) drain() {
	l.t.Helper()
	require.NoError(l.t, l.drainUntilCut())
}

// drainUntilCut is drain for work that is cut off: then the error is errKilled.
func (l *line) drainUntilCut() error {
	l.t.Helper()
	for range 1000 {
		moved := false
		waiting := l.waiting()
		for _, msg := range waiting {
			settled, err := l.settle(msg)
			if err != nil {
				return err
			}
			if moved = settled; moved {
				break
			}
		}
		if !moved {
			return nil
		}
	}
	l.t.Fatal("the jobs do not come to an end")
	return nil
}

// settle runs one job as internal/queue does. settled is false for one that comes
// back.
func (l *line) settle(msg *jetstream.RawStreamMsg) (settled bool, err error) {
	l.t.Helper()
	ctx, kill := context.WithCancelCause(l.t.Context())
	defer kill(nil)
	l.kill = kill
	job, err := jobs.Decode(msg.Data)
	require.NoError(l.t, err)
	handler := l.handlers[job.Kind]
	last, _, err := l.q.LastResult(l.t.Context(), job.Tail())
	require.NoError(l.t, err)
	if last == nil || last.JobID != job.ID || last.JobSequence != msg.Sequence {
		progress := l.progress[job.Tail()+job.ID]
		if progress == nil {
			progress = &jobtest.Progress{}
			l.progress[job.Tail()+job.ID] = progress
		}
		if last != nil && last.JobID == job.ID {
			progress.Before = last
		}
		receipt, runErr := runContext(ctx, l.t, handler, job, progress)
		if ctx.Err() != nil {
			return false, errKilled
		}
		if last, err = l.record(ctx, msg, job, receipt, runErr); last == nil || err != nil {
			return false, err
		}
	}
	if after, has := handler.(jobs.AfterResult); has {
		if err := after.AfterResult(ctx, job, last); err != nil {
			require.Error(l.t, ctx.Err(), "after the result: %v", err)
			return false, errKilled
		}
	}
	return true, l.step(func() error { l.take(msg, job); return nil })
}

// record writes how a run ended; nil for one that comes back.
func (l *line) record(ctx context.Context, msg *jetstream.RawStreamMsg, job *jobs.Job, receipt *purge.Receipt, runErr error) (*jobs.Result, error) {
	l.t.Helper()
	result := &jobs.Result{Version: 1, JobID: job.ID, Kind: job.Kind, Outcome: jobs.Completed, JobSequence: msg.Sequence}
	_, snoozed := jobs.AsSnooze(runErr)
	switch {
	case runErr == nil:
	case jobs.IsPlannedOut(runErr):
		result.Outcome = jobs.Planned
	case jobs.IsPermanent(runErr):
		result.Outcome, result.Reason = jobs.Dead, runErr.Error()
		l.dead[job.Tail()] = runErr
	case snoozed, errors.Is(runErr, jobs.ErrUnavailable):
		return nil, nil
	default:
		require.NoError(l.t, runErr, job.Tail())
	}
	var err error
	result.Receipt, err = json.Marshal(receipt)
	require.NoError(l.t, err)
	if err := l.step(func() error { return l.publishResult(job.Tail(), result) }); err != nil {
		return nil, err
	}
	return result, nil
}

func (l *line) publishResult(tail string, result *jobs.Result) error {
	body, err := json.Marshal(result)
	require.NoError(l.t, err)
	if result.Outcome != jobs.Dead {
		l.done = append(l.done, tail)
	}
	_, err = l.js.Publish(l.t.Context(), jobs.ResultSubjectPrefix+tail, body)
	return err
}

// take removes a job from the queue.
func (l *line) take(msg *jetstream.RawStreamMsg, job *jobs.Job) {
	stream, err := l.js.Stream(l.t.Context(), jobs.StreamName)
	require.NoError(l.t, err)
	require.NoError(l.t, stream.DeleteMsg(l.t.Context(), msg.Sequence))
	if l.dead[job.Tail()] == nil {
		delete(l.progress, job.Tail()+job.ID)
	}
}

// step does something that may be the last that this process does.
func (l *line) step(do func() error) error {
	l.steps++
	if l.steps != l.cut {
		return do()
	}
	if l.taken {
		require.NoError(l.t, do())
	}
	l.kill(errKilled)
	return errKilled
}

// ended is the receipt of the purge, and how it ended; nil while it has not.
func (l *line) ended(job *jobs.Job) (*purge.Receipt, *jobs.Result) {
	l.t.Helper()
	result, _, err := l.q.LastResult(l.t.Context(), job.Tail())
	require.NoError(l.t, err)
	if result == nil || result.Outcome == jobs.Planned {
		return nil, nil
	}
	return receiptOf(l.t, result), result
}

func receiptOf(t testing.TB, result *jobs.Result) *purge.Receipt {
	t.Helper()
	var receipt purge.Receipt
	require.NoError(t, json.Unmarshal(result.Receipt, &receipt))
	return &receipt
}

// count is how many jobs of a kind were run to their end.
func (l *line) count(kind jobs.Kind) (n int) {
	for _, tail := range l.done {
		if strings.HasPrefix(tail, string(kind)+".") {
			n++
		}
	}
	return n
}

// numberedJob is a purge job that shares no subject with others.
func numberedJob(uuid, location string, n int) *jobs.Job {
	job := jobFor(uuid, location)
	job.Table, job.ID = fmt.Sprintf("t%d", n), fmt.Sprintf("01TESTJOB%d", n)
	return job
}

// cuttable is a fleet that can be cut off at each question and each write.
type cuttable struct {
	*queue.Shards
	line *line
}

var _ purge.Fleet = cuttable{}

func (c cuttable) SavePlan(ctx context.Context, job *jobs.Job, plan *jobs.ShardPlan, revision uint64) error {
	return c.line.step(func() error { return c.Shards.SavePlan(ctx, job, plan, revision) })
}

func (c cuttable) Complete(ctx context.Context, job *jobs.Job, done *jobs.ShardDone) error {
	return c.line.step(func() error { return c.Shards.Complete(ctx, job, done) })
}

func (c cuttable) Publish(ctx context.Context, part *jobs.Job) (publication jobs.Publication, err error) {
	err = c.line.step(func() error {
		publication, err = c.Shards.Publish(ctx, part)
		return err
	})
	return publication, err
}

func (c cuttable) End(ctx context.Context, plan *jobs.ShardPlan, finish *jobs.Job, result *jobs.Result) error {
	return c.line.step(func() error { return c.Shards.End(ctx, plan, finish, result) })
}

func (c cuttable) Remove(ctx context.Context, job *jobs.Job, plan string) error {
	return c.line.step(func() error { return c.Shards.Remove(ctx, job, plan) })
}

func boolInt(is bool) int {
	if is {
		return 1
	}
	return 0
}

// name of a case in which work was cut off.
func name(what string, n int, taken bool) string {
	return fmt.Sprintf("%s %d, taken %t", what, n, taken)
}
