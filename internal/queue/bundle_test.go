package queue

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

func TestMain(m *testing.M) {
	natstest.RunIfChild()
	runIfKilledWorker()
	flag.Parse()
	// The tests wait more than they work.
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", "8")
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(serverGoroutines()...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// serverGoroutines are those that an in-process server leaves behind for a while
// after it was shut down.
func serverGoroutines() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).startGoRoutine.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushLoop"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	}
}

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

// bundle is a server of the test's own, with the assets, and a queue on it.
type bundle struct {
	t      *testing.T
	server *natstest.Server
	js     jetstream.JetStream
	q      *Queue
	config Config
}

// smallAssets fit any account and make everything fast: one second instead of
// two minutes.
func smallAssets(ackWait time.Duration) AssetsConfig {
	return AssetsConfig{
		AckWait: ackWait, JobsMaxBytes: 64 << 20, DeadMaxBytes: 16 << 20, ResultsMaxBytes: 16 << 20,
		LocksMaxBytes: 4 << 20, ProgressMaxBytes: 16 << 20, ShardsMaxBytes: 4 << 20,
	}
}

// setup starts a server and creates the assets.
func setup(t *testing.T, ackWait time.Duration) *bundle {
	t.Helper()
	b := &bundle{t: t, server: natstest.Start(t, natstest.Config{}), config: Config{Drain: time.Second}}
	b.js = b.server.JetStream(t)
	report, err := Setup(t.Context(), b.js, smallAssets(ackWait))
	require.NoError(t, err)
	require.Empty(t, report.Differences)
	b.q = b.open(b.js)
	return b
}

func (b *bundle) open(js jetstream.JetStream) *Queue {
	b.t.Helper()
	q, err := Open(b.t.Context(), js, b.config)
	require.NoError(b.t, err)
	return q
}

// run is a handler made of a function.
type handlerFunc func(ctx context.Context, job *jobs.Job, p jobs.Progress) (any, error)

func (f handlerFunc) Run(ctx context.Context, job *jobs.Job, p jobs.Progress) (any, error) {
	return f(ctx, job, p)
}

// runner is a worker that runs in the background.
type runner struct {
	*Worker
	stop context.CancelFunc
	done chan struct{}
	err  error
	log  *logBuffer
	seen *observations
}

// start runs a worker for purges of tables and views until the test ends or it is
// stopped.
func (b *bundle) start(q *Queue, name string, slots int, handler jobs.Handler) *runner {
	b.t.Helper()
	return b.startKinds(q, name, slots, map[jobs.Kind]jobs.Handler{jobs.Purge: handler, jobs.PurgeView: handler})
}

// startKinds is start for the kinds that have handlers.
func (b *bundle) startKinds(q *Queue, name string, slots int, handlers map[jobs.Kind]jobs.Handler) *runner {
	b.t.Helper()
	counts := map[jobs.Kind]int{}
	for kind := range handlers {
		counts[kind] = slots
	}
	r := &runner{done: make(chan struct{}), log: &logBuffer{}, seen: &observations{}}
	worker, err := NewWorker(q, WorkerConfig{
		Name:     name,
		Slots:    counts,
		Handlers: handlers,
		Logger:   slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observer: r.seen,
	})
	require.NoError(b.t, err)
	r.Worker = worker
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() {
		defer close(r.done)
		r.err = worker.Run(ctx)
	}()
	b.t.Cleanup(func() {
		r.halt()
		if b.t.Failed() {
			b.t.Logf("log of worker %s:\n%s", name, r.log.String())
		}
	})
	return r
}

// halt stops the worker and waits for it.
func (r *runner) halt() error {
	r.stop()
	<-r.done
	return r.err
}

var uuids struct {
	sync.Mutex
	n int
}

// newJob is a purge of a table that no other job has.
func newJob() *jobs.Job {
	uuids.Lock()
	defer uuids.Unlock()
	uuids.n++
	return &jobs.Job{
		Version: 1, ID: jobs.NewID(), Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake",
		Namespace: []string{"sales", "eu"}, Table: "orders", TableUUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", uuids.n),
		MetadataLocation: "s3://lake/sales/eu/orders/metadata/v1.metadata.json", RequestedAt: jobs.At(time.Now()),
	}
}

func (b *bundle) publish(job *jobs.Job) jobs.Publication {
	b.t.Helper()
	publication, err := jobs.Publish(b.t.Context(), b.js, job, jobs.PublishOptions{})
	require.NoError(b.t, err)
	return publication
}

// enqueue publishes a job that must be accepted.
func (b *bundle) enqueue(job *jobs.Job) uint64 {
	b.t.Helper()
	publication := b.publish(job)
	require.Equal(b.t, jobs.Queued, publication.State)
	return publication.Sequence
}

// result waits for the job's end.
func (b *bundle) result(job *jobs.Job, sequence uint64) *jobs.Result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	result, err := WaitResult(ctx, b.js, job, jobs.Publication{Sequence: sequence})
	require.NoError(b.t, err)
	return result
}

// eventually polls until a condition holds.
func (b *bundle) eventually(what string, holds func() bool) {
	b.t.Helper()
	eventually(b.t, what, holds)
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// waitFor receives from a channel, or fails the test.
func waitFor[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s in vain: %s", patience, what)
		panic("unreachable")
	}
}

func (b *bundle) messages(stream jetstream.Stream) uint64 {
	b.t.Helper()
	info, err := stream.Info(b.t.Context())
	require.NoError(b.t, err)
	return info.State.Msgs
}

// liveNotes are the keys of the bucket shards that have a value.
func (b *bundle) liveNotes() (live []string) {
	b.t.Helper()
	keys, err := b.q.Shards().keys(b.t.Context(), ">")
	require.NoError(b.t, err)
	for _, key := range keys {
		entry, err := b.q.shards.get(b.t.Context(), key)
		require.NoError(b.t, err)
		if entry.value != nil {
			live = append(live, key)
		}
	}
	return live
}

// gone waits until the queue is empty, and no lease is held.
func (b *bundle) gone() {
	b.t.Helper()
	b.eventually("JOBS is empty", func() bool { return b.messages(b.q.jobs) == 0 })
	b.eventually("no lease is held", func() bool { return len(b.leases()) == 0 })
}

func (b *bundle) leases() []RunningJob {
	b.t.Helper()
	running, err := b.q.runningJobs(b.t.Context())
	require.NoError(b.t, err)
	return running
}

// entry is the progress entry of a tail, nil if there is none.
func (b *bundle) entry(tail string) *progressEntry {
	b.t.Helper()
	p := b.q.newProgress(tail, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(b.t, p.load(b.t.Context()))
	if p.entry.Job == "" {
		return nil
	}
	return &p.entry
}

func (b *bundle) results(tail string) []jobs.Result {
	b.t.Helper()
	return resultsOf(b.t, b.q, tail)
}

func resultsOf(t *testing.T, q *Queue, tail string) (all []jobs.Result) {
	t.Helper()
	for next := uint64(1); ; {
		msg, err := q.results.GetMsg(t.Context(), next, jetstream.WithGetMsgSubject(jobs.ResultSubjectPrefix+tail))
		if err != nil {
			require.ErrorIs(t, err, jetstream.ErrMsgNotFound)
			return all
		}
		next = msg.Sequence + 1
		var result jobs.Result
		requireJSON(t, msg.Data, &result)
		all = append(all, result)
	}
}

// logBuffer collects a log.
type logBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// observations is an Observer that remembers.
type observations struct {
	mu      sync.Mutex
	endings []Ending
	started int
	beats   int
	lost    int
}

func (o *observations) JobStarted(jobs.Kind, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.started++
}

func (o *observations) JobSettled(_ jobs.Kind, ending Ending, _ time.Duration, _ int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endings = append(o.endings, ending)
}

func (o *observations) Heartbeat(time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.beats++
}

func (o *observations) LeaseLost() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost++
}

func (o *observations) has(ending Ending) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.endings {
		if e == ending {
			return true
		}
	}
	return false
}

func (o *observations) count(of func(*observations) int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return of(o)
}

// raw publishes a message as it is, as another language might.
func (b *bundle) raw(subject string, header nats.Header, body []byte) uint64 {
	b.t.Helper()
	ack, err := b.js.PublishMsg(b.t.Context(), &nats.Msg{Subject: subject, Header: header, Data: body})
	require.NoError(b.t, err)
	return ack.Sequence
}
