package main

import (
	"context"
	"log/slog"

	"deckhand/internal/config"
	"deckhand/internal/storage"
)

// examineVersions says whether purges free what they delete, and tries to delete
// versions where they are to. probe was deleted before: where versions are kept that
// has made a marker, which goes again.
func examineVersions(ctx context.Context, stores *storage.Stores, catalog *config.Catalog, location, probe storage.Location, area string, log *slog.Logger, r *report) {
	if location.Scheme == "file" {
		return
	}
	guard, err := stores.Guard().Narrow(location.String())
	if err != nil {
		r.result(err, verdictFail, area, "versions", "")
		return
	}
	session := stores.Session(storage.SessionConfig{Guard: guard, ReadGuard: guard, Versions: true, Logger: log})
	if location.Scheme != "s3" {
		examineKeeping(ctx, session, location, area, r)
		return
	}
	found, err := session.Versioning(ctx, location)
	removes := catalog.Purge.Versions == config.VersionsDelete
	if found == storage.VersioningOff {
		r.add(verdictOK, area, "versions", "bucket %s keeps none, what is deleted is gone", location.Bucket)
		return
	}
	gone := session.Delete(ctx, []storage.Location{probe})[0].Err
	switch {
	case removes:
		r.result(gone, verdictFail, area, "versions", "bucket "+location.Bucket+" keeps them, and they can be deleted")
	case found == storage.VersioningUnknown:
		r.add(verdictWarn, area, "versions", "whether deletes free anything in bucket %s is unknown: %v", location.Bucket, err)
	default:
		r.add(verdictWarn, area, "versions", "bucket %s keeps them (%s): purges only make markers, and the bytes stay billed; "+
			"let a lifecycle rule remove noncurrent versions, or set purge.versions: delete", location.Bucket, found)
	}
}

// examineKeeping is examineVersions for stores whose versions nobody here deletes.
func examineKeeping(ctx context.Context, session *storage.Session, location storage.Location, area string, r *report) {
	switch found, err := session.Keeping(ctx, location); {
	case found.Nothing():
		r.add(verdictOK, area, "versions", "%s keeps nothing, what is deleted is gone", location.Bucket)
	case found.ByItself():
		r.add(verdictOK, area, "versions", "%s keeps no versions (%s): what is deleted stays billed for that long", location.Bucket, found)
	case found.Versioning != storage.VersioningUnknown:
		r.add(verdictWarn, area, "versions", "%s keeps versions (%s): the bytes of purged files stay billed; let a lifecycle rule remove noncurrent versions", location.Bucket, found)
	case err != nil:
		r.add(verdictWarn, area, "versions", "whether deletes free anything in %s is unknown: %v", location.Bucket, err)
	default:
		r.add(verdictWarn, area, "versions", "whether deletes free anything in %s is unknown (%s)", location.Bucket, found)
	}
}
