package orphans

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/erase"
	"deckhand/internal/maintenance"
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
	return p.trash().Join(r.now.UTC().Format(stampLayout))
}

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

// emptyTrash deletes what has lain in the trash for long enough.
func (r *run) emptyTrash(ctx context.Context) error {
	seen := map[storage.Location]bool{}
	for _, p := range r.places {
		trash := p.trash()
		if seen[trash] {
			continue
		}
		seen[trash] = true
		var err error
		if r.quarantined() {
			err = r.emptyOne(ctx, p)
		} else {
			err = r.lookIntoTrash(ctx, trash)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lookIntoTrash says that there is something, where nothing empties it.
func (r *run) lookIntoTrash(ctx context.Context, trash storage.Location) error {
	for _, err := range r.table.Reader.ListLimit(ctx, trash, 1) {
		switch {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			return r.trashFailure(ctx, err)
		default:
			r.book.Note("files lie in the trash %s, and are deleted only by runs with the setting quarantine; delete them by hand if they are not needed", trash)
		}
	}
	return nil
}

func (r *run) trashFailure(ctx context.Context, err error) error {
	return maintenance.StorageFailure(ctx, fmt.Errorf("list the trash: %w", err))
}

// emptyOne empties the trash of a place's location. A file is as old as the later of
// the time that its folder is named after and of the store's: a move keeps the time
// of local files.
func (r *run) emptyOne(ctx context.Context, p place) error {
	trash := folderOf(p.trash())
	due := r.now.Add(-r.settings.Quarantine)
	var round []candidate
	for object, err := range r.table.Reader.List(ctx, trash) {
		if errors.Is(err, storage.ErrNotFound) {
			break
		}
		if err != nil {
			return r.trashFailure(ctx, err)
		}
		stamp, name, _ := strings.Cut(object.Location.Key[len(trash.Key):], "/")
		moved, err := time.Parse(stampLayout, stamp)
		switch {
		case err != nil:
			r.book.Note("%s lies in the trash under no time, and stays", object.Location)
			continue
		case object.ModTime.IsZero(), !moved.Before(due), !object.ModTime.Before(due):
			continue
		}
		was := folderOf(p.own)
		was.Key += name
		round = append(round, candidate{location: object.Location, was: was, size: max(object.Size, 0)})
		if len(round) < batchesARound*filesABatch {
			continue
		}
		if err := r.emptyRound(ctx, round); err != nil {
			return err
		}
		round = round[:0]
	}
	return r.emptyRound(ctx, round)
}

// needs says whether the table names a file, be it with another scheme or bucket
// unless the settings say that such a one is not meant.
func (r *run) needs(l storage.Location) bool {
	found, _ := r.reached.find(l.Key, r.reached.prefixes.id(l.Scheme, l.Bucket))
	return found == named || found == mismatched && r.settings.PrefixMismatchMode != mismatchDelete
}

// emptyRound deletes files of the trash, but for those that the table names where
// they were or where they are.
func (r *run) emptyRound(ctx context.Context, round []candidate) error {
	if len(round) == 0 {
		return nil
	}
	if err := r.refresh(ctx); err != nil {
		return err
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	sure := round[:0]
	for _, c := range round {
		switch {
		case r.needs(c.was):
			r.tally.keep(Adopted, c.location, c.size)
			r.book.Note("the table names %s, which lies in the trash: move it back from %s", c.was, c.location)
			continue
		case r.needs(c.location):
			r.tally.keep(Adopted, c.location, c.size)
			r.book.Note("the table names %s, which is in the trash: it stays there", c.location)
			continue
		}
		sure = append(sure, c)
	}
	if !r.dryRun {
		return r.saved(ctx, r.deleteAll(ctx, sure, r.emptied))
	}
	for _, c := range sure {
		r.emptied(c)
	}
	return nil
}

// emptied counts a file of the trash that was deleted.
func (r *run) emptied(c candidate) {
	r.receipt.Emptied.Files++
	r.receipt.Emptied.Bytes += c.size
	r.deleted(c)
}
