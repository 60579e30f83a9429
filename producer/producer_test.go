package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/command"
	"deckhand/internal/natstest"
	"deckhand/internal/pgtest"
	"deckhand/internal/queue"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestMain(m *testing.M) {
	clitest.RunIfChild(main)
	clitest.Isolate()
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

const uuid = "6f1c2c1e-9f3c-4a5e-8d7f-0b1d5c1a2b3c"

// orders are the flags of a valid purge.
var orders = []string{"submit", "purge", "--catalog=lake", "--table=sales.eu.orders", "--table-uuid=" + uuid, "--metadata-location=s3://w/m.json"}

const ordersSubject = "jobs.purge.POLARIS.lake.sales/eu.orders." + uuid

// producer runs a command that ends by itself, with a queue at url unless args say
// otherwise.
func producer(t *testing.T, url string, args ...string) clitest.Result {
	t.Helper()
	return clitest.RunHere(command.Main, newRoot(), "", with([]string{"--nats-url=" + url}, args...)...)
}

func with(args []string, more ...string) []string {
	return append(append([]string{}, args...), more...)
}

// serve runs a server with the streams of the configuration.
func serve(t *testing.T, assets queue.AssetsConfig) (string, jetstream.JetStream) {
	t.Helper()
	server := natstest.Start(t, natstest.Config{})
	js := server.JetStream(t)
	_, err := queue.Setup(t.Context(), js, assets)
	require.NoError(t, err)
	return server.URL(), js
}

func queuedJob(t *testing.T, js jetstream.JetStream, subject string) *jobs.Job {
	t.Helper()
	stream, err := js.Stream(t.Context(), jobs.StreamName)
	require.NoError(t, err)
	msg, err := stream.GetLastMsgForSubject(t.Context(), subject)
	require.NoError(t, err)
	job, err := jobs.Decode(msg.Data)
	require.NoError(t, err)
	return job
}

func decode[T any](t *testing.T, text string) (value T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &value), text)
	return value
}

func TestCommandLinesThatAreDocumentedExist(t *testing.T) {
	t.Parallel()
	clitest.CheckDocumented(t, "../README.md", newRoot)
}

func TestSubmittingTwiceIsHarmless(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	got := producer(t, url, orders...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, "queued  "+ordersSubject+"\n", got.Stdout)
	first := queuedJob(t, js, ordersSubject)
	require.Equal(t, []string{"sales", "eu"}, first.Namespace)

	got = producer(t, url, with(orders, "--json")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, submission{Publication: jobs.Publication{State: jobs.AlreadyQueued, Subject: ordersSubject}}, decode[submission](t, got.Stdout))
	require.Equal(t, first, queuedJob(t, js, ordersSubject))
}

func TestEveryFlagReachesTheJob(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	got := producer(t, url, "submit", "purge-view", "--catalog=my lake", "--table=a=2Eb.v", "--table-uuid=u", "--metadata-location=s3://w/v.json",
		"--location=s3://w/a", "--location=s3://w/b", "--realm=R", "--dry-run", "--not-before=2031-01-02T03:04:05Z", `--params={"x":1}`, "--json")
	require.Equal(t, 0, got.Code, got.Stderr)
	submitted := decode[submission](t, got.Stdout)
	require.Equal(t, "jobs.purge-view.R.my=20lake.a=2Eb.v.u", submitted.Subject)
	require.EqualValues(t, 1, submitted.Sequence)
	job := queuedJob(t, js, submitted.Subject)
	require.Equal(t, submitted.JobID, job.ID)
	require.WithinDuration(t, time.Now(), job.RequestedAt.Time, time.Minute)
	job.ID, job.RequestedAt = "", jobs.Timestamp{}
	require.Equal(t, &jobs.Job{
		Version: 1, Kind: jobs.PurgeView, Realm: "R", Catalog: "my lake", Namespace: []string{"a.b"}, Table: "v", TableUUID: "u",
		MetadataLocation: "s3://w/v.json", Locations: []string{"s3://w/a", "s3://w/b"}, DryRun: true,
		NotBefore: jobs.At(time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)), Params: json.RawMessage(`{"x":1}`),
	}, job)
}

func TestWholeJobsAreReadFromAFileOrStandardInput(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	job := jobs.Job{Version: 1, ID: "POLARIS.17", Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake", Namespace: []string{"n"}, Table: "t",
		EntityID: "17", MetadataLocation: "s3://w/m.json"}
	body, err := job.Encode()
	require.NoError(t, err)
	got := clitest.RunHere(command.Main, newRoot(), string(body), "submit", "purge", "--file=-", "--nats-url", url)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, &job, queuedJob(t, js, "jobs.purge.POLARIS.lake.n.t.17"))

	file := t.TempDir() + "/job.json"
	require.NoError(t, os.WriteFile(file, body, 0o600))
	got = producer(t, url, "submit", "purge", "--file", file)
	require.Equal(t, "already queued  jobs.purge.POLARIS.lake.n.t.17\n", got.Stdout)
	got = producer(t, url, "submit", "purge-view", "--file", file)
	require.Equal(t, 2, got.Code)
	require.Contains(t, got.Stderr, "is a purge, not a purge-view")
	for _, part := range []string{"purge-shard", "purge-finish"} {
		got = producer(t, url, "submit", part, "--file", file)
		require.Equal(t, 2, got.Code)
		require.Contains(t, got.Stderr, "a "+part+" is a part of a purge, which workers queue themselves; submit the purge")
	}
}

func TestBadJobsExitWithTwoAndOneLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"submit"}, "name one kind of job"},
		{[]string{"submit", "purgee"}, `kind "purgee" is not known`},
		{[]string{"submit", "purge", "--table=n.t"}, "give --catalog and --table"},
		{[]string{"submit", "purge", "--catalog=c", "--table=n.t", "--metadata-location=s3://w/m"}, "a purge needs --table-uuid and --metadata-location"},
		{[]string{"submit", "purge", "--catalog=c", "--table=n.t", "--table-uuid=u"}, "a purge needs --table-uuid and --metadata-location"},
		{[]string{"submit", "purge", "--catalog=c", "--table=t", "--table-uuid=u", "--metadata-location=s3://w/m"}, "has no namespace"},
		{[]string{"submit", "purge-files", "--catalog=c", "--table=n.t"}, "give the whole job with --file"},
		{[]string{"submit", "purge", "--file=absent.json"}, "absent.json: no such file"},
		{with(orders, "--file=x"), "--file holds the whole job"},
		{with(orders, "--not-before=tomorrow"), `--not-before: "tomorrow" is neither a time`},
		{with(orders, "--params=x"), "--params: is not JSON"},
		{with(orders, "--params=[1]"), "field params: is not an object"},
		{with(orders, "--timeout=-1s"), "--timeout: must not be negative"},
		{with(orders, "--realm="+strings.Repeat("long", 300)), "field catalog: makes a subject of"},
		{with(orders, "--config=absent.yaml"), "the configuration file absent.yaml does not exist"},
		{with(orders, "--nats-nkey=nope"), "nats: nkey: the file nope does not exist"},
		{[]string{"sbmit"}, `unknown command "sbmit" for "producer"; did you mean submit?`},
	} {
		got := producer(t, "nats://127.0.0.1:1", test.args...)
		require.Equal(t, 2, got.Code, "%v: %s", test.args, got.Stderr)
		require.Contains(t, got.Stderr, test.want)
		require.True(t, strings.HasPrefix(got.Stderr, "producer: "))
		require.Equal(t, 1, strings.Count(got.Stderr, "\n"), got.Stderr)
	}
}

func TestJSONIsPrintedOfAFailureToo(t *testing.T) {
	t.Parallel()
	denying := natstest.Start(t, natstest.Config{Conf: `authorization { users: [ {user: p, password: p, permissions: {publish: ["none"], subscribe: ["_INBOX.>"]}} ] }`}).URL()
	bare := natstest.Start(t, natstest.Config{}).URL()
	withStreams, _ := serve(t, queue.AssetsConfig{})
	for _, test := range []struct {
		url   string
		args  []string
		code  int
		state string
	}{
		{"nats://127.0.0.1:1", orders, 4, "unreachable"},
		{strings.Replace(denying, "nats://", "nats://p:p@", 1), orders, 4, "denied"},
		{bare, orders, 4, "no stream"},
		{withStreams, with(orders, "--wait", "--timeout=300ms"), 4, "timeout"},
		{"", with(orders, "--params=x"), 2, "bad input"},
		{"", []string{"submit", "purgee"}, 2, "bad input"},
		{"", []string{"submit", "purge", "--tabel=x"}, 2, "bad input"},
		{"", with(orders, "--config=absent.yaml"), 2, "bad input"},
	} {
		var got clitest.Result
		if slices.Contains(test.args, "--tabel=x") { // then --json is looked for among the process' arguments
			got = clitest.Run(t, clitest.Command{Args: with(test.args, "--json")})
		} else {
			got = producer(t, test.url, with(test.args, "--json")...)
		}
		require.Equal(t, test.code, got.Code, got.Stderr)
		failure := decode[map[string]string](t, got.Stdout)
		require.Equal(t, test.state, failure["state"], got.Stderr)
		require.Contains(t, got.Stderr, "producer: "+failure["error"]+"\n")
		if test.code == 2 { // the others take a while
			require.Empty(t, producer(t, test.url, test.args...).Stdout, "only with --json")
		}
	}
}

func TestRealmComesFromTheConfiguredCatalog(t *testing.T) {
	t.Parallel()
	url, js := serve(t, queue.AssetsConfig{})
	file := t.TempDir() + "/c.yaml"
	yaml := "catalogs: {one: {name: lake, realm: R1, locations: [/w]}, two: {name: sea, realm: R1, locations: [/w]}, three: {name: sea, realm: R2, locations: [/w]}}"
	require.NoError(t, os.WriteFile(file, []byte(yaml), 0o600))
	got := producer(t, url, with(orders, "--config", file)...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, "R1", queuedJob(t, js, "jobs.purge.R1.>").Realm)
	got = producer(t, url, with(orders, "--config", file, "--catalog=sea")...)
	require.Equal(t, 2, got.Code)
	require.Contains(t, got.Stderr, "choose with --realm")
	got = producer(t, url, with(orders, "--config", file, "--catalog=unheard")...)
	require.Equal(t, 0, got.Code, "a producer need not know the catalogs")
}

func TestAFullOrUnreachableQueueExitsWithFour(t *testing.T) {
	t.Parallel()
	got := producer(t, "nats://127.0.0.1:1", orders...)
	require.Equal(t, 4, got.Code)
	require.Contains(t, got.Stderr, "no server answers")

	server := natstest.Start(t, natstest.Config{})
	got = producer(t, server.URL(), orders...)
	require.Equal(t, 4, got.Code)
	require.Contains(t, got.Stderr, `create the streams with "worker setup"`)

	url, js := serve(t, queue.AssetsConfig{JobsMaxBytes: 1 << 20})
	filler := json.RawMessage(`{"x":"` + strings.Repeat("x", 50_000) + `"}`)
	for i := 0; ; i++ {
		_, err := jobs.Publish(t.Context(), js, &jobs.Job{Version: 1, ID: "j", Kind: jobs.Purge, Realm: "r", Catalog: "c",
			Namespace: []string{"n"}, Table: fmt.Sprint(i), TableUUID: "u", MetadataLocation: "m", Params: filler}, jobs.PublishOptions{})
		if errors.Is(err, jobs.ErrQueueFull) {
			break
		}
		require.NoError(t, err)
	}
	got = producer(t, url, with(orders, "--params", string(filler))...)
	require.Equal(t, 4, got.Code)
	require.Contains(t, got.Stderr, "queue is full")
	require.NotContains(t, got.Stdout, "queued")
	got = producer(t, url, with(orders, "--json", "--params", string(filler))...)
	require.Equal(t, "full", decode[map[string]string](t, got.Stdout)["state"])
}

func TestAUserWithoutRepliesIsToldSoAtOnce(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `authorization { users: [ {user: p, password: p, permissions: {publish: [">"], subscribe: ["_DECK.>"]}} ] }`})
	got := clitest.Run(t, clitest.Command{Args: with(orders, "--nats-user=p", "--nats-url="+server.URL()), Env: []string{"NATS_PASSWORD=p"}})
	require.Equal(t, 4, got.Code)
	require.Equal(t, "producer: NATS lets this user receive no replies: allow it to subscribe to _INBOX.>, or set nats.inbox_prefix to a prefix that it may subscribe to\n", got.Stderr)
}

// handler ends jobs by their table's name.
type handler struct{}

func (handler) Run(ctx context.Context, job *jobs.Job, _ jobs.Progress) (any, error) {
	receipt := &purge.Receipt{Verified: "none", Deleted: purge.Counts{purge.Data: {Files: 7}}}
	switch job.Table {
	case "bad":
		return receipt, jobs.Permanent(errors.New("cannot be"))
	case "slow":
		<-ctx.Done()
		return receipt, context.Cause(ctx)
	}
	return receipt, nil
}

func startWorker(t *testing.T, js jetstream.JetStream) *queue.Queue {
	t.Helper()
	q, stop := runWorker(t, js, map[jobs.Kind]jobs.Handler{jobs.Purge: handler{}})
	t.Cleanup(stop)
	return q
}

// runWorker runs a worker until stop, which may be called twice.
func runWorker(t *testing.T, js jetstream.JetStream, handlers map[jobs.Kind]jobs.Handler) (q *queue.Queue, stop func()) {
	t.Helper()
	q, err := queue.Open(t.Context(), js, queue.Config{Drain: time.Millisecond})
	require.NoError(t, err)
	slots := map[jobs.Kind]int{}
	for kind := range handlers {
		slots[kind] = 2
	}
	worker, err := queue.NewWorker(q, queue.WorkerConfig{Name: "w", Slots: slots, Handlers: handlers, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	return q, sync.OnceFunc(func() { cancel(); require.NoError(t, <-done) })
}

func TestWaitingPrintsTheReceiptAndExitsByTheOutcome(t *testing.T) {
	t.Parallel()
	// A run that meets the lease of the run before it comes back after up to three
	// eighths of this.
	url, js := serve(t, queue.AssetsConfig{AckWait: 16 * time.Second})
	q := startWorker(t, js)
	got := producer(t, url, with(orders, "--wait")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `^completed in \S+  sales\.eu\.orders\n`, got.Stdout)
	require.Contains(t, got.Stdout, "7 files")

	got = producer(t, url, with(orders, "--wait", "--json")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	result := decode[jobs.Result](t, got.Stdout)
	require.Equal(t, jobs.Completed, result.Outcome)
	require.EqualValues(t, 2, result.JobSequence, "the second run, not the first one's record")
	require.Empty(t, got.Stderr)

	got = producer(t, url, with(orders, "--wait", "--table=n.bad")...)
	require.Equal(t, 3, got.Code)
	require.Contains(t, got.Stderr, "producer: the job is dead: ")
	require.Contains(t, got.Stderr, "cannot be")
	got = producer(t, url, with(orders, "--wait", "--json", "--table=n.bad")...)
	require.Equal(t, 3, got.Code)
	require.Equal(t, jobs.Dead, decode[jobs.Result](t, got.Stdout).Outcome, "one object")

	// Who waits for a job that is there already gets that job's end.
	slow := with(orders, "--table=n.slow")
	require.Equal(t, 0, producer(t, url, slow...).Code)
	waiter := clitest.Start(t, clitest.Command{Args: with(slow, "--wait", "--nats-url="+url)})
	waiter.WaitFor(t, "already queued")
	require.NoError(t, q.Cancel(t.Context(), "purge.POLARIS.lake.n.slow."+uuid, "a test"))
	require.Equal(t, 3, waiter.Wait(t), waiter.Output())
	require.Contains(t, waiter.Output(), "the job is canceled: ")
}

func TestAJobThatWasRemovedByHandIsDeadToWhoeverWaits(t *testing.T) {
	t.Parallel()
	// The queue's own tests remove one; it takes a minute and a half to be sure.
	require.Equal(t, command.Dead, waitCode(fmt.Errorf("wait for result of x: %w", queue.ErrRemoved)))
	require.Equal(t, command.TryAgain, waitCode(fmt.Errorf("wait for result of x: %w", errTimeout)))
}

func TestNamesWithControlCharactersAreQuoted(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	result := &jobs.Result{Outcome: jobs.Completed, Kind: jobs.Purge, Namespace: []string{"n"}, Table: "x\x1b[2J\nFORGED"}
	require.NoError(t, printer{out: &out}.result(result))
	require.Equal(t, "completed  \"n.x\\x1b[2J\\nFORGED\"\n", out.String())
}

func TestWaitingGivesUpInTime(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, queue.AssetsConfig{})
	got := producer(t, url, with(orders, "--wait", "--timeout=500ms")...)
	require.Equal(t, 4, got.Code)
	require.Contains(t, got.Stderr, "gave up; raise --timeout")
}

func TestTimesAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"24h": now.Add(24 * time.Hour), "2026-02-01T00:00:00Z": time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
		"2026-02-01T00:00:00+02:00": time.Date(2026, 1, 31, 22, 0, 0, 0, time.UTC),
	} {
		got, err := parseTime(text, now)
		require.NoError(t, err)
		require.Equal(t, want, got.Time)
	}
}

func TestEveryFlagHasAVariableThatBothBinariesKnow(t *testing.T) {
	t.Parallel()
	for _, cmd := range append(newRoot().Commands(), newRoot()) {
		for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			set.VisitAll(func(flag *pflag.Flag) {
				require.True(t, command.KnownVariable(flag.Name) || flag.Name == "help" || flag.Name == "version", "%s --%s", cmd.CommandPath(), flag.Name)
			})
		}
	}
}

func TestHelpShowsHowToBegin(t *testing.T) {
	t.Parallel()
	got := producer(t, "", "--help")
	require.Equal(t, 0, got.Code)
	require.Contains(t, got.Stdout, "producer submit purge --catalog lake --table sales.orders")
	require.Regexp(t, `^producer \S+ \(`, producer(t, "", "--version").Stdout)
}
