package polaristest

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/internal/ownership"
	"deckhand/internal/pgtest"
	"deckhand/internal/polaris"
	"deckhand/internal/queue"
	"deckhand/internal/storage"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

const catalogName = "lake"

// ring is a place for one test: a warehouse, a queue, and what servers share.
type ring struct {
	home, warehouse, log string
	url                  string // of the server that was started last
	database             string // as servers want it; "" keeps everything in memory
	databaseURL          string
	session              *pgx.Conn // see sql
	nats                 *natstest.Server
	js                   jetstream.JetStream
}

func newRing(t *testing.T, home string, postgres bool) *ring {
	t.Helper()
	r := &ring{home: home, warehouse: filepath.Join(t.TempDir(), "warehouse"), nats: natstest.Start(t, natstest.Config{})}
	r.log = filepath.Join(t.TempDir(), "polaris.log")
	if postgres {
		r.databaseURL = pgtest.Database(t)
		address, err := url.Parse(r.databaseURL)
		require.NoError(t, err)
		r.database = address.Host + address.Path
	}
	r.js = r.nats.JetStream(t)
	_, err := queue.Setup(t.Context(), r.js, queue.AssetsConfig{})
	require.NoError(t, err)
	t.Cleanup(func() {
		if said, err := os.ReadFile(r.log); t.Failed() && err == nil {
			t.Logf("Polaris said:\n%s", said[max(0, len(said)-20_000):])
		}
	})
	return r
}

// serve starts a server until the test ends. Sweeps come quickly; a drop that
// waited for NATS would take twenty seconds.
func (r *ring) serve(t *testing.T, change func(*Options)) (*Server, *Client) {
	t.Helper()
	o := Options{Home: r.home, NATS: r.nats.URL(), Database: r.database, Log: r.log, Properties: map[string]string{
		"deckhand.sweep.interval": "PT1S", "deckhand.sweep.min-age": "PT1S", "deckhand.sweep.lease": "PT41S",
		"deckhand.nats.publish-timeout": "PT20S",
	}}
	if change != nil {
		change(&o)
	}
	server, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	r.url = server.URL
	client, err := Connect(t.Context(), server.URL, Realm, Credential)
	require.NoError(t, err)
	return server, client
}

// create makes the catalog and n empty tables t0, t1, ….
func (r *ring) create(t *testing.T, c *Client, n int) {
	t.Helper()
	require.NoError(t, os.MkdirAll(r.warehouse, 0o750))
	require.NoError(t, c.CreateCatalog(t.Context(), catalogName, r.warehouse, "n"))
	for i := range n {
		_, err := c.CreateTable(t.Context(), catalogName, "n", fmt.Sprint("t", i))
		require.NoError(t, err)
	}
}

// drop purges the tables t<from> to t<to-1> and gives how long each took, sorted.
func drop(t *testing.T, c *Client, from, to int) []time.Duration {
	t.Helper()
	var took []time.Duration
	for i := from; i < to; i++ {
		answer, err := c.Purge(t.Context(), catalogName, "n", fmt.Sprint("t", i))
		require.NoError(t, err)
		took = append(took, answer.Took)
	}
	slices.Sort(took)
	return took
}

// work runs a worker on the warehouse until the test ends.
func (r *ring) work(t *testing.T) {
	t.Helper()
	locations := []string{"file://" + r.warehouse + "/"}
	stores, err := storage.NewStores(storage.Config{Name: catalogName, Locations: locations}, nil)
	require.NoError(t, err)
	catalog := purge.Catalog{Realm: Realm, Name: catalogName, Stores: stores, Locations: locations}
	if r.url == "" { // there is nobody to ask
		catalog.Policy.Verify = ownership.Off
	} else {
		client, err := polaris.New(polaris.Config{URI: r.url + "/api/catalog", Warehouse: catalogName, Realm: Realm, Credential: Credential})
		require.NoError(t, err)
		catalog.Owners, err = ownership.New(ownership.Config{Client: client})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, client.Close()) })
	}
	cfg := purge.Config{Worker: "w", Catalogs: []purge.Catalog{catalog}}
	tables, err := purge.New(cfg)
	require.NoError(t, err)
	views, err := purge.NewViews(cfg)
	require.NoError(t, err)
	q, err := queue.Open(t.Context(), r.js, queue.Config{Drain: time.Second})
	require.NoError(t, err)
	worker, err := queue.NewWorker(q, queue.WorkerConfig{
		Name: "w", Slots: map[jobs.Kind]int{jobs.Purge: 4, jobs.PurgeView: 2}, Logger: slog.New(slog.DiscardHandler),
		Handlers: map[jobs.Kind]jobs.Handler{jobs.Purge: tables, jobs.PurgeView: views},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, stores.Close())
	})
}

// published are the subjects that the stream JOBS has taken, ended jobs too.
func (r *ring) published(t *testing.T) (waiting uint64, everTaken uint64) {
	t.Helper()
	stream, err := r.js.Stream(t.Context(), jobs.StreamName)
	require.NoError(t, err)
	state := stream.CachedInfo().State
	return state.Msgs, state.LastSeq
}

// checksum ends the names of the files that Hadoop, by which Polaris writes local
// files, puts beside each of them. No metadata names those.
const checksum = ".crc"

// files are what lies in the warehouse, without checksums.
func (r *ring) files(t *testing.T) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(r.warehouse, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !strings.HasSuffix(path, checksum) {
			files = append(files, path)
		}
		return nil // what vanishes under the walk is no error
	}))
	return files
}

func eventually(t *testing.T, condition func() bool, format string, args ...any) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			require.Failf(t, "waited in vain", format, args...)
		}
	}
}
