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

// expiriesMeanwhile is how often the reading may begin anew.
const expiriesMeanwhile = 5

// reach remembers all that the table names; of a table that is loaded again, what
// it names since. A list or manifest that is gone may be one that an expiry has
// removed since the table was loaded, which is then loaded anew. The error is
// permanent when one cannot be read: what it names is unknown.
func (r *run) reach(ctx context.Context, loaded *polaris.Loaded) error {
	for n := 0; ; n++ {
		err := r.reachOnce(ctx, loaded)
		var unread *table.UnreadError
		switch {
		case err == nil:
			r.loaded, r.receipt.MetadataLocation = loaded, loaded.MetadataLocation
			return nil
		case !errors.As(err, &unread):
			return erase.Failure(ctx, err)
		case unread.State != table.Absent || n == expiriesMeanwhile:
			return unreadable(unread)
		}
		fresh, loadErr := r.loadSince(ctx, loaded)
		if loadErr != nil {
			return loadErr
		}
		if fresh.MetadataLocation == loaded.MetadataLocation {
			return unreadable(unread)
		}
		loaded = fresh
	}
}

func unreadable(unread *table.UnreadError) error {
	return jobs.Permanentf("%s %s cannot be read, so it cannot be told which files the table needs: nothing more was deleted; "+
		"mend it or roll the table back, and requeue: %w", unread.Kind, unread.Path, unread.Err)
}

func (r *run) reachOnce(ctx context.Context, loaded *polaris.Loaded) error {
	return r.reader.Files(ctx, loaded.Metadata, loaded.MetadataLocation, func(f table.Reached) error {
		r.reached.add(f.Path)
		switch u := splitURI(f.Path); {
		case u.scheme == "" && !strings.HasPrefix(f.Path, "/"):
			// No version of the format has such paths yet. If it is one, it is this.
			r.reached.add(loaded.Metadata.Location + "/" + f.Path)
		case (u.authority == "" || strings.ContainsAny(u.authority, ":@%")) && r.reached.prefixes.isS3(u.scheme):
			// The key of an access point's ARN begins elsewhere.
			return jobs.Permanentf("the table names %s, and %q is no bucket, so it cannot be told which file that is: nothing more was deleted; "+
				"let the table name its files by bucket, or switch the removal of its orphans off", f.Path, u.authority)
		}
		return nil
	})
}
