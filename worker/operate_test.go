package main

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/command"
	"deckhand/internal/natstest"
	"deckhand/internal/queue"
	"deckhand/internal/s3test"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestSetupCreatesReportsAndOverwritesOnlyWhenTold(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	js := server.JetStream(t)
	setup := func(args ...string) clitest.Result {
		return worker(t, append([]string{"setup", "--nats-url", server.URL()}, args...)...)
	}
	got := setup()
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "created JOBS\n")
	got = setup()
	require.Equal(t, 0, got.Code)
	require.Equal(t, "all streams and buckets are as they must be\n", got.Stdout)

	stream, err := js.Stream(t.Context(), jobs.StreamName)
	require.NoError(t, err)
	changed := stream.CachedInfo().Config
	changed.DiscardNewPerSubject = false
	_, err = js.UpdateStream(t.Context(), changed)
	require.NoError(t, err)
	got = setup()
	require.Equal(t, 3, got.Code)
	require.Contains(t, got.Stdout, "differs JOBS: discard_new_per_subject is false")
	require.Contains(t, got.Stderr, "overwrite all that differs with --update-streams")
	got = setup("--update-streams")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, "changed JOBS: discard_new_per_subject false → true\n", got.Stdout)
	got = setup()
	require.Equal(t, "all streams and buckets are as they must be\n", got.Stdout)
}

func TestSetupLeavesReplicasAndAckWaitUnlessTheyAreGiven(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	js := server.JetStream(t)
	setup := func(args ...string) clitest.Result {
		return worker(t, append([]string{"setup", "--nats-url", server.URL()}, args...)...)
	}
	require.Equal(t, 0, setup("--ack-wait", "30s").Code)
	for _, args := range [][]string{nil, {"--update-streams"}} {
		got := setup(args...)
		require.Equal(t, 0, got.Code, got.Stderr)
		require.Equal(t, "all streams and buckets are as they must be\n", got.Stdout)
	}
	consumer, err := js.Consumer(t.Context(), "JOBS", "purge")
	require.NoError(t, err)
	require.Equal(t, 30*time.Second, consumer.CachedInfo().Config.AckWait)
	got := setup("--ack-wait", "40s")
	require.Equal(t, 3, got.Code, got.Stdout+got.Stderr)
	require.Contains(t, got.Stdout, "differs JOBS/purge: ack_wait is 30s, want 40s")
	got = setup("--ack-wait", "40s", "--update-streams")
	require.Equal(t, 0, got.Code, got.Stdout+got.Stderr)
	require.Contains(t, got.Stdout, "changed JOBS/purge: ack_wait 30s → 40s\n")

	// What an operator may choose is no error, but how to undo it is said.
	stream, err := js.Stream(t.Context(), "RESULTS")
	require.NoError(t, err)
	changed := stream.CachedInfo().Config
	changed.MaxAge = time.Hour
	_, err = js.UpdateStream(t.Context(), changed)
	require.NoError(t, err)
	got = setup()
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "differs RESULTS: max_age is 1h")
	require.Equal(t, "worker: workers run with these differences; keep them, or overwrite them with --update-streams\n", got.Stderr)
}

// grants is a user who may do what a worker needs, without one subject.
func grants(without string) string {
	var allowed []string
	for _, right := range rights() {
		if right.grant != without {
			allowed = append(allowed, `"`+right.grant+`"`)
		}
	}
	return `authorization { users: [
		{user: admin, password: p},
		{user: w, password: p, permissions: {publish: [` + strings.Join(allowed, ", ") + `], subscribe: ["_INBOX.>"]}} ] }`
}

func TestDoctorNamesTheRightThatIsMissingAndStoresNothing(t *testing.T) {
	t.Parallel()
	for without, want := range map[string]string{
		"":            "ok  +nats +rights +[0-9]+ of",
		"results.>":   `FAIL +nats +rights +publishing to results\.deckhand-doctor is denied; allow this user to publish to results\.>`,
		"$KV.locks.>": `FAIL +nats +rights +publishing to \$KV\.locks\.deckhand-doctor is denied`,
		"jobs.>":      `warn +nats +rights +publishing to jobs\.deckhand-doctor is denied, so "dead requeue" fails, and so do purges in shards`,
	} {
		server := natstest.Start(t, natstest.Config{Conf: grants(without)})
		env := []string{"NATS_URL=" + server.URL(), "NATS_PASSWORD=p"}
		js := natstest.JetStream(t, natstest.Connect(t, strings.Replace(server.URL(), "nats://", "nats://admin:p@", 1)))
		_, err := queue.Setup(t.Context(), js, queue.AssetsConfig{})
		require.NoError(t, err)
		_, err = jobs.Publish(t.Context(), js, &jobs.Job{Version: 1, ID: "j", Kind: jobs.Purge, Realm: "r", Catalog: "c",
			Namespace: []string{"n"}, Table: "t", TableUUID: "u", MetadataLocation: "s3://x/y"}, jobs.PublishOptions{})
		require.NoError(t, err)

		got := clitest.Run(t, clitest.Command{Args: []string{"doctor", "--nats-user", "w", "--config", newYard(t, "").config}, Env: env})
		require.Regexp(t, want, got.Stdout)
		if strings.HasPrefix(want, "FAIL") {
			require.Equal(t, 1, got.Code)
			require.Equal(t, "worker: 1 check failed\n", got.Stderr)
		} else {
			require.Equal(t, 0, got.Code, got.Stdout)
		}
		for name, messages := range map[string]uint64{"JOBS": 1, "DEAD": 0, "RESULTS": 0, "KV_locks": 0, "KV_progress": 0, "KV_shards": 0} {
			stream, err := js.Stream(t.Context(), name)
			require.NoError(t, err)
			require.Equal(t, messages, stream.CachedInfo().State.Msgs, name)
		}
		consumer, err := js.Consumer(t.Context(), "JOBS", "purge")
		require.NoError(t, err)
		require.EqualValues(t, 1, consumer.CachedInfo().NumPending, "the job was not taken")
		require.Zero(t, consumer.CachedInfo().NumWaiting)
	}
}

func TestAUserWithoutRepliesIsToldSoAtOnce(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `authorization { users: [ {user: w, password: p, permissions: {publish: [">"], subscribe: ["_DECK.>"]}} ] }`})
	const want = "NATS lets this user receive no replies: allow it to subscribe to _INBOX.>, or set nats.inbox_prefix"
	y := newYard(t, "nats: {user: w, password: p}\n")
	args := func(args ...string) []string { return append(args, "--config", y.config, "--nats-url", server.URL()) }

	got := worker(t, args("doctor")...)
	require.Equal(t, 1, got.Code)
	require.Regexp(t, `(?m)^FAIL +nats +replies +`+want, got.Stdout)
	require.Regexp(t, `(?m)^ok +nats +rights +[0-9]+ of`, got.Stdout, "publishing can be tried all the same")
	require.Equal(t, "worker: 1 check failed\n", got.Stderr)
	got = worker(t, args("status")...)
	require.Equal(t, 1, got.Code)
	require.True(t, strings.HasPrefix(got.Stderr, "worker: "+want), got.Stderr)
	require.Equal(t, 0, worker(t, args("setup", "--nats-inbox-prefix", "_DECK")...).Code)

	process, _ := startWorker(t, y, "--nats-url", server.URL())
	process.WaitFor(t, want)
	process.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, process.Wait(t), process.Output())
}

func TestDoctorSaysThatTheStreamsAreMissing(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	got := worker(t, "doctor", "--config", newYard(t, "").config, "--nats-url", server.URL())
	require.Equal(t, 1, got.Code)
	require.Regexp(t, `FAIL +nats +streams +streams are missing: .*create them with "worker setup"`, got.Stdout)
}

func TestDoctorTriesEachLocationAndLeavesNothing(t *testing.T) {
	t.Parallel()
	store := s3test.Start(t, s3test.Options{CheckAuth: true})
	store.Put("warehouse", "db/t/data/1.parquet", []byte("x"))
	s3 := store.StorageConfig()
	catalog := func(secretKey string) string {
		return "  cloud:\n    realm: R2\n    locations: [s3://warehouse/db/]\n    purge: {verify: off}\n    s3: {endpoint: '" + s3.Endpoint + "', path_style: true, access_key_id: " + secretKey + ", secret_access_key: x}\n" +
			"  lost:\n    locations: [file:///nowhere/at/all]\n    purge: {verify: off}\n"
	}
	y := newYard(t, catalog(s3test.AccessKeyID))
	y.table(t, "db/orders")
	before := y.files(t, "")
	got := worker(t, "doctor", "--no-nats", "--config", y.config)
	require.Equal(t, 1, got.Code)
	require.Equal(t, "worker: 1 check failed\n", got.Stderr)
	for _, want := range []string{
		`ok +catalog lake +list +file:///`, `ok +catalog lake +read +file:///`, `ok +catalog lake +delete +file:///`,
		`ok +catalog cloud of R2 +list +s3://warehouse/db/`, `ok +catalog cloud of R2 +read +s3://warehouse/db/t/data/1.parquet`,
		`ok +catalog cloud of R2 +delete +s3://warehouse/db/`, `ok +catalog cloud of R2 +clock +agrees`,
		`FAIL +catalog lost +list +file:///nowhere/at/all is not a folder on this machine`,
	} {
		require.Regexp(t, want, got.Stdout)
	}
	require.Equal(t, before, y.files(t, ""))

	got = worker(t, "doctor", "--no-nats", "--json", "--config", newYard(t, catalog("wrong")).config)
	require.Equal(t, 1, got.Code)
	var verdicts []verdict
	for _, finding := range decode[[]finding](t, got.Stdout) {
		if finding.Area == "catalog cloud of R2" {
			verdicts = append(verdicts, finding.Verdict)
		}
	}
	require.Equal(t, []verdict{verdictWarn, verdictWarn, verdictSkip, verdictFail, verdictOK}, verdicts)
}

func TestClockThatIsWrongIsReported(t *testing.T) {
	t.Parallel()
	for off, want := range map[time.Duration]finding{
		0:                 {verdictOK, "a", "clock", "agrees with "},
		time.Minute:       {verdictWarn, "a", "clock", "behind "},
		-20 * time.Minute: {verdictFail, "a", "clock", "ahead of "},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusForbidden)
		}))
		report := &report{}
		examineClock(context.Background(), server.URL, "requests are refused at 15m", "a", report)
		server.Close()
		require.Len(t, report.findings, 1)
		require.Equal(t, want.Verdict, report.findings[0].Verdict)
		require.Contains(t, report.findings[0].Detail, want.Detail)
	}
}

func TestStatusIsATableForPeople(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	at := func(ago time.Duration) jobs.Timestamp { return jobs.At(now.Add(-ago)) }
	var out strings.Builder
	require.NoError(t, printStatus(&out, &queue.Status{
		Time: at(0),
		Kinds: []queue.KindStatus{
			{Kind: jobs.Purge, Waiting: 12, OldestWaiting: 90 * time.Second, Running: 1, Delayed: 2, Dead: 1, NewestDead: "purge.R.c.n.t.u"},
			{Kind: jobs.PurgeView, PausedUntil: at(-time.Hour)},
		},
		Purges: []queue.SharedPurge{
			{Tail: "purge.R.c.n.huge.u", Shards: 100, Done: 12, Ongoing: 2, Waiting: 85, Dead: 1, Files: 10_000_000, FilesDone: 1_234_567, Created: at(time.Hour),
				FilesPerSecond: 3456, Left: 42 * time.Minute, DeadShards: []string{"purge-shard.R.c.n.huge.u.0007"}, Running: []queue.RunningJob{{Tail: "purge-shard.R.c.n.huge.u.0008"}}},
			{Tail: "purge.R.c.n.vast.u", Shards: 3, Done: 1, Missing: 2, Files: 300_000, FilesDone: 100_000, Created: at(time.Minute), Planning: true},
			{Tail: "purge.R.c.n.lost.u", Shards: 3, Done: 1, Missing: 2, Files: 300_000, FilesDone: 100_000, Created: at(time.Minute), FilesPerSecond: 0.4, Left: time.Hour},
			{Tail: "purge.R.c.n.new.u", Shards: 3, Waiting: 3, Files: 300_000, Created: at(time.Minute)},
			{Tail: "purge.R.c.n.gone.u", Shards: 3, Done: 3, Files: 300_000, FilesDone: 310_000, Created: at(time.Minute), FilesPerSecond: 5_000},
			{Tail: "purge.R.c.n.last.u", Shards: 3, Done: 3, Finish: "dead", Files: 300_000, FilesDone: 310_000, Created: at(time.Minute)},
		},
		Running: []queue.RunningJob{{
			Tail: "purge.R.c.n.big.u", Holder: queue.Holder{Worker: "w-1", Since: at(2 * time.Hour)}, Attempts: 3,
			Counters: jobs.Counters{Files: 1234567, Total: 2000000, Bytes: 5 << 30, Step: "data"}, Updated: at(4 * time.Second),
			FilesPerSecond: 3456, LastError: "the store is unavailable",
		}},
		Results: []queue.ResultStatus{{Tail: "purge.R.c.n.old.u", Time: at(3 * 24 * time.Hour), Result: jobs.Result{
			Outcome: jobs.Completed, Attempts: 1, StartedAt: at(73 * time.Hour), FinishedAt: at(72 * time.Hour)}}},
		Unknown: []string{"jobs.purgee.R.c.n.t"}, UnknownCount: 1,
	}))
	want := `KIND        WAITING  OLDEST  RUNNING  DELAYED  DEAD
purge       12       1m30s   1        2        1
purge-view  0        -       0        0        0     paused until 2026-11-25T13:00:00Z

newest dead letter: purge.R.c.n.t.u (see "worker dead ls")

1 job of a kind that no worker knows waits for ever:
  jobs.purgee.R.c.n.t

BIG PURGE           FOR   SHARDS     RUNNING  WAITING  DEAD  FILES                     SPEED          LEFT
purge.R.c.n.huge.u  1h0m  12 of 100  2        85       1     1,234,567 of ~10,000,000  3,456 files/s  about 42m0s
purge.R.c.n.vast.u  1m0s  1 of 3     0        0        0     100,000 of ~300,000       -              is being planned
purge.R.c.n.lost.u  1m0s  1 of 3     0        0        0     100,000 of ~300,000       0.4 files/s    stands still
purge.R.c.n.new.u   1m0s  0 of 3     0        3        0     0 of ~300,000             -              -
purge.R.c.n.gone.u  1m0s  3 of 3     0        0        0     310,000                   5,000 files/s  its last job is missing
purge.R.c.n.last.u  1m0s  3 of 3     0        0        0     310,000                   -              its last job is dead
  dead: purge-shard.R.c.n.huge.u.0007 (see "worker dead show")
  2 shards of purge.R.c.n.lost.u neither queued nor completed nor dead, as after a cancel: publish the purge again, and it goes on with what is missing

RUNNING            FOR   WORKER  STEP  FILES                   BYTES    SPEED          ALIVE   ATTEMPT
purge.R.c.n.big.u  2h0m  w-1     data  1,234,567 of 2,000,000  5.0 GiB  3,456 files/s  4s ago  3
  last error: the store is unavailable

ENDED   OUTCOME    TOOK  ATTEMPTS  JOB
3d ago  completed  1h0m  1         purge.R.c.n.old.u
`
	var trimmed []string
	for line := range strings.Lines(out.String()) {
		trimmed = append(trimmed, strings.TrimRight(line, " \n"))
	}
	require.Equal(t, want, strings.Join(trimmed, "\n")+"\n")
}

func TestNothingThatOthersNamedReachesTheTerminalRaw(t *testing.T) {
	t.Parallel()
	const evil = "x\x1b[2J\nFORGED"
	var out strings.Builder
	require.NoError(t, printStatus(&out, &queue.Status{
		Kinds:   []queue.KindStatus{{Kind: evil, Dead: 1, NewestDead: evil}},
		Purges:  []queue.SharedPurge{{Tail: evil, Finish: evil, DeadShards: []string{evil}}},
		Running: []queue.RunningJob{{Tail: evil, Holder: queue.Holder{Worker: evil}, Counters: jobs.Counters{Step: evil}, LastError: evil}},
		Results: []queue.ResultStatus{{Tail: evil, Result: jobs.Result{Outcome: evil, Reason: evil}}},
		Unknown: []string{evil}, UnknownCount: 1,
	}))
	letter := &queue.DeadLetter{Subject: evil, Tail: evil, Reason: evil, Error: evil + "2", Worker: evil, Body: []byte(evil), Checkpoint: []byte(evil)}
	s := &command.Session{Out: &out, Err: &out}
	require.NoError(t, printLetters(s, []*queue.DeadLetter{letter}))
	require.NoError(t, printLetter(s, letter))
	list := pathList{out: bufio.NewWriter(&out)}
	list.write(purge.PathRecord{Location: evil, Reason: evil})
	require.NoError(t, list.flush())
	require.NotContains(t, out.String(), "\x1b")
	require.NotContains(t, out.String(), "\nFORGED")
	require.Contains(t, out.String(), `"x\x1b[2J\nFORGED"`)
}

func TestWatchedStatusEndsWithItsSignal(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	_, err := queue.Setup(t.Context(), server.JetStream(t), queue.AssetsConfig{})
	require.NoError(t, err)
	process := clitest.Start(t, clitest.Command{Args: []string{"status", "--watch", "--json", "--every=100ms", "--nats-url", server.URL()}})
	clitest.Eventually(t, func() bool { return strings.Count(process.Output(), "\n") >= 3 }, "no lines: %s", process.Output())
	process.Signal(t, syscall.SIGINT)
	require.Equal(t, 0, process.Wait(t), process.Output())
	first, _, _ := strings.Cut(process.Output(), "\n")
	require.Len(t, decode[queue.Status](t, first).Kinds, len(jobs.Kinds()))
}

func TestWorkerRunsWithTheRightsThatDoctorAsksForAndNoOthers(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: grants("")})
	admin := strings.Replace(server.URL(), "nats://", "nats://admin:p@", 1)
	js := natstest.JetStream(t, natstest.Connect(t, admin))
	_, err := queue.Setup(t.Context(), js, queue.AssetsConfig{})
	require.NoError(t, err)
	y := newYard(t, "nats: {user: w, password: p}\n")
	table := y.table(t, "db/orders")
	process, health := startWorker(t, y, "--nats-url", server.URL())
	waitReady(t, process, health)
	submit := func(name string) *jobs.Result {
		job := &jobs.Job{Version: 1, ID: jobs.NewID(), Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake",
			Namespace: []string{"db"}, Table: name, TableUUID: table.UUID, MetadataLocation: table.MetadataLocation}
		published, err := jobs.Publish(t.Context(), js, job, jobs.PublishOptions{})
		require.NoError(t, err)
		result, err := queue.WaitResult(t.Context(), js, job, published)
		require.NoError(t, err)
		return result
	}
	require.Equal(t, jobs.Completed, submit("orders").Outcome)
	require.Equal(t, jobs.Dead, submit("orders").Outcome)
	tail := "purge.POLARIS.lake.db.orders." + table.UUID
	for _, args := range [][]string{{"status"}, {"dead", "ls"}, {"dead", "show", tail}, {"dead", "requeue", tail}, {"doctor"}} {
		got := worker(t, append(args, "--config", y.config, "--nats-url", server.URL())...)
		require.Equal(t, 0, got.Code, "%v: %s%s", args, got.Stdout, got.Stderr)
	}
	_, err = jobs.Publish(t.Context(), js, &jobs.Job{Version: 1, ID: "later", Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake",
		Namespace: []string{"db"}, Table: "later", TableUUID: "u", MetadataLocation: table.MetadataLocation,
		NotBefore: jobs.At(time.Now().Add(time.Hour))}, jobs.PublishOptions{})
	require.NoError(t, err)
	got := worker(t, "cancel", "purge.POLARIS.lake.db.later.u", "--config", y.config, "--nats-url", server.URL())
	require.Equal(t, 0, got.Code, got.Stderr)
	require.NotContains(t, process.Output(), "denies")
}
