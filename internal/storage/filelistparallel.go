package storage

import (
	"context"
	"iter"
	"sync"
)

// maxPending is how many folders may wait for being read. Those beyond are read
// by who has found them, before it goes on.
const maxPending = 10_000

// listParallel lets several goroutines read folders.
func (f *fileStore) listParallel(ctx context.Context, try tryFunc, key string, inFlight int) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		w, err := f.walk(try, key)
		if err != nil || w == nil {
			if err != nil {
				yield(entry{}, err)
			}
			return
		}
		defer w.close()
		w.readAll(ctx, newFolderPool(maxPending), inFlight, yield)
	}
}

// readAll reads what the pool holds and what lies below it.
func (w *fileWalk) readAll(ctx context.Context, pool *folderPool, inFlight int, yield func(entry, error) bool) {
	gather(ctx, inFlight, func(ctx context.Context, _ int, send sendFunc) error {
		defer context.AfterFunc(ctx, pool.end)()
		for {
			below, ok := pool.next()
			switch {
			case !ok && ctx.Err() != nil:
				return canceled(ctx)
			case !ok:
				return nil
			}
			if err := w.readInto(ctx, below, pool, send); err != nil {
				return err
			}
			pool.done()
		}
	}, yield)
}

// readInto reads a folder and lets its folders wait in the pool.
func (w *fileWalk) readInto(ctx context.Context, below string, pool *folderPool, send sendFunc) error {
	return w.read(ctx, below, func(files []entry, folders []string) error {
		if !send(ctx, files) {
			return canceled(ctx)
		}
		for _, folder := range pool.add(folders) {
			if err := w.readInto(ctx, folder, pool, send); err != nil {
				return err
			}
		}
		return nil
	})
}

// folderPool holds the folders that wait. It is safe for many goroutines.
type folderPool struct {
	mu      sync.Mutex
	changed sync.Cond
	most    int
	pending []string
	reading int
	ended   bool
}

// newFolderPool begins with the folder that is listed, and has room for so many.
func newFolderPool(most int) *folderPool {
	p := &folderPool{most: most, pending: []string{""}}
	p.changed.L = &p.mu
	return p
}

// next waits for a folder; it is false when all were read, or at the end.
func (p *folderPool) next() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.ended && len(p.pending) == 0 && p.reading > 0 {
		p.changed.Wait()
	}
	if p.ended || len(p.pending) == 0 {
		return "", false
	}
	last := len(p.pending) - 1
	below := p.pending[last]
	p.pending = p.pending[:last]
	p.reading++
	return below, true
}

// done tells that a folder of next was read.
func (p *folderPool) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reading--; p.reading == 0 {
		p.changed.Broadcast()
	}
}

// add takes as many folders as there is room for and gives back the others.
func (p *folderPool) add(folders []string) []string {
	if len(folders) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := min(len(folders), max(0, p.most-len(p.pending)))
	p.pending = append(p.pending, folders[:taken]...)
	p.changed.Broadcast()
	return folders[taken:]
}

// end lets nobody wait any longer.
func (p *folderPool) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.changed.Broadcast()
}
