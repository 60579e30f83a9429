package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/natstest"
	"deckhand/internal/queue"
	"deckhand/internal/s3test"
	"deckhand/jobs"
)

// startWorker runs "worker run" with more arguments and a free port for health.
func startWorker(t *testing.T, y yard, args ...string) (process *clitest.Process, health string) {
	t.Helper()
	health = freeAddress(t)
	process = clitest.Start(t, clitest.Command{
		Args: append([]string{"run", "--config", y.config, "--http", health}, args...), Dir: y.folder,
	})
	return process, "http://" + health
}

// freeAddress was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// get answers with the code 0 when nobody listens.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func waitReady(t *testing.T, process *clitest.Process, health string) {
	t.Helper()
	clitest.Eventually(t, func() bool {
		code, _ := get(t, health+"/readyz")
		return code == http.StatusOK
	}, "worker is not ready: %s", process.Output())
}

func TestEmbeddedWorkerPurgesWhatTheProducerSubmits(t *testing.T) {
	t.Parallel()
	producer := clitest.Build(t, "producer")
	y := newYard(t, "")
	table := y.table(t, "db/orders")
	count := y.tableFiles(t, "db/orders")
	address := freeAddress(t)
	// A run that meets the lease of the run before it comes back after up to three
	// eighths of the ack wait.
	worker1, health := startWorker(t, y, "--embedded", "--slots", "purge=4", "--nats-url", "nats://"+address, "--ack-wait", "16s")
	waitReady(t, worker1, health)
	tool := func(program string, args ...string) clitest.Result {
		if program == "" {
			return worker(t, append(args, "--nats-url", "nats://"+address)...)
		}
		return clitest.Run(t, clitest.Command{Program: program, Args: args, Env: []string{"NATS_URL=nats://" + address}})
	}
	submit := []string{"submit", "purge", "--catalog", "lake", "--table", "db.orders", "--table-uuid", table.UUID, "--metadata-location", table.MetadataLocation}
	tail := "purge.POLARIS.lake.db.orders." + table.UUID

	got := tool(producer, append(submit, "--wait")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "completed in ")
	require.Contains(t, got.Stdout, fmt.Sprintf(" %d files", count))
	require.Empty(t, y.files(t, "db"))

	// Its metadata is gone, and this job had not begun: it dies.
	got = tool(producer, append(submit, "--wait")...)
	require.Equal(t, 3, got.Code)
	require.Contains(t, got.Stderr, "producer: the job is dead")

	got = tool("", "dead", "ls")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, tail)
	got = tool("", "dead", "show", "dead."+tail)
	require.Contains(t, got.Stdout, `"table":"orders"`)
	require.Contains(t, got.Stdout, "does not exist")

	// Requeued it dies again at once, and the letter is there again.
	got = tool("", "dead", "requeue", "purge.POLARIS.lake.>")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, "queued  "+tail+"\n", got.Stdout)
	clitest.Eventually(t, func() bool {
		letters := decode[[]queue.DeadLetter](t, tool("", "dead", "ls", "--json").Stdout)
		return len(letters) == 1 && letters[0].Tail == tail
	}, "the job did not die again")

	// A job for later can be canceled.
	later := append([]string{}, submit...)
	later[5] = "db.later"
	got = tool(producer, append(later, "--not-before", "1h")...)
	require.Equal(t, "queued  jobs.purge.POLARIS.lake.db.later."+table.UUID+"\n", got.Stdout)
	got = tool(producer, later...)
	require.Equal(t, 0, got.Code)
	require.Equal(t, "already queued  jobs.purge.POLARIS.lake.db.later."+table.UUID+"\n", got.Stdout)
	got = tool("", "cancel", "jobs.purge.POLARIS.lake.db.later."+table.UUID, "--by", "tester")
	require.Equal(t, 0, got.Code, got.Stderr)
	got = tool("", "cancel", "jobs.purge.POLARIS.lake.db.later."+table.UUID)
	require.Equal(t, 1, got.Code)
	require.Contains(t, got.Stderr, `see "worker status"`)

	got = tool("", "status")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `(?m)^purge +0 +- +0 +0 +1 `, got.Stdout)
	require.Regexp(t, `(?m)ago +canceled +.*canceled by tester`, got.Stdout)
	require.Regexp(t, `(?m)ago +completed .*`+regexp.QuoteMeta(tail), got.Stdout)

	got = tool("", "dead", "drop", tail)
	require.Equal(t, 0, got.Code, got.Stderr)
	got = tool("", "dead", "drop", tail)
	require.Equal(t, 1, got.Code)
	require.Contains(t, got.Stderr, "no such dead letter")

	var metrics string
	clitest.Eventually(t, func() bool { // the first look at the queue may be late
		_, metrics = get(t, health+"/metrics")
		return strings.Contains(metrics, "deckhand_dead_letters")
	}, "no metrics of the queue: %s", metrics)
	for _, want := range []string{
		`deckhand_jobs_settled_total{kind="purge",outcome="completed"} 1`, `deckhand_jobs_settled_total{kind="purge",outcome="dead"} 2`,
		fmt.Sprintf("deckhand_files_deleted_total %d", count), `deckhand_job_slots{kind="purge"} 4`, `deckhand_jobs_running{kind="purge"} 0`,
		`deckhand_dead_letters{kind="purge"} 0`, `deckhand_queue_messages{kind="purge",state="waiting"} 0`, `deckhand_queue_oldest_seconds{kind="purge"} 0`,
	} {
		require.Contains(t, metrics, want)
	}

	worker1.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, worker1.Wait(t), worker1.Output())

	// The queue is kept: a second worker on the folder sees the history.
	worker2, health := startWorker(t, y, "--embedded", "--slots", "purge=4", "--nats-url", "nats://"+address)
	waitReady(t, worker2, health)
	require.Contains(t, tool("", "status").Stdout, "completed")

	// A third one cannot have the folder, nor the port.
	got = clitest.Run(t, clitest.Command{Args: []string{"run", "--config", y.config, "--embedded", "--http=off", "--nats-url", nowhere}, Dir: y.folder})
	require.Equal(t, 1, got.Code)
	require.Contains(t, got.Stderr, "in use by another process")
	got = clitest.Run(t, clitest.Command{Args: []string{"run", "--config", y.config, "--embedded", "--http=off", "--nats-url", "nats://" + address}})
	require.Equal(t, 1, got.Code)
	require.Contains(t, got.Stderr, "is in use, perhaps by another NATS server")
}

func TestWorkerWaitsForNATSAndSaysSo(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	server.Stop()
	process, health := startWorker(t, newYard(t, ""), "--nats-url", server.URL())
	process.WaitFor(t, "waiting for NATS")
	code, _ := get(t, health+"/livez")
	require.Equal(t, 200, code, "a worker that waits is alive")
	code, body := get(t, health+"/readyz")
	require.Equal(t, 503, code)
	require.Equal(t, "waiting for a connection to NATS\n", body)

	server.Restart(t)
	waitReady(t, process, health)
	server.Stop()
	clitest.Eventually(t, func() bool {
		code, _ := get(t, health+"/readyz")
		return code == 503
	}, "still ready without NATS")
	code, _ = get(t, health+"/livez")
	require.Equal(t, 200, code)
	server.Restart(t)
	waitReady(t, process, health)
	process.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, process.Wait(t), process.Output())
}

func TestWaitingWorkerStopsAtOnce(t *testing.T) {
	t.Parallel()
	process, _ := startWorker(t, newYard(t, ""), "--nats-url", nowhere)
	process.WaitFor(t, "waiting for NATS")
	process.Signal(t, os.Interrupt)
	require.Equal(t, 0, process.Wait(t), process.Output())
}

func TestWorkerWaitsForJetStreamAndSaysSo(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{NoJetStream: true})
	process, health := startWorker(t, newYard(t, ""), "--nats-url", server.URL())
	process.WaitFor(t, "JetStream is off")
	code, body := get(t, health+"/readyz")
	require.Equal(t, 503, code)
	require.Equal(t, "waiting for the streams\n", body)
	process.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, process.Wait(t), process.Output())
}

func TestWorkerRefusesStreamsThatBreakItsPromises(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	_, err := queue.Setup(t.Context(), server.JetStream(t), queue.AssetsConfig{AckWait: 30 * time.Second})
	require.NoError(t, err)
	process, _ := startWorker(t, newYard(t, ""), "--nats-url", server.URL(), "--ack-wait", "1m")
	require.Equal(t, 1, process.Wait(t))
	require.Contains(t, process.Output(), "ack wait of 1m0s")
}

func TestSecondSignalEndsTheWorkerAtOnce(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	store := s3test.Start(t, s3test.Options{Latency: time.Hour})
	y := newYard(t, fmt.Sprintf("  slow:\n    locations: [s3://warehouse/]\n    purge: {verify: off}\n    s3: {endpoint: %q, path_style: true, access_key_id: k, secret_access_key: s}\n", store.StorageConfig().Endpoint))
	process, health := startWorker(t, y, "--nats-url", server.URL(), "--drain", "1h")
	waitReady(t, process, health)
	_, err := jobs.Publish(t.Context(), server.JetStream(t), &jobs.Job{
		Version: 1, ID: "j", Kind: jobs.Purge, Realm: "POLARIS", Catalog: "slow", Namespace: []string{"db"}, Table: "t", TableUUID: "u",
		MetadataLocation: "s3://warehouse/db/t/metadata/x.metadata.json",
	}, jobs.PublishOptions{})
	require.NoError(t, err)
	clitest.Eventually(t, func() bool {
		status := decode[queue.Status](t, worker(t, "status", "--json", "--nats-url", server.URL()).Stdout)
		return len(status.Running) == 1 && status.Kinds[0].Running == 1
	}, "the job does not run")
	clitest.Eventually(t, func() bool {
		_, metrics := get(t, health+"/metrics")
		return strings.Contains(metrics, `deckhand_jobs_running{kind="purge"} 1`)
	}, "the metrics do not show it")

	process.Signal(t, syscall.SIGTERM)
	process.WaitFor(t, "drains")
	process.Signal(t, syscall.SIGTERM)
	require.Equal(t, -1, process.Wait(t), "a signal ended it")
}

func TestDefaultAddressThatIsTakenKeepsNobodyFromRunning(t *testing.T) {
	t.Parallel()
	// Whoever has the default address, this test or another process, it is taken.
	if listener, err := net.Listen("tcp", "127.0.0.1:9464"); err == nil {
		defer listener.Close()
	}
	server := natstest.Start(t, natstest.Config{})
	process := clitest.Start(t, clitest.Command{Args: []string{"run", "--config", newYard(t, "").config, "--nats-url", server.URL()}})
	process.WaitFor(t, "the default address is in use")
	process.WaitFor(t, "connected to the queue")
	process.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, process.Wait(t), process.Output())

	// Who asks for it by name wants to be served there.
	got := worker(t, "run", "--config", newYard(t, "").config, "--nats-url", server.URL(), "--http", "127.0.0.1:9464")
	require.Equal(t, 2, got.Code)
	require.Contains(t, got.Stderr, "address already in use; choose another address with --http, or off")
}

func TestPortOfTheEmbeddedServer(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]int{"nats://127.0.0.1:4333": 4333, "nats://127.0.0.1:0": -1} {
		got, err := embeddedPort(address)
		require.NoError(t, err)
		require.Equal(t, want, got, address)
	}
}
