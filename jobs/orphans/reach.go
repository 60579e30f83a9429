package orphans

import (
	"context"
	"errors"
	"strings"

	"deckhand/internal/erase"
	"deckhand/internal/polaris"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// reach remembers all that the table names; of a table that is loaded again, what
// it names since. The error is permanent when a list or manifest cannot be read:
// what it names is unknown.
func (r *run) reach(ctx context.Context, loaded *polaris.Loaded) error {
	err := r.reader.Files(ctx, loaded.Metadata, loaded.MetadataLocation, func(f table.Reached) error {
		r.reached.add(f.Path)
		if u := splitURI(f.Path); u.scheme == "" && !strings.HasPrefix(f.Path, "/") {
			// No version of the format has such paths yet. If it is one, it is this.
			r.reached.add(loaded.Metadata.Location + "/" + f.Path)
		}
		return nil
	})
	var unread *table.UnreadError
	switch {
	case errors.As(err, &unread):
		return jobs.Permanentf("%s %s cannot be read, so it cannot be told which files the table needs: nothing more was deleted; "+
			"mend it or roll the table back, and requeue: %w", unread.Kind, unread.Path, unread.Err)
	case err != nil:
		return erase.Failure(ctx, err)
	}
	r.loaded, r.receipt.MetadataLocation = loaded, loaded.MetadataLocation
	return nil
}
