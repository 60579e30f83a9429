package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"deckhand/internal/chaos/fleet"
	"deckhand/internal/chaos/history"
	"deckhand/internal/chaos/storms"
	"deckhand/internal/chaos/verdict"
	"deckhand/internal/chaos/warehouse"
)

const (
	// ackWait from which all times of the protocol derive: leases last as long.
	ackWait = 3 * time.Second
	// places of the fleet.
	places = 3
	// slots of each worker. With one for shards it is known which shard of a table a
	// request of a worker is about.
	slots = "purge=2,purge-shard=1,purge-finish=1,expire=1,orphans=1,manifests=1"
	// Purges above shardAbove files are shared out in shards of shardFiles.
	shardAbove, shardFiles = 1_500, 600
	// calm is how long the queue may take to become empty after the storms. A job may
	// be delayed for 15 times the ack wait.
	calm = 2 * time.Minute
)

// round is one profile's run.
type round struct {
	options
	profile
	folder string

	record    *history.Record
	warehouse *warehouse.Warehouse
	broker    *fleet.Broker
	small     *fleet.Disk
	js        jetstream.JetStream
	store     *storms.Store
	workers   []*fleet.Worker
	work      verdict.Work
	// results that were read; ended is told of each.
	results *reader
	ended   chan struct{}
}

// round runs one profile and judges.
func (o options) round(ctx context.Context, built programs, p profile) error {
	folder, err := filepath.Abs(filepath.Join(o.folder, fmt.Sprintf("%d-%s%s", o.seed, p.name, o.without)))
	if err != nil {
		return fmt.Errorf("find folder: %w", err)
	}
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o750)); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	r := &round{options: o, profile: p, folder: folder, ended: make(chan struct{}, 1)}
	started := time.Now()
	violations, err := r.play(ctx, built)
	if errors.Is(err, fleet.ErrNoDisk) {
		fmt.Printf("  %s: not played: %v\n", p.name, err)
		return os.RemoveAll(folder)
	}
	if r.without != "" && err == nil {
		violations, err = nil, r.noticed(violations)
	}
	for _, v := range violations {
		err = errors.Join(err, errors.New(v))
	}
	if err != nil {
		return fmt.Errorf("profile %s, seed %d, history and logs in %s: %w", p.name, o.seed, folder, err)
	}
	fmt.Printf("  %s: all well after %s\n", p.name, time.Since(started).Round(time.Second))
	if r.keep {
		fmt.Printf("  kept: %s\n", folder)
		return nil
	}
	return os.RemoveAll(folder)
}

// noticed fails when the judgement has not found what had to go wrong.
func (r *round) noticed(violations []string) error {
	if len(violations) == 0 {
		return fmt.Errorf("without the %s no runs overlapped, or nobody noticed", r.without)
	}
	fmt.Printf("  without the %s, as it has to be: %s\n", r.without, violations[0])
	return nil
}

// random is a sequence of its own for each purpose.
func (r *round) random(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(r.seed, purpose)) //nolint:gosec // repeatable, not secret
}

func (r *round) play(ctx context.Context, built programs) (violations []string, err error) {
	if r.record, err = history.Create(filepath.Join(r.folder, "history.jsonl")); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.record.Close()) }()
	if err := r.open(ctx, built); err != nil {
		return nil, errors.Join(err, r.close())
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.storm(ctx); err != nil {
		return nil, err
	}
	if r.without != "" {
		return verdict.Overlaps(r.record.Events()), nil
	}
	if err := r.calmDown(ctx); err != nil {
		return nil, err
	}
	return r.judge(ctx), nil
}

// open starts everything.
func (r *round) open(ctx context.Context, built programs) (err error) {
	if r.warehouse, err = warehouse.Open(r.record); err != nil {
		return err
	}
	if err := r.warehouse.Populate(ctx, 2, r.random(1)); err != nil {
		return err
	}
	r.store = storms.NewStore(r.random(2))
	r.store.Slow = r.slow
	r.warehouse.Store.Fault(r.store.Fault)
	if err := r.startBroker(built); err != nil {
		return err
	}
	if r.js, err = r.broker.Connect(ctx); err != nil {
		return err
	}
	if err := r.setUp(ctx, built); err != nil {
		return err
	}
	setting := &fleet.Setting{
		Program: built.worker, Folder: r.folder, Broker: r.broker, Store: r.warehouse.Store, Catalog: r.warehouse.Catalog,
		Credential: r.warehouse.Credential, Slots: slots, ShardAbove: shardAbove, ShardFiles: shardFiles,
		Note: r.note, Lose: r.store.Lose, Record: r.record,
	}
	for n := range places {
		w := fleet.NewWorker(setting, n+1)
		if err := w.Start(); err != nil {
			return err
		}
		r.workers = append(r.workers, w)
	}
	return nil
}

func (r *round) startBroker(built programs) (err error) {
	cfg := fleet.BrokerConfig{Program: built.nats, Folder: r.folder, Nodes: r.nodes}
	if r.disk {
		if r.small, err = fleet.MountDisk(filepath.Join(r.folder, "disk")); err != nil {
			return err
		}
		cfg.Store = r.small.Store()
	}
	r.broker, err = fleet.StartBroker(cfg)
	return err
}

// setUp makes the streams as an operator does.
func (r *round) setUp(ctx context.Context, built programs) error {
	var out []byte
	var err error
	for range 20 { // a cluster takes streams a moment after it has a leader
		command := exec.CommandContext(ctx, built.worker, "setup", "--nats-url", r.broker.URL(), //nolint:gosec // built a moment ago
			"--ack-wait", ackWait.String(), "--replicas", fmt.Sprint(r.nodes))
		if out, err = command.CombinedOutput(); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return fmt.Errorf("worker setup: %w: %s", err, out)
}

// close ends everything.
func (r *round) close() error {
	for _, w := range r.workers {
		w.Kill()
	}
	if r.js != nil {
		r.js.Conn().Close()
	}
	if r.broker != nil {
		r.broker.Stop()
	}
	if r.warehouse != nil {
		r.warehouse.Close()
	}
	if r.small != nil {
		return r.small.Unmount()
	}
	return nil
}

// slow is how long the store takes to answer.
func (r *round) slow(request *http.Request) time.Duration {
	if _, table := r.warehouse.Belongs(request.Header.Get(fleet.HeaderKey)); table != nil {
		return time.Duration(table.Slow) * time.Millisecond
	}
	return 10 * time.Millisecond
}

// note writes down what a worker asks the store for, and counts what is deleted again:
// what the store refuses to do is no work.
func (r *round) note(a fleet.Asked) (answered func(status int)) {
	e := history.Event{At: a.At, What: history.Asked, Worker: a.Worker, Op: a.Op, Keys: len(a.Keys)}
	if len(a.Keys) > 0 {
		e.Key = a.Keys[0]
		var table *warehouse.Dropped
		e.Lock, table = r.warehouse.Belongs(e.Key)
		e.Entries = table != nil && table.IsEntry(e.Key)
	}
	r.record.Add(e)
	if a.Op != "DeleteObjects" && a.Op != http.MethodDelete {
		return func(int) {}
	}
	repeated := 0
	for _, key := range a.Keys {
		if _, table := r.warehouse.Belongs(key); table != nil && !r.warehouse.Has(key) {
			repeated++
		}
	}
	return func(status int) {
		if status < http.StatusInternalServerError {
			r.work.Repeated(repeated)
		}
	}
}

// storm is the time in which things break.
func (r *round) storm(parent context.Context) error {
	ctx, stop := context.WithTimeout(parent, r.duration)
	defer stop()
	var all errgroup.Group
	reading, stopReading := context.WithCancel(parent)
	defer stopReading()
	r.results = newReader(r.js, r.record, r.ended)
	all.Go(func() error { r.results.follow(reading); return nil })
	size := warehouse.RandomSize
	kinds, interval, weather := r.kinds, 1200*time.Millisecond, storms.Rough
	most := uint64(14)
	if r.without != "" {
		// Long runs, and slots that are free for what is delivered once more. The files
		// are fewer than a batch has, so that no delete waits for the queue: it is the
		// reading that goes on.
		most = 4
		kinds, interval, weather = []storms.Kind{storms.StallWorker}, 300*time.Millisecond, storms.Weather{}
		size = func(*rand.Rand) warehouse.Size { return warehouse.Size{Files: 900, Manifests: 900, Slow: 700} }
		all.Go(func() error { r.stopWhenNoticed(ctx, stop); return nil })
	}
	t := &traffic{js: r.js, warehouse: r.warehouse, record: r.record, work: &r.work, random: r.random(3), size: size, most: most}
	all.Go(func() error { defer stop(); return t.drop(ctx) })
	if r.without == "" {
		all.Go(func() error { return t.maintain(ctx, 700*time.Millisecond, r.random(4)) })
		for _, l := range r.warehouse.Living() {
			all.Go(func() error { l.Write(ctx, 300*time.Millisecond); return nil })
		}
	}
	r.store.Set(weather)
	front := &storms.Front{
		Workers: r.workers, Broker: r.broker, Store: r.store, Record: r.record, Random: r.random(5), JS: r.js, Disk: r.small,
		Kinds: kinds, Interval: interval, Lease: ackWait, Ended: r.ended,
	}
	all.Go(func() error { defer stopReading(); return front.Blow(ctx) })
	return all.Wait()
}

// stopWhenNoticed ends the storm of an ablation early.
func (r *round) stopWhenNoticed(ctx context.Context, stop func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		if len(verdict.Overlaps(r.record.Events())) > 0 {
			stop()
		}
	}
}
