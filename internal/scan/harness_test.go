package scan_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/natstest"
	"deckhand/internal/polaris"
	"deckhand/internal/pulltest"
	"deckhand/internal/queue"
	"deckhand/internal/scan"
	"deckhand/internal/secret"
	"deckhand/internal/standin"
	"deckhand/jobs"
)

const day = 24 * time.Hour

// yard is a stand-in for Polaris with a catalog "lake", a real queue, and a clock.
type yard struct {
	*pulltest.Lake
	t       *testing.T
	server  *standin.Server
	js      jetstream.JetStream
	queue   *queue.Queue
	log     *clitest.Buffer
	cfg     scan.Config
	scanner *scan.Scanner

	mu  sync.Mutex
	now time.Time
}

// newYard makes one; change may alter its configuration.
func newYard(t *testing.T, change func(*scan.Config)) *yard {
	t.Helper()
	y := &yard{t: t, Lake: pulltest.New(t, ""), now: time.Now(), log: &clitest.Buffer{}}
	y.server = y.Server
	nats := natstest.Start(t, natstest.Config{})
	y.js = nats.JetStream(t)
	_, err := queue.Setup(t.Context(), y.js, queue.AssetsConfig{})
	require.NoError(t, err)
	y.queue, err = queue.Open(t.Context(), y.js, queue.Config{})
	require.NoError(t, err)
	y.cfg = scan.Config{
		Catalogs: []scan.Catalog{{Realm: "POLARIS", Name: "lake", Client: y.client(func(c *polaris.Config) { c.Credential = secret.String(y.Credential) })}},
		Queue:    y.queue,
		Publish: func(ctx context.Context, job *jobs.Job) (jobs.Publication, error) {
			return jobs.Publish(ctx, y.js, job, jobs.PublishOptions{})
		},
		Now:    y.clock,
		Logger: slog.New(slog.NewTextHandler(y.log, nil)),
	}
	if change != nil {
		change(&y.cfg)
	}
	y.scanner, err = scan.New(y.cfg)
	require.NoError(t, err)
	return y
}

// client of the stand-in.
func (y *yard) client(change func(*polaris.Config)) *polaris.Client {
	y.t.Helper()
	cfg := polaris.Config{
		URI: y.server.URI(), Warehouse: "lake", Realm: "POLARIS", RequestsPerSecond: 10_000, Retries: -1,
		Logger: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	client, err := polaris.New(cfg)
	require.NoError(y.t, err)
	y.t.Cleanup(func() { require.NoError(y.t, client.Close()) })
	return client
}

func (y *yard) clock() time.Time {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.now
}

func (y *yard) pass(d time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.now = y.now.Add(d)
}

// scan the catalogs and give what was found in lake.
func (y *yard) scan() scan.CatalogSummary {
	y.t.Helper()
	summary, err := y.scanner.Scan(y.t.Context())
	require.NoError(y.t, err)
	return summary.Catalogs[0]
}

// table makes one with snapshots of these ages.
func (y *yard) table(table standin.Table, ages ...time.Duration) {
	y.t.Helper()
	y.Empty(y.t, table, y.clock(), ages...)
}

// attach puts a policy on a target, and once more to change it.
func (y *yard) attach(p standin.Policy, target standin.Target) {
	y.t.Helper()
	y.Attach(y.t, p, target)
}

var (
	in     = pulltest.In
	policy = pulltest.Expiry
)

const fiveDays = pulltest.FiveDays

// queued are the subjects of the jobs in the queue, sorted.
func (y *yard) queued() []string {
	y.t.Helper()
	stream, err := y.js.Stream(y.t.Context(), jobs.StreamName)
	require.NoError(y.t, err)
	info, err := stream.Info(y.t.Context(), jetstream.WithSubjectFilter(">"))
	require.NoError(y.t, err)
	var subjects []string
	for subject := range info.State.Subjects {
		subjects = append(subjects, subject)
	}
	slices.Sort(subjects)
	return subjects
}

// job that is queued on a subject.
func (y *yard) job(subject string) *jobs.Job {
	y.t.Helper()
	stream, err := y.js.Stream(y.t.Context(), jobs.StreamName)
	require.NoError(y.t, err)
	msg, err := stream.GetLastMsgForSubject(y.t.Context(), subject)
	require.NoError(y.t, err)
	job, err := jobs.Decode(msg.Data)
	require.NoError(y.t, err)
	return job
}

// end a queued job as a worker would.
func (y *yard) end(subject string, outcome jobs.Outcome, receipt string) {
	y.t.Helper()
	job := y.job(subject)
	stream, err := y.js.Stream(y.t.Context(), jobs.StreamName)
	require.NoError(y.t, err)
	result := jobs.Result{
		Version: jobs.Version, JobID: job.ID, Kind: job.Kind, Realm: job.Realm, Catalog: job.Catalog, Namespace: job.Namespace, Table: job.Table, TableUUID: job.TableUUID,
		Outcome: outcome, Receipt: json.RawMessage(receipt), StartedAt: jobs.At(time.Now()), FinishedAt: jobs.At(time.Now()),
	}
	data, err := json.Marshal(result)
	require.NoError(y.t, err)
	_, err = y.js.Publish(y.t.Context(), jobs.ResultSubjectPrefix+job.Tail(), data)
	require.NoError(y.t, err)
	require.NoError(y.t, stream.Purge(y.t.Context(), jetstream.WithPurgeSubject(subject)))
}

// restart forgets all that is kept in memory.
func (y *yard) restart() {
	y.t.Helper()
	var err error
	y.scanner, err = scan.New(y.cfg)
	require.NoError(y.t, err)
}
