package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/config"
	"deckhand/internal/natstest"
	"deckhand/internal/pulltest"
	"deckhand/internal/queue"
	"deckhand/internal/scan"
	"deckhand/internal/standin"
	"deckhand/jobs"
)

const ordersExpiry = "jobs.expire.POLARIS.lake.sales.orders"

// newLake has the table sales.orders, which is due, and sales.young, which is not.
func newLake(t *testing.T) *pulltest.Lake {
	t.Helper()
	lake := pulltest.New(t, "")
	now := time.Now()
	lake.Empty(t, pulltest.In("sales", "orders"), now, 9*24*time.Hour, time.Hour)
	lake.Empty(t, pulltest.In("sales", "young"), now, time.Hour)
	lake.Attach(t, pulltest.Expiry("keep5", pulltest.FiveDays), standin.Target{Namespace: []string{"sales"}})
	return lake
}

func TestOnceQueuesWhatIsDueAndSaysHowMuch(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	lake := newLake(t)
	require.NoError(t, lake.Server.AddGenericTable(pulltest.In("sales", "del\x1bta"), "delta"))
	got := producer(t, url, "once", "--config", lake.Config)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "2 tables in 2 namespaces, 0 failed, 0 broken policies")
	require.Regexp(t, `expire +1 due, 1 queued now`, got.Stdout)
	require.Contains(t, got.Stdout, "1 generic tables")
	require.NotContains(t, got.Stdout, "\x1b")
	require.Equal(t, "policy policies.keep5", queuedJob(t, js, ordersExpiry).RequestedBy)

	got = producer(t, url, "once", "--config", lake.Config, "--catalog=lake", "--json")
	require.Equal(t, 0, got.Code, got.Stderr)
	summary := decode[scan.Summary](t, got.Stdout)
	require.Equal(t, 2, summary.Catalogs[0].Tables)
	require.Equal(t, map[jobs.Kind]scan.KindCounts{jobs.Expire: {Waiting: 1}}, summary.Catalogs[0].Kinds)

	got = producer(t, url, "once", "--config", lake.Config)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `expire +0 due, 0 queued now, 1 queued before`, got.Stdout)
	require.NotContains(t, got.Stdout, "not counted")

	less, err := lake.Server.CreatePrincipal("less", "lake", "TABLE_WRITE_DATA", "NAMESPACE_LIST")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(lake.Folder+"/less.txt", []byte(less+"\n"), 0o600))
	config := lake.Configure(t, "less.yaml", fmt.Sprintf("catalogs:\n  lake:\n    rest: { uri: %q, credential_file: less.txt }\n", lake.Server.URI()))
	got = producer(t, url, "once", "--config", config)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `not counted +views: VIEW_READ_PROPERTIES is missing`, got.Stdout)
}

func TestOnceAndExplainSpeakOfEveryKindThatHasAWorker(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	lake := newLake(t)
	lake.Attach(t, pulltest.Policy(jobs.Orphans, "clean", `{"version":"2025-02-03","enable":true,"config":{"quarantine":"14d"}}`), standin.Target{})
	lake.Attach(t, pulltest.Policy(jobs.Manifests, "few", `{"version":"2025-02-03","enable":true,"config":{"min-commits":2}}`), standin.Target{})
	got := producer(t, url, "explain", "lake.sales.orders", "--config", lake.Config)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "orphans: due\n")
	require.Regexp(t, `quarantine +14d +\(policy\)`, got.Stdout)
	require.Contains(t, got.Stdout, "no search is known of")
	require.Contains(t, got.Stdout, "manifests: due\n")
	require.Contains(t, got.Stdout, "2 commits since the last rewrite; 2 make it due")

	got = producer(t, url, "once", "--config", lake.Config)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `expire +1 due, 1 queued now`, got.Stdout)
	require.Regexp(t, `orphans +2 due, 2 queued now`, got.Stdout)
	require.Regexp(t, `manifests +1 due, 1 queued now`, got.Stdout)
	require.Equal(t, "policy policies.clean", queuedJob(t, js, "jobs.orphans.POLARIS.lake.sales.young").RequestedBy)
	require.Equal(t, "policy policies.few", queuedJob(t, js, "jobs.manifests.POLARIS.lake.sales.orders").RequestedBy)
}

func TestOnceExitsByWhatWentWrong(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	lake := newLake(t)
	down := lake.Configure(t, "down.yaml", "catalogs:\n  down:\n    rest: { uri: \"http://127.0.0.1:1/api/catalog\" }\n")
	plain := lake.Configure(t, "plain.yaml", "catalogs:\n  lake:\n    locations: [s3://w/]\n")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"once", "--config", lake.Config, "--catalog=sea"}, 2, `catalog "sea" is not configured`},
		{[]string{"once", "--config", plain}, 2, "catalogs.lake has none, so nothing tells where its tables and policies are"},
		{[]string{"run", "--config", plain}, 2, "no rest section"},
		{[]string{"run", "--config", lake.Config, "--cron=x"}, 2, `--cron: "x" is not five fields`},
		{[]string{"run", "--config", lake.Config, "--interval=1ms"}, 2, "--interval: 1ms is too short"},
		{[]string{"once"}, 2, "no catalog is configured"},
		{[]string{"once", "--config", lake.Config, "--nats-url=nats://127.0.0.1:1"}, 4, "127.0.0.1:1"},
		{[]string{"once", "--config", down}, 4, "a catalog or the queue does not answer; try again"},
	} {
		got := producer(t, url, test.args...)
		require.Equal(t, test.code, got.Code, "%v: %s", test.args, got.Stderr)
		require.Contains(t, got.Stderr, test.want, "%v", test.args)
	}
	lake.Attach(t, pulltest.Expiry("wrong", `{"version":"2025-02-03","enable":true,"config":{"retain-lost":1}}`), standin.Target{Namespace: []string{"sales"}, Table: "young"})
	got := producer(t, url, "once", "--config", lake.Config)
	require.Equal(t, 3, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "1 broken policies")
	require.Contains(t, got.Stderr, "retain-last")
	require.NotNil(t, queuedJob(t, js, ordersExpiry), "the rest goes on")
}

func TestExplainSaysWhatAppliesAndWhy(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	lake := newLake(t)
	got := producer(t, url, "explain", "lake.sales.orders", "--config", lake.Config)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "lake.sales.orders\n")
	require.Contains(t, got.Stdout, "expire: due\n")
	require.Contains(t, got.Stdout, "policies.keep5, version 0, inherited")
	require.Contains(t, got.Stdout, "1 snapshot expires")
	require.Contains(t, got.Stdout, "no policy of type system.data-compaction applies")
	require.NotContains(t, got.Stdout, "unknown")

	got = producer(t, url, "explain", "sales.young", "--catalog=lake", "--config", lake.Config, "--json")
	require.Equal(t, 0, got.Code, got.Stderr)
	said := decode[explained](t, got.Stdout)
	require.Equal(t, "known", said.History)
	require.Equal(t, "young", said.Table)
	require.Len(t, said.Kinds, 4)
	require.False(t, said.Kinds[0].Due)
	stream, err := js.Stream(t.Context(), jobs.StreamName)
	require.NoError(t, err)
	require.Zero(t, stream.CachedInfo().State.Msgs, "nothing is queued")

	got = producer(t, "nats://127.0.0.1:1", "explain", "lake.sales.orders", "--config", lake.Config)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "what became of earlier jobs is unknown: ")
	require.Contains(t, got.Stdout, "expire: due\n")

	for _, test := range []struct {
		table string
		want  string
	}{
		{"lake.sales.nothing", "gone"}, {"sea.sales.orders", `catalog "sea" is not configured`}, {"lake.orders", "write catalog.namespace.table"}, {"orders", "has no namespace"},
	} {
		got = producer(t, url, "explain", test.table, "--config", lake.Config)
		require.Equal(t, 2, got.Code, got.Stderr)
		require.Contains(t, got.Stderr, test.want)
		require.Equal(t, 1, strings.Count(got.Stderr, "\n"), got.Stderr)
	}
	require.NoError(t, lake.Server.AddView(pulltest.In("sales", "v")))
	got = producer(t, url, "explain", "lake.sales.v", "--config", lake.Config)
	require.Equal(t, 2, got.Code, got.Stderr)
	require.Contains(t, got.Stderr, "view")
}

func TestEveryKindHasAReceiptThatIsPrinted(t *testing.T) {
	t.Parallel()
	for _, kind := range jobs.Kinds() {
		var out bytes.Buffer
		result := &jobs.Result{Kind: kind, Outcome: jobs.Completed, Namespace: []string{"n"}, Table: "t", Receipt: json.RawMessage(`{"worker":"w7","notes":["look at this"]}`)}
		require.NoError(t, printer{out: &out}.result(result))
		require.Contains(t, out.String(), "look at this", kind)
	}
}

func TestOrphansAndManifestsAreSubmittedByTheNamesOfPolicies(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	for kind, test := range map[string]struct{ set, params, wrong, want string }{
		"orphans":   {"quarantine=14d", `{"quarantine":"14d"}`, "older-than=1h", "1h is too small; the least is 1d"},
		"manifests": {"remove-dangling-deletes=false", `{"remove-dangling-deletes":false}`, "quarantine=14d", `unknown key "quarantine"`},
	} {
		submit := []string{"submit", kind, "--catalog=lake", "--table=sales.orders"}
		for _, wrong := range [][]string{{"--set", test.wrong}, {`--params={"no-key":1}`}, {"--metadata-location=s3://w/m.json"}} {
			got := producer(t, url, with(submit, wrong...)...)
			require.Equal(t, 2, got.Code, got.Stderr)
		}
		got := producer(t, url, with(submit, "--set", test.wrong)...)
		require.Contains(t, got.Stderr, test.want)
		got = producer(t, url, with(submit, "--set", test.set)...)
		require.Equal(t, 0, got.Code, got.Stderr)
		subject := "jobs." + kind + ".POLARIS.lake.sales.orders"
		require.Equal(t, "queued  "+subject+"\n", got.Stdout)
		require.JSONEq(t, test.params, string(queuedJob(t, js, subject).Params))
	}
}

func TestExpiriesAreSubmittedByTheNamesOfPolicies(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	submit := []string{"submit", "expire", "--catalog=lake", "--table=sales.orders"}
	got := producer(t, url, with(submit, "--set", "retain-last=5", "--set", "older_than=7d", "--dry-run")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, "queued  "+ordersExpiry+"\n", got.Stdout)
	job := queuedJob(t, js, ordersExpiry)
	require.JSONEq(t, `{"min-snapshots-to-keep":5,"max-snapshot-age":"7d"}`, string(job.Params))
	require.True(t, job.DryRun)
	require.Empty(t, job.TableUUID)
	for _, test := range []struct {
		args []string
		want string
	}{
		{with(submit, "--set=retain-lost=1"), `did you mean "retain-last"?`},
		{with(submit, "--set=retain-last"), "want key=value"},
		{with(submit, "--set=schedule=@daily"), "has no meaning in a job"},
		{with(submit, "--set=retain-last=1", `--params={"retain-last":1}`), "give one of them"},
		{with(submit, `--params={"retain-lost":1}`), `did you mean "retain-last"?`},
		{with(submit, "--metadata-location=s3://w/m.json"), "takes the table as the catalog has it"},
		{with(orders, "--set=retain-last=1"), "a purge has no settings"},
		{[]string{"submit", "expire", "--catalog=lake"}, "give --catalog and --table"},
	} {
		got = producer(t, url, test.args...)
		require.Equal(t, 2, got.Code, "%v: %s", test.args, got.Stderr)
		require.Contains(t, got.Stderr, test.want, "%v", test.args)
		require.Equal(t, 1, strings.Count(got.Stderr, "\n"), got.Stderr)
	}
}

// startProducer runs "producer run" and waits until it has reached the queue.
func startProducer(t *testing.T, lake *pulltest.Lake, url string, more ...string) *clitest.Process {
	t.Helper()
	process := clitest.Start(t, clitest.Command{Args: with([]string{"run", "--config", lake.Config, "--nats-url", url, "--jitter=0"}, more...)})
	process.WaitFor(t, "connected to the queue")
	return process
}

func TestAnotherProducerTakesOverWhenTheFirstOneStops(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	lake := newLake(t)
	first := startProducer(t, lake, url, "--interval=1h", "--name=first")
	first.WaitFor(t, "scanned catalog")
	queuedJob(t, js, ordersExpiry)
	stream, err := js.Stream(t.Context(), jobs.StreamName)
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context()))

	second := startProducer(t, lake, url, "--interval=1h", "--name=second")
	second.WaitFor(t, "not scanning for now")
	require.Contains(t, second.Output(), "lease producer is held by first since ")
	require.NotContains(t, second.Output(), "for job")
	require.NotContains(t, second.Output(), "scanned catalog")
	first.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, first.Wait(t), first.Output())
	second.WaitFor(t, "scanned catalog")
	queuedJob(t, js, ordersExpiry)
	second.Signal(t, syscall.SIGINT)
	require.Equal(t, 0, second.Wait(t), second.Output())
	require.NotContains(t, first.Output()+second.Output(), "level=WARN")
}

func TestAProducerScansAgainAndAgainAndShowsIt(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	lake := newLake(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	process := startProducer(t, lake, url, "--interval=1s", "--http="+address)
	clitest.Eventually(t, func() bool { return strings.Count(process.Output(), "scanned catalog") >= 3 }, "it does not scan again")
	queuedJob(t, js, ordersExpiry)
	get := func(path string) string {
		answer, err := http.Get("http://" + address + path)
		require.NoError(t, err)
		defer func() { _ = answer.Body.Close() }()
		require.Equal(t, http.StatusOK, answer.StatusCode)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return string(text)
	}
	get("/readyz")
	metrics := get("/metrics")
	require.Contains(t, metrics, `deckhand_scan_tables{catalog="lake"} 2`)
	require.Contains(t, metrics, `deckhand_jobs_published_total{catalog="lake",kind="expire"} 1`)
	require.Contains(t, metrics, `deckhand_catalog_requests_total{op="loadTable",status="304"}`)
	process.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, process.Wait(t), process.Output())
}

func TestAProducerThatWaitsForNATSStopsAtOnce(t *testing.T) {
	t.Parallel()
	lake := newLake(t)
	process := clitest.Start(t, clitest.Command{Args: []string{"run", "--config", lake.Config, "--nats-url=nats://127.0.0.1:1"}})
	process.WaitFor(t, "127.0.0.1:1")
	process.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, process.Wait(t), process.Output())
}

func TestAProducerOutlivesARestartOfNATS(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	_, err := queue.Setup(t.Context(), server.JetStream(t), queue.AssetsConfig{AckWait: 2 * time.Second})
	require.NoError(t, err)
	lake := newLake(t)
	process := startProducer(t, lake, server.URL(), "--interval=1s")
	process.WaitFor(t, "scanned catalog")
	server.Restart(t)
	scanned := strings.Count(process.Output(), "scanned catalog")
	clitest.Eventually(t, func() bool { return strings.Count(process.Output(), "scanned catalog") > scanned+1 }, "it does not scan again: %s", process.Output())
}

func TestScansBeginAtTheTimesOfCron(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 30, 0, 0, time.UTC)
	r := &runner{cfg: config.Producer{Cron: "CRON_TZ=Europe/Berlin 0 1-5 * * *", Interval: time.Minute}}
	require.Equal(t, "2026-07-01T23:00:00Z", r.first(now).UTC().Format(time.RFC3339))
	begun := time.Date(2026, 7, 1, 23, 0, 0, 0, time.UTC)
	require.Equal(t, "2026-07-02T02:00:00Z", r.next(begun, begun.Add(150*time.Minute)).UTC().Format(time.RFC3339), "those that passed are left out")

	r = &runner{cfg: config.Producer{Interval: time.Minute}}
	require.Equal(t, now, r.first(now))
	require.Equal(t, now.Add(time.Minute), r.next(now, now.Add(time.Second)))
	require.Equal(t, now.Add(time.Hour), r.next(now, now.Add(time.Hour)), "a scan that took long is followed at once")
}
