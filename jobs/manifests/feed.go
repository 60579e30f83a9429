package manifests

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// manifestsInFlight is how many manifests are read at once.
const manifestsInFlight = 32

// pieceSize in bytes is about how much of a manifest is handed over at once, and
// aheadBytes how much may wait for its turn.
const (
	pieceSize  = 64 << 10
	aheadBytes = 16 << 20
)

// piece is some entries of one manifest, in their order.
type piece struct {
	entries []entry
	// size in bytes of what the entries point to.
	size int64
}

// feed reads manifests side by side and hands their entries over in order: those
// of the first manifest, then those of the second. Up to aheadBytes wait; the
// manifest whose turn it is never does.
type feed struct {
	mu      sync.Mutex
	changed *sync.Cond
	lanes   []lane
	head    int
	waiting int64
	stopped bool
}

type lane struct {
	queue []piece
	done  bool
}

func newFeed(count int) *feed {
	f := &feed{lanes: make([]lane, count)}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// run reads lane by lane with read, which gives its pieces to the function that it
// is handed, and calls take with each piece. The first error ends it all.
func (f *feed) run(ctx context.Context, read func(ctx context.Context, lane int, give func(piece) error) error, take func(lane int, p piece) error) error {
	group, reading := errgroup.WithContext(ctx)
	defer context.AfterFunc(reading, f.stop)()
	group.Go(func() error {
		readers, inner := errgroup.WithContext(reading)
		readers.SetLimit(manifestsInFlight)
		for i := range f.lanes {
			if inner.Err() != nil {
				break
			}
			readers.Go(func() error {
				err := read(inner, i, func(p piece) error { return f.give(inner, i, p) })
				f.end(i)
				return err
			})
		}
		return readers.Wait()
	})
	group.Go(func() error {
		for i := range f.lanes {
			for {
				p, more := f.next(i)
				if !more {
					break
				}
				if err := take(i, p); err != nil {
					return err
				}
			}
		}
		return nil
	})
	err := group.Wait()
	if ctx.Err() != nil { // what was not read then is no error of its own
		return context.Cause(ctx)
	}
	return err
}

func (f *feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	f.changed.Broadcast()
}

func (f *feed) give(ctx context.Context, i int, p piece) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.stopped && i != f.head && f.waiting+p.size > aheadBytes {
		f.changed.Wait()
	}
	if f.stopped {
		return context.Cause(ctx)
	}
	f.waiting += p.size
	f.lanes[i].queue = append(f.lanes[i].queue, p)
	f.changed.Broadcast()
	return nil
}

func (f *feed) end(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lanes[i].done = true
	f.changed.Broadcast()
}

// next waits for a piece of the lane, and is false at its end.
func (f *feed) next(i int) (piece, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.head != i {
		f.head = i
		f.changed.Broadcast()
	}
	own := &f.lanes[i]
	for !f.stopped && len(own.queue) == 0 && !own.done {
		f.changed.Wait()
	}
	if f.stopped || len(own.queue) == 0 {
		return piece{}, false
	}
	p := own.queue[0]
	own.queue[0] = piece{}
	own.queue = own.queue[1:]
	f.waiting -= p.size
	f.changed.Broadcast()
	return p, true
}
