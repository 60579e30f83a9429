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
	"slices"
	"strings"
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
	slots = "purge=2,purge-shard=1,purge-finish=1,purge-view=1,expire=1,orphans=1,manifests=1"
	// Purges above shardAbove files are shared out in shards of shardFiles.
	shardAbove, shardFiles = 1_500, 600
	// overtime is how much longer than asked for a run may last until it has met each
	// storm.
	overtime = time.Minute
	// diskFolder of a round is where its small disk is mounted.
	diskFolder = "disk"
	// calm is how long after the storms nothing may happen while jobs are queued. One may
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
	fleet.Abandon(filepath.Join(folder, diskFolder))
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
	if ctx.Err() != nil { // by hand: nothing is judged
		return errors.Join(fmt.Errorf("profile %s was stopped", p.name), os.RemoveAll(folder))
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

// noticed fails when the judgement has not found what had to go wrong, or found what
// could not.
func (r *round) noticed(violations []string) error {
	switch {
	case r.without == nothing && len(violations) > 0:
		return fmt.Errorf("the whole protocol is there: %s", violations[0])
	case r.without == nothing:
		fmt.Println("  with the whole protocol, as it has to be, no runs overlap")
		return nil
	case !slices.ContainsFunc(violations, func(v string) bool { return strings.HasPrefix(v, verdict.TwoRuns) }):
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
	r.store.Met = func(fault, worker string) {
		r.record.Add(history.Event{What: history.Met, Storm: fault, Worker: worker})
	}
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
		Note: r.note, Commit: r.committing, Lose: r.store.Lose, Record: r.record,
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
		if r.small, err = fleet.MountDisk(filepath.Join(r.folder, diskFolder)); err != nil {
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

// committing writes down that a worker asks the catalog to change a table.
func (r *round) committing(worker, namespace, table string) {
	r.record.Add(history.Event{
		What: history.Asked, Worker: worker, Op: "commit", Key: namespace + "." + table, Lock: r.warehouse.Lock(namespace, table),
	})
}

// storm is the time in which things break.
func (r *round) storm(parent context.Context) error {
	ctx, stop := context.WithCancel(parent)
	defer stop()
	var all errgroup.Group
	all.Go(func() error { r.untilAllIsMet(ctx); stop(); return nil })
	reading, stopReading := context.WithCancel(parent)
	defer stopReading()
	r.results = newReader(r.js, r.record, r.ended)
	all.Go(func() error { r.results.follow(reading); return nil })
	t := &traffic{js: r.js, warehouse: r.warehouse, record: r.record, work: &r.work, random: r.random(3), size: warehouse.RandomSize, most: 10, mostJobs: 60}
	fronts := []*storms.Front{r.front(5, r.workersMeet, 1200*time.Millisecond), r.front(6, r.brokersMeet, 1500*time.Millisecond)}
	if r.without == "" {
		r.store.Set(storms.Rough)
		all.Go(func() error { return t.maintain(ctx, 700*time.Millisecond, r.random(4)) })
		for _, l := range r.warehouse.Living() {
			all.Go(func() error { l.Write(ctx, 300*time.Millisecond); return nil })
		}
	} else {
		// Long runs, and slots that are free for what is delivered once more. The files
		// are fewer than a batch has, so that no delete waits for the queue: it is the
		// reading that goes on.
		t.most = 4
		t.size = func(*rand.Rand) warehouse.Size { return warehouse.Size{Files: 900, Manifests: 900, Slow: 700} }
		fronts = []*storms.Front{r.front(5, []storms.Kind{storms.StallWorker}, 300*time.Millisecond)}
		all.Go(func() error { r.stopWhenNoticed(ctx, stop); return nil })
	}
	all.Go(func() error { defer stop(); return t.drop(ctx) })
	all.Go(func() error {
		defer stopReading()
		var blowing errgroup.Group
		for _, f := range fronts {
			blowing.Go(func() error { defer stop(); return f.Blow(ctx) })
		}
		return errors.Join(blowing.Wait(), fronts[0].Mend())
	})
	return all.Wait()
}

// front of some storms.
func (r *round) front(random uint64, kinds []storms.Kind, interval time.Duration) *storms.Front {
	return &storms.Front{
		Workers: r.workers, Broker: r.broker, Store: r.store, Record: r.record, Random: r.random(random), JS: r.js, Disk: r.small,
		Kinds: kinds, Interval: interval, Lease: ackWait, Ended: r.ended,
	}
}

// untilAllIsMet waits for the end of the storms: until the time is over, and each of
// them has come.
func (r *round) untilAllIsMet(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(r.duration):
	}
	for deadline := time.Now().Add(overtime); r.without == "" && ctx.Err() == nil && time.Now().Before(deadline); {
		if len(r.missing()) == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
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
