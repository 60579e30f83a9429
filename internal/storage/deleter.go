package storage

import (
	"cmp"
	"context"
	"errors"
	"sync"
)

// Deletion is the outcome for one location.
type Deletion struct {
	Location Location
	// Tag is what Add was given.
	Tag int64
	// Err is nil when the object is deleted or was absent.
	Err error
}

// Defaults and limits of [DeleterConfig].
const (
	DefaultBatchSize      = s3BatchLimit
	DefaultBatchesRunning = 8
)

// batchBytes is how many bytes the keys of a batch may have before it is sent
// although there is room for more. No valid keys of S3 come near it; but a
// manifest may say anything.
const batchBytes = 4 << 20

// DeleterConfig configures a [Deleter].
type DeleterConfig struct {
	// BatchSize is the number of keys per request, at most 1,000. Default 1,000.
	// A batch whose keys have 4 MiB is sent earlier.
	BatchSize int
	// InFlight is the number of batches being deleted at once. Default 8.
	InFlight int
	// OnResult is called once for each location that was added, from one
	// goroutine at a time, in no particular order. It may call Add only from
	// another goroutine. Required.
	OnResult func(Deletion)
	// Settled is called when the results of a batch are told, before there is room
	// for the next one in its place, from several goroutines. It may wait, and add
	// nothing. May be nil.
	Settled func()
}

// Deleter collects locations into batches, one per bucket, and deletes batches
// in parallel. Batches fill up across callers, so that N files of a bucket cost
// N/1,000 requests, rounded up.
type Deleter struct {
	session *Session
	ctx     context.Context // the deleter's work ends with its maker's context
	size    int
	slots   chan struct{}

	results  sync.Mutex
	onResult func(Deletion)
	settled  func()

	mu      sync.Mutex
	open    map[storeID]*deleteBatch
	running int           // batches that are being sent
	idle    chan struct{} // closed when running falls to 0
	closed  bool
}

// deleteBatch is full when the capacity of its items is used up, or its keys
// have batchBytes.
type deleteBatch struct {
	target target
	items  []Deletion
	bytes  int
}

func (b *deleteBatch) full() bool { return len(b.items) == cap(b.items) || b.bytes >= batchBytes }

// NewDeleter starts a deleter. Close it to be sure that all is sent. When ctx
// ends, what is not deleted gets the reason as its error.
func (s *Session) NewDeleter(ctx context.Context, cfg DeleterConfig) *Deleter {
	return &Deleter{
		session: s, ctx: ctx, size: max(cmp.Or(cfg.BatchSize, DefaultBatchSize), 1),
		slots:    make(chan struct{}, max(cmp.Or(cfg.InFlight, DefaultBatchesRunning), 1)),
		onResult: cfg.OnResult, settled: cfg.Settled, open: map[storeID]*deleteBatch{},
	}
}

// Add hands a location over and waits while as many batches are being deleted
// as may be. Many goroutines may call it. It gives an error only when the
// deleter's context has ended or the deleter was closed; the location may then
// have no result. A location outside the guard gets its [*OutsideError] as a result
// and is never sent.
func (d *Deleter) Add(l Location, tag int64) error {
	if d.ctx.Err() != nil {
		return locate(canceled(d.ctx), "delete", l)
	}
	item := Deletion{Location: l, Tag: tag, Err: d.session.guard.Check(l)}
	var full *deleteBatch
	if item.Err == nil {
		full, item.Err = d.put(item)
	}
	switch {
	case errors.Is(item.Err, errDeleterClosed):
		return item.Err
	case item.Err != nil:
		d.report([]Deletion{item})
		return nil //nolint:nilerr // the error is the location's result
	case full != nil:
		return d.send(full)
	}
	return nil
}

var errDeleterClosed = errors.New("add to a closed deleter")

// put adds to the open batch and gives it back when that made it full.
func (d *Deleter) put(item Deletion) (*deleteBatch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errDeleterClosed
	}
	id, err := d.session.stores.storeIDOf(item.Location)
	if err != nil {
		return nil, locate(err, "delete", item.Location)
	}
	batch := d.open[id]
	if batch == nil {
		t, err := d.session.target(d.ctx, "delete", item.Location, d.session.guard)
		if err != nil {
			return nil, err
		}
		batch = &deleteBatch{target: t, items: make([]Deletion, 0, min(d.size, t.batchLimit()))}
		d.open[id] = batch
	}
	batch.items = append(batch.items, item)
	batch.bytes += len(item.Location.Key)
	if !batch.full() {
		return nil, nil
	}
	delete(d.open, id)
	// Counted here, so that a Flush that begins now waits for it.
	d.begin()
	return batch, nil
}

// begin counts a batch; d.mu is held.
func (d *Deleter) begin() {
	if d.running == 0 {
		d.idle = make(chan struct{})
	}
	d.running++
}

func (d *Deleter) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running--; d.running == 0 {
		close(d.idle)
	}
}

// send waits for a slot and deletes the batch in the background. The batch is
// already counted as running.
func (d *Deleter) send(batch *deleteBatch) error {
	select {
	case d.slots <- struct{}{}:
	case <-d.ctx.Done():
		err := canceled(d.ctx)
		for i := range batch.items {
			batch.items[i].Err = locate(err, "delete", batch.items[i].Location)
		}
		d.report(batch.items)
		d.end()
		return err
	}
	go func() {
		defer d.end()
		defer func() { <-d.slots }()
		d.session.deleteAll(d.ctx, batch.target, batch.items)
		d.report(batch.items)
		if d.settled != nil {
			d.settled()
		}
	}()
	return nil
}

func (d *Deleter) report(items []Deletion) {
	d.results.Lock()
	defer d.results.Unlock()
	for _, item := range items {
		d.onResult(item)
	}
}

// Flush sends the batches that are not full and waits until everything added
// before has its result; what others add meanwhile may make it wait longer. The
// error is ctx's.
func (d *Deleter) Flush(ctx context.Context) error {
	d.mu.Lock()
	partial := make([]*deleteBatch, 0, len(d.open))
	for id, batch := range d.open {
		partial = append(partial, batch)
		delete(d.open, id)
		d.begin()
	}
	idle := d.idle
	if d.running == 0 {
		idle = nil
	}
	d.mu.Unlock()
	for _, batch := range partial {
		// Its error is each location's result too.
		_ = d.send(batch)
	}
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return canceled(ctx)
	}
}

// Close flushes, waits for every result and refuses further locations. The
// error is that of the deleter's context when it ended before all was sent.
func (d *Deleter) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	_ = d.Flush(context.WithoutCancel(d.ctx))
	if d.ctx.Err() != nil {
		return canceled(d.ctx)
	}
	return nil
}

// Delete deletes any number of locations, batches in parallel, and gives the
// results in the order of the locations. Tags are the indexes.
func (s *Session) Delete(ctx context.Context, locations []Location) []Deletion {
	results := make([]Deletion, len(locations))
	d := s.NewDeleter(ctx, DeleterConfig{OnResult: func(r Deletion) { results[r.Tag] = r }})
	for i, l := range locations {
		if err := d.Add(l, int64(i)); err != nil {
			d.report([]Deletion{{Location: l, Tag: int64(i), Err: err}})
		}
	}
	_ = d.Close()
	return results
}
