package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/natstest"
	"deckhand/internal/queue"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// fleet is a real table on an S3 server with neighbours, a queue, and workers as
// processes of their own.
type fleet struct {
	t          *testing.T
	store      *s3test.Server
	table      *icebergtable.Table
	neighbours []string
	js         jetstream.JetStream
	job        *jobs.Job
}

const fleetLocation = "s3://warehouse/sales/orders"

// fleetTable is written once, which takes long, and loaded into each fleet's store.
var fleetTable = sync.OnceValues(func() (*icebergtable.Table, error) {
	return icebergtable.Write(context.Background(), icebergtable.Options{
		Location: fleetLocation, Files: 60, Snapshots: 6, RowsPerFile: 4, PositionDeletes: true, Branch: true, Statistics: true,
	})
})

func newFleet(t *testing.T, natsURL string) *fleet {
	t.Helper()
	store := s3test.Start(t)
	table, err := fleetTable()
	require.NoError(t, err)
	require.NoError(t, tabletest.Neighbours(fleetLocation).Load(store))
	neighbours := store.Keys("warehouse")
	require.NoError(t, table.Objects.Load(store))

	f := &fleet{t: t, store: store, table: table, neighbours: neighbours}
	f.job = &jobs.Job{
		Version: jobs.Version, ID: jobs.NewID(), Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake",
		Namespace: []string{"sales"}, Table: "orders", TableUUID: table.UUID, MetadataLocation: table.MetadataLocation,
	}
	f.js = natstest.JetStream(t, natstest.Connect(t, natsURL))
	_, err = queue.Setup(t.Context(), f.js, queue.AssetsConfig{AckWait: 3 * time.Second})
	require.NoError(t, err)
	return f
}

// worker starts a worker. It reads small batches, so that there are many places
// at which it can be stopped.
func (f *fleet) worker(natsURL string) *clitest.Process {
	folder := f.t.TempDir()
	config := filepath.Join(folder, "deckhand.yaml")
	s3 := f.store.StorageConfig()
	yaml := fmt.Sprintf(`nats: { url: %q }
catalogs:
  lake:
    realm: POLARIS
    locations: [s3://warehouse/]
    purge: { verify: off }
    s3: { endpoint: %q, region: us-east-1, path_style: true, access_key_id: %q, secret_access_key_file: secret.txt }
worker: { http: "off" }
`, natsURL, f.store.Endpoint(), s3.AccessKeyID)
	require.NoError(f.t, os.WriteFile(config, []byte(yaml), 0o600))
	require.NoError(f.t, os.WriteFile(filepath.Join(folder, "secret.txt"), []byte(s3.SecretAccessKey+"\n"), 0o600))
	return clitest.Start(f.t, clitest.Command{Args: []string{"run", "--config", config, "--slots", "purge=2"}})
}

// holdAt keeps the store's n-th request and all later ones waiting until release
// is called, and tells when they do.
func (f *fleet) holdAt(n int64) (reached <-chan struct{}, release func()) {
	signal, released := make(chan struct{}), make(chan struct{})
	f.store.Fault(func(i int64, _ string, _ *http.Request) *s3test.Fault {
		if i == n {
			close(signal)
		}
		if i >= n {
			<-released
		}
		return nil
	})
	release = sync.OnceFunc(func() { close(released) })
	f.t.Cleanup(release)
	return signal, release
}

// ended waits for the result, and checks that there is one, that every file of
// the table is gone and that every neighbour is there.
func (f *fleet) ended() *jobs.Result {
	f.t.Helper()
	subject := jobs.ResultSubjectPrefix + f.job.Tail()
	results, err := f.js.Stream(f.t.Context(), "RESULTS")
	require.NoError(f.t, err)
	var message *jetstream.RawStreamMsg
	clitest.Eventually(f.t, func() bool {
		message, err = results.GetLastMsgForSubject(f.t.Context(), subject)
		return err == nil
	}, "no result on %s", subject)
	queue, err := f.js.Stream(f.t.Context(), jobs.StreamName)
	require.NoError(f.t, err)
	clitest.Eventually(f.t, func() bool {
		_, err := queue.GetLastMsgForSubject(f.t.Context(), f.job.Subject())
		return errors.Is(err, jetstream.ErrMsgNotFound)
	}, "the job stays queued")

	info, err := results.Info(f.t.Context(), jetstream.WithSubjectFilter(subject))
	require.NoError(f.t, err)
	require.EqualValues(f.t, 1, info.State.Subjects[subject], "not exactly one result")
	var result jobs.Result
	require.NoError(f.t, json.Unmarshal(message.Data, &result))
	require.Equal(f.t, jobs.Completed, result.Outcome, result.Reason)
	require.Equal(f.t, f.neighbours, f.store.Keys("warehouse"))
	var receipt purge.Receipt
	require.NoError(f.t, json.Unmarshal(result.Receipt, &receipt))
	require.EqualValues(f.t, len(f.table.Files), receipt.Deleted.Total().Files)
	return &result
}

func (f *fleet) publish() {
	f.t.Helper()
	_, err := jobs.Publish(f.t.Context(), f.js, f.job, jobs.PublishOptions{})
	require.NoError(f.t, err)
}

// Requests at which a run is stopped: while manifests are read, at the first
// deletes, between the levels.
var stopAt = []int64{6, 18, 22}

// atEachStop runs a test for each of them.
func atEachStop(t *testing.T, test func(t *testing.T, n int64)) {
	t.Parallel()
	for _, n := range stopAt {
		t.Run(fmt.Sprintf("request %d", n), func(t *testing.T) {
			t.Parallel()
			test(t, n)
		})
	}
}

// midway starts a worker, gives it the job, and returns when the store holds its
// n-th request, until release is called.
func (f *fleet) midway(natsURL string, n int64) (worker *clitest.Process, release func()) {
	f.t.Helper()
	reached, release := f.holdAt(n)
	worker = f.worker(natsURL)
	f.publish()
	waitFor(f.t, reached)
	return worker, release
}

func TestAPurgeSurvivesAWorkerThatIsKilled(t *testing.T) {
	atEachStop(t, func(t *testing.T, n int64) {
		server := natstest.Start(t, natstest.Config{})
		f := newFleet(t, server.URL())
		first, release := f.midway(server.URL(), n)
		first.Signal(t, syscall.SIGKILL)
		require.Equal(t, -1, first.Wait(t))
		release()
		f.worker(server.URL())
		f.ended()
	})
}

func TestAPurgeSurvivesANATSThatIsKilledAndRestarted(t *testing.T) {
	atEachStop(t, func(t *testing.T, n int64) {
		server := natstest.StartProcess(t, natstest.Config{})
		f := newFleet(t, server.URL())
		_, release := f.midway(server.URL(), n)
		server.Kill()
		release()
		server.Start(t)
		f.ended()
	})
}

func TestAPurgeSurvivesAConnectionThatStallsLongerThanTheLease(t *testing.T) {
	atEachStop(t, func(t *testing.T, n int64) {
		server := natstest.Start(t, natstest.Config{})
		f := newFleet(t, server.URL())
		proxy := natstest.NewProxy(t, server.Addr())
		first, release := f.midway(proxy.URL(), n)
		proxy.Stall()
		second := f.worker(server.URL())
		// The first worker gives up by itself, before the second can begin.
		first.WaitFor(t, "lease was lost")
		release()
		result := f.ended()
		require.NotContains(t, second.Output(), "lease was lost")
		proxy.Resume()
		require.NotEmpty(t, result.Worker)
		f.ended() // the first worker, back again, changes nothing
	})
}

func TestAWorkerThatIsToldToStopGivesItsJobBack(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	f := newFleet(t, server.URL())
	first, release := f.midway(server.URL(), 18)
	first.Signal(t, syscall.SIGTERM)
	first.WaitFor(t, "drain")
	release()
	require.Zero(t, first.Wait(t), "a drained worker ends well")
	f.worker(server.URL())
	f.ended()
}

func waitFor(t *testing.T, reached <-chan struct{}) {
	t.Helper()
	clitest.Eventually(t, func() bool {
		select {
		case <-reached:
			return true
		default:
			return false
		}
	}, "the request never came")
}

func TestTheTablesRequestsAreMoreThanThoseAtWhichItIsStopped(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	f := newFleet(t, server.URL())
	f.worker(server.URL())
	f.publish()
	f.ended()
	require.Greater(t, f.store.Total(), slices.Max(stopAt), "the other tests stop nothing: %v", f.store.Counts())
	t.Log(f.store.Counts())
}
