package purge_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/queue"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// watched notes shards at work when a finish has done its own.
type watched struct {
	jobs.Handler
	shards, overlaps *atomic.Int32
}

func (w watched) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	if job.Kind == jobs.PurgeShard {
		w.shards.Add(1)
		defer w.shards.Add(-1)
	}
	receipt, err := w.Handler.Run(ctx, job, progress)
	if job.Kind == jobs.PurgeFinish && err == nil && w.shards.Load() > 0 {
		w.overlaps.Add(1)
	}
	return receipt, err
}

func (w watched) AfterResult(ctx context.Context, job *jobs.Job, result *jobs.Result) error {
	return w.Handler.(jobs.AfterResult).AfterResult(ctx, job, result)
}

// start runs a worker for each configuration until stop is called, with so many slots
// for shards. wrap is put around the handlers of parts.
func (l *line) start(cfgs []purge.Config, slots int, wrap func(jobs.Handler) jobs.Handler) (stop func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	var fleet sync.WaitGroup
	for _, cfg := range cfgs {
		cfg.Fleet = l.q.Shards()
		tables, err := purge.New(cfg)
		require.NoError(l.t, err)
		shards, err := purge.NewShards(cfg)
		require.NoError(l.t, err)
		finish, err := purge.NewFinish(cfg)
		require.NoError(l.t, err)
		worker, err := queue.NewWorker(l.q, queue.WorkerConfig{
			Name: cfg.Worker, Logger: slog.New(slog.DiscardHandler),
			Slots:    map[jobs.Kind]int{jobs.Purge: 1, jobs.PurgeShard: slots, jobs.PurgeFinish: 1},
			Handlers: map[jobs.Kind]jobs.Handler{jobs.Purge: tables, jobs.PurgeShard: wrap(shards), jobs.PurgeFinish: wrap(finish)},
		})
		require.NoError(l.t, err)
		fleet.Go(func() { _ = worker.Run(ctx) })
	}
	return func() {
		cancel()
		fleet.Wait()
	}
}

func TestAFleetPurgesOneTableInShardsAndEndsItOnce(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(24, 30)
	for m := range 23 { // each file of a manifest's first three is named by the next one too
		for f := range 3 {
			again := h.Manifests[m].Entries[f]
			again.Status = 0
			h.Manifests[m+1].Entries = append(h.Manifests[m+1].Entries, again)
		}
	}
	neighbours := y.lay(h)
	l := newLine(y, purge.Policy{}, 1)

	var running, overlaps atomic.Int32
	var cfgs []purge.Config
	for _, name := range []string{"a", "b", "c"} {
		cfg := l.cfg
		cfg.Worker = name
		cfgs = append(cfgs, cfg)
	}
	stop := l.start(cfgs, 3, func(handler jobs.Handler) jobs.Handler { return watched{handler, &running, &overlaps} })
	defer stop()

	job := jobFor(tabletest.HandmadeUUID, h.Root)
	publication, err := jobs.Publish(t.Context(), l.js, job, jobs.PublishOptions{})
	require.NoError(t, err)
	patience, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	result, err := queue.WaitResult(patience, l.js, job, publication)
	require.NoError(t, err)
	require.Equal(t, jobs.Completed, result.Outcome)
	receipt := receiptOf(t, result)
	require.Equal(t, 24, receipt.Shards)
	require.EqualValues(t, 24*30, receipt.Deleted[purge.Data].Files, "each file once")
	require.False(t, receipt.AtMost)
	require.Equal(t, neighbours, y.keys())
	require.Zero(t, overlaps.Load())

	ends := map[jobs.Kind]int{}
	for end, err := range l.q.Results(t.Context(), "", 0) {
		require.NoError(t, err)
		if end.Result.Outcome == jobs.Completed {
			ends[end.Result.Kind]++
		}
	}
	require.Equal(t, map[jobs.Kind]int{jobs.Purge: 1, jobs.PurgeShard: 24, jobs.PurgeFinish: 1}, ends)
}
