package orphans

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/erase"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
)

// stampLayout names the folder of a run in the trash, by the store's clock, in UTC.
const stampLayout = "20060102-150405"

// movesInFlight files are moved at once.
const movesInFlight = 16

// trashOf is where a file of a place is put.
func (r *run) trashOf(p place, l storage.Location) storage.Location {
	return r.runFolder(p).Join(l.Key[min(len(folderOf(p.own).Key), len(l.Key)):])
}

func (r *run) runFolder(p place) storage.Location {
	return p.trash().Join(r.stamp())
}

// stamp is what the run's folders in the trash are named.
func (r *run) stamp() string { return r.now.UTC().Format(stampLayout) }

// moveAll moves a round into the trash. What may succeed later ends it with an
// error, what the store refuses is counted.
func (r *run) moveAll(ctx context.Context, round []candidate) error {
	var mu sync.Mutex
	group, moving := errgroup.WithContext(ctx)
	group.SetLimit(movesInFlight)
	for _, c := range round {
		group.Go(func() error {
			listed := storage.Object{Location: c.location, Size: c.size, ModTime: c.written}
			err := r.table.Eraser.MoveListed(moving, listed, r.trashOf(r.places[c.place], c.location))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, storage.ErrNotFound):
				return nil // gone by itself, or by a run that was cut off
			case errors.Is(err, storage.ErrChanged):
				r.tally.keep(Young, c.location, c.size) // it was written anew
				return nil
			}
			return r.settle(c, err, r.moved)
		})
	}
	return erase.Failure(ctx, group.Wait())
}

// moved counts a file that was moved, and enters where it lies.
func (r *run) moved(c candidate) {
	kind := guessOf(c.location.Key).kind()
	r.receipt.Moved.Add(kind, 1, c.size)
	if r.cfg.List != nil {
		action := "moved"
		if r.dryRun {
			action = "would move"
		}
		r.cfg.List(receipt.PathRecord{Action: action, Kind: kind, Location: c.location.String(), Bytes: c.size})
	}
	if folder := r.runFolder(r.places[c.place]).String(); len(r.receipt.Trash) < receipt.MaxPaths && !slices.Contains(r.receipt.Trash, folder) {
		r.receipt.Trash = append(r.receipt.Trash, folder)
	}
}
