package orphans

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"deckhand/internal/erase"
	"deckhand/internal/maintenance"
	"deckhand/internal/storage"
)

// emptyTrash deletes what has lain in the trash for long enough, and puts back what
// the table names after all: a commit may come between the last look at the table and
// the move.
func (r *run) emptyTrash(ctx context.Context) error {
	if r.quarantined() {
		if err := r.refresh(ctx); err != nil {
			return err
		}
	}
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
		was := folderOf(p.own)
		was.Key += name
		found := candidate{location: object.Location, was: was, size: max(object.Size, 0)}
		switch {
		case err != nil:
			r.book.Note("%s lies in the trash under no time, and stays", object.Location)
			continue
		case r.names(was):
			if err := r.putBack(ctx, found, stamp == r.stamp()); err != nil {
				return err
			}
			continue
		case object.ModTime.IsZero(), !moved.Before(due), !object.ModTime.Before(due):
			continue
		}
		if r.found.count+r.emptying >= r.maxFiles() {
			r.tally.keep(BeyondCap, object.Location, object.Size)
			continue
		}
		r.emptying++
		round = append(round, found)
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
		case r.needs(c.was): // if it is the very file, the next run puts it back
			r.tally.keep(Adopted, c.location, c.size)
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

// putBack moves a file out of the trash. now says that this run has put it there.
func (r *run) putBack(ctx context.Context, c candidate, now bool) error {
	if r.dryRun {
		r.book.Note("the table names %s, which lies in the trash as %s: a run that is not dry moves it back", c.was, c.location)
		return nil
	}
	switch err := r.table.Eraser.MoveListed(ctx, storage.Object{Location: c.location, Size: -1}, c.was); {
	case err == nil:
		r.book.Note("the table names %s, which lay in the trash: it was moved back", c.was)
		if now {
			r.receipt.Moved.Add(guessOf(c.was.Key).kind(), -1, -c.size)
		}
	case errors.Is(err, storage.ErrNotFound): // somebody else did so
	case errors.Is(err, storage.ErrExists):
		r.book.Note("the table names %s, which is in its place; another file of that name lies in the trash and stays there: %s", c.was, c.location)
	case erase.Temporary(err):
		return r.saved(ctx, erase.Failure(ctx, err))
	default:
		r.book.Note("the table names %s, which lies in the trash: move it back from %s (%v)", c.was, c.location, err)
	}
	r.tally.keep(Adopted, c.location, c.size)
	return nil
}

// emptied counts a file of the trash that was deleted.
func (r *run) emptied(c candidate) {
	r.receipt.Emptied.Files++
	r.receipt.Emptied.Bytes += c.size
	r.deleted(c)
}
