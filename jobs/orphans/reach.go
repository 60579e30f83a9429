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
		switch u := splitURI(f.Path); {
		case u.scheme == "" && !strings.HasPrefix(f.Path, "/"):
			// No version of the format has such paths yet. If it is one, it is this.
			r.reached.add(loaded.Metadata.Location + "/" + f.Path)
		case strings.ContainsAny(u.authority, ":@%") && r.reached.prefixes.schemes.of(u.scheme) == "s3":
			// The key of an access point's ARN begins elsewhere.
			return jobs.Permanentf("the table names %s, and %q is no bucket, so it cannot be told which file that is: nothing more was deleted; "+
				"let the table name its files by bucket, or switch the removal of its orphans off", f.Path, u.authority)
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
