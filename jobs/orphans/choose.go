package orphans

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// choose finds the places to look through, and refuses those of which it cannot be
// known whose files lie there. A location that is not inside the table's main one may
// be that of many tables, of any namespace: writers put each one's files below a
// common write.data.path, without a sign of whose they are. It is looked through only
// where the whole catalog says that it is this table's alone, or the settings do.
func (r *run) choose(ctx context.Context, loaded *polaris.Loaded) error {
	main, err := storage.Parse(loaded.Metadata.Location)
	if err != nil {
		return jobs.Permanent(fmt.Errorf("read the table's location: %w", err))
	}
	own, others, err := ownLocations(loaded.Metadata.Locations())
	if err != nil {
		return jobs.Permanent(err)
	}
	for _, l := range others {
		r.book.Note("the table's location %s is not looked through: no store is known for it", l)
	}
	outside := outermost(outsideOf(main, own))
	named := r.settings.Locations
	if len(named) == 0 {
		outside = slices.DeleteFunc(outside, func(l storage.Location) bool {
			if isBucket(l) {
				r.book.Note("%s is not looked through: it is a whole bucket, in which not only tables of this catalog may have files; "+
					"name it with the setting locations if it is the table's alone", l)
			}
			return isBucket(l)
		})
	}
	own = append([]storage.Location{main}, outside...)
	if len(named) == 0 && !r.asksAll() {
		own = own[:1]
	}
	places, skipped, err := chosen(named, own)
	if err != nil {
		return err
	}
	for _, l := range skipped {
		r.book.Note("the location %s is skipped: it is not inside the table's", l)
	}
	r.foreign = newForeign(metadataFolders(loaded, r.table.MetadataFolder))
	all, err := r.neighbours(ctx, places)
	if err != nil {
		return err
	}
	if len(named) == 0 && !all {
		for _, l := range outside {
			r.book.Note("%s is not looked through: it is not inside the table's location, so other tables of any namespace may keep files there too, and not all "+
				"of the catalog was asked; let it be (orphans.neighbours: catalog), or name the location with the setting locations if it is the table's alone", l)
		}
		places = []place{newPlace(main, main)}
	}
	r.places = places
	for _, p := range places {
		r.receipt.Locations = append(r.receipt.Locations, p.root.String())
	}
	if len(places) == 0 {
		r.book.Note("there is nothing to look through")
	}
	return nil
}

// outsideOf are the locations that are not the main one nor inside it.
func outsideOf(main storage.Location, own []storage.Location) (outside []storage.Location) {
	for _, l := range own {
		if !l.Same(main) && !l.Within(main) {
			outside = append(outside, l)
		}
	}
	return outside
}

// metadataFolders are those in which the table keeps its metadata files.
func metadataFolders(loaded *polaris.Loaded, current storage.Location) []storage.Location {
	folders := []storage.Location{current}
	for _, path := range append([]string{loaded.MetadataLocation}, loaded.Metadata.MetadataLog...) {
		if l, err := storage.Parse(path); err == nil {
			folders = append(folders, l.Parent())
		}
	}
	if l, err := storage.Parse(loaded.Metadata.Location); err == nil {
		folders = append(folders, l.Join("metadata"))
	}
	return folders
}

// sameLocations says whether a table keeps its files where it did.
func sameLocations(a, b []string) bool { return strings.Join(a, "\x00") == strings.Join(b, "\x00") }
