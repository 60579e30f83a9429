package deploy_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/queue"
	"deckhand/jobs"
)

// serve runs a server with the accounts of accounts.conf.
func serve(t *testing.T) *server.Server {
	t.Helper()
	options := withAccounts(t)
	options.Host, options.Port, options.HTTPPort = "127.0.0.1", server.RANDOM_PORT, 0
	options.StoreDir, options.NoSigs, options.NoLog = t.TempDir(), true, true
	s, err := server.NewServer(options)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(10*time.Second))
	return s
}

// login connects as one of the users and collects what it is denied.
func login(t *testing.T, s *server.Server, user, password string) (jetstream.JetStream, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var denied []string
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, password), nats.CustomInboxPrefix("_INBOX_"+user),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			mu.Lock()
			defer mu.Unlock()
			denied = append(denied, err.Error())
		}))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return js, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return denied
	}
}

// fake is a handler that saves once and fails for good on tables named "bad".
type fake struct{}

func (fake) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	if err := progress.Save(ctx, map[string]int{"step": 1}, jobs.Counters{Files: 1}); err != nil {
		return nil, err
	}
	if job.Table == "bad" {
		return nil, jobs.Permanent(errors.New("the table is bad"))
	}
	return map[string]bool{"done": true}, nil
}

func job(table string) *jobs.Job {
	return &jobs.Job{
		Version: jobs.Version, ID: jobs.NewID(), Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake",
		Namespace: []string{"sales"}, Table: table, TableUUID: "6f1c2c1e-9f3c-4a5e-8d7f-0b1d5c1a2b3c",
		MetadataLocation: "s3://lake/sales/" + table + "/metadata/1.metadata.json",
	}
}

func TestEachUserHasTheRightsThatItNeedsAndNoMore(t *testing.T) {
	s := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin, _ := login(t, s, "admin", "secret-ADMIN")
	_, err := queue.Setup(ctx, admin, queue.AssetsConfig{AckWait: 3 * time.Second})
	require.NoError(t, err)

	workers, deniedToWorker := login(t, s, "worker", "secret-WORKER")
	opened, err := queue.Open(ctx, workers, queue.Config{})
	require.NoError(t, err)
	worker, err := queue.NewWorker(opened, queue.WorkerConfig{
		Name: "w1", Slots: map[jobs.Kind]int{jobs.Purge: 1}, Handlers: map[jobs.Kind]jobs.Handler{jobs.Purge: fake{}},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	running, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- worker.Run(running) }()

	polaris, deniedToPolaris := login(t, s, "polaris", "secret-POLARIS")
	good := job("orders")
	_, err = jobs.Publish(ctx, polaris, good, jobs.PublishOptions{})
	require.NoError(t, err)
	producer, deniedToProducer := login(t, s, "producer", "secret-PRODUCER")
	bad := job("bad")
	published, err := jobs.Publish(ctx, producer, bad, jobs.PublishOptions{})
	require.NoError(t, err)

	result, err := queue.WaitResult(ctx, producer, good, jobs.Publication{})
	require.NoError(t, err)
	require.Equal(t, jobs.Completed, result.Outcome)
	result, err = queue.WaitResult(ctx, producer, bad, published)
	require.NoError(t, err)
	require.Equal(t, jobs.Dead, result.Outcome)
	status, err := opened.Status(ctx)
	require.NoError(t, err)
	require.NotNil(t, status)
	stop()
	require.NoError(t, <-stopped)
	shareOut(t, opened.Shards())
	sweep(ctx, t, admin, opened)
	require.Empty(t, deniedToWorker())
	require.Empty(t, deniedToPolaris())
	require.Empty(t, deniedToProducer())

	// What Polaris may not do: record results, or queue other work.
	for _, subject := range []string{"results.purge.x", "jobs.compact.x", "jobs.purge-shard.x", "jobs.purge-finish.x", "$KV.shards.x"} {
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		_, err := polaris.Publish(short, subject, nil)
		cancel()
		require.Error(t, err, subject)
	}
	require.Len(t, deniedToPolaris(), 5)
	// A person who may queue anything queues no parts of purges either.
	for _, subject := range []string{"jobs.purge-shard.x", "jobs.purge-finish.x", "$KV.shards.x"} {
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		_, err := producer.Publish(short, subject, nil)
		cancel()
		require.Error(t, err, subject)
	}
	require.Len(t, deniedToProducer(), 3)
	short, cancelShort := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancelShort()
	require.Error(t, workers.DeleteStream(short, "JOBS"))
}

// shareOut does with the bucket shards and the queue all that purges in shards do.
func shareOut(t *testing.T, shards *queue.Shards) {
	t.Helper()
	shard, finish := job("big"), job("big")
	shard.Kind, shard.Shard, finish.Kind = jobs.PurgeShard, 1, jobs.PurgeFinish
	_, revision, err := shards.Plan(t.Context(), shard)
	require.NoError(t, err)
	plan := &jobs.ShardPlan{Plan: "0123456789abcdef", Job: "j", Shards: 1, Finish: finish}
	require.NoError(t, shards.SavePlan(t.Context(), shard, plan, revision))
	for _, part := range []*jobs.Job{shard, finish} {
		_, err = shards.Publish(t.Context(), part)
		require.NoError(t, err)
	}
	queued, err := shards.Queued(t.Context(), finish)
	require.NoError(t, err)
	require.Len(t, queued, 2)
	require.NoError(t, shards.Complete(t.Context(), shard, &jobs.ShardDone{Plan: plan.Plan, Shard: 1}))
	all, err := shards.AllDone(t.Context(), shard, plan)
	require.NoError(t, err)
	require.True(t, all)
	require.NoError(t, shards.End(t.Context(), plan, finish, &jobs.Result{Version: jobs.Version, Outcome: jobs.Completed}))
	require.NoError(t, shards.Remove(t.Context(), finish, plan.Plan))
}

// sweep has something to remove, to publish and to queue anew, and cancels a job: all
// that needs a right which nothing else does.
func sweep(ctx context.Context, t *testing.T, admin jetstream.JetStream, worker *queue.Queue) {
	t.Helper()
	moved, canceled, stray := job("moved"), job("canceled"), job("stray")
	stray.Kind, stray.Shard = jobs.PurgeShard, 1
	body, err := moved.Encode()
	require.NoError(t, err)
	letter := nats.NewMsg("dead.sweep." + moved.Tail())
	letter.Data = body
	letter.Header.Set("Dead-Subject", moved.Subject())
	letter.Header.Set("Job-Seq", "1")
	_, err = admin.PublishMsg(ctx, letter)
	require.NoError(t, err)
	require.NoError(t, worker.Shards().Complete(ctx, stray, &jobs.ShardDone{Plan: "0123456789abcdef", Shard: 1}))
	report, err := worker.Sweep(ctx, queue.SweepConfig{Worker: "w1", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.Len(t, report.Findings, 2)
	for _, finding := range report.Findings {
		require.Empty(t, finding.Error)
		require.NotEqual(t, queue.SweepReported, finding.Action)
	}
	_, err = jobs.Publish(ctx, admin, canceled, jobs.PublishOptions{})
	require.NoError(t, err)
	require.NoError(t, worker.Cancel(ctx, canceled.Tail(), "w1"))
}

// The accounts give what the contract names as the smallest rights.
func TestTheAccountsAreTheRightsOfTheContract(t *testing.T) {
	contract, err := os.ReadFile("../jobs/CONTRACT.md")
	require.NoError(t, err)
	users := map[string][]string{}
	for _, user := range withAccounts(t).Users {
		if user.Permissions != nil {
			users[user.Username] = user.Permissions.Publish.Allow
		}
	}
	covers := func(patterns []string, subject string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			prefix, wide := strings.CutSuffix(pattern, ">")
			return pattern == subject || wide && strings.HasPrefix(subject, prefix)
		})
	}
	for who, user := range map[string]string{"publisher": "polaris", "`producer run`, `once`, `explain`": "scanner", "worker": "worker"} {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(who) + ` \|(.*)\|[^|]*\|$`).FindSubmatch(contract)
		require.NotNil(t, row, who)
		var named []string
		for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllSubmatch(row[1], -1) {
			named = append(named, string(quoted[1]))
		}
		for _, subject := range users[user] {
			require.True(t, covers(named, subject), "%s may publish to %s, and the contract does not say so", user, subject)
		}
		for _, subject := range named {
			within := func(given string) bool { return covers([]string{subject}, given) }
			require.True(t, slices.ContainsFunc(users[user], within), "the contract gives %s to %s, and the account does not", subject, user)
		}
	}
}
