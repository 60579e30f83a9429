package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"deckhand/internal/config"
	"deckhand/internal/erase"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// needsWriteData is what to do when a table may be read and not be maintained.
const needsWriteData = "; maintenance commits, and deletes and moves files: grant the principal TABLE_WRITE_DATA on the catalog"

// examineTable tries on one table what jobs on living tables do, and changes
// nothing.
func examineTable(ctx context.Context, client *polaris.Client, id polaris.Identifier, loaded *polaris.Loaded, catalog *config.Catalog, area string, log *slog.Logger, r *report) {
	examineTableStorage(ctx, client, id, loaded, catalog, area, log, r)
	examineCommit(ctx, client, id, loaded.Metadata, area, r)
	examineViews(ctx, client, id.Namespace, area, r)
}

func examineTableStorage(ctx context.Context, client *polaris.Client, id polaris.Identifier, loaded *polaris.Loaded, catalog *config.Catalog, area string, log *slog.Logger, r *report) {
	settings := catalog.StorageConfig()
	settings.Retries = -1 // a person waits
	stores, err := client.Stores(ctx, id, loaded, settings, storage.NewLimiters())
	if err != nil {
		r.result(err, verdictFail, area, "table's storage", "")
		return
	}
	defer func() {
		if err := stores.Close(); err != nil {
			r.result(err, verdictWarn, area, "table's storage", "")
		}
	}()
	root, err := storage.Parse(loaded.MetadataLocation)
	if err != nil {
		r.result(err, verdictFail, area, "read a table", "")
		return
	}
	guard, err := erase.Narrow(stores.Guard(), loaded.Metadata.Locations())
	if err != nil {
		r.result(err, verdictFail, area, "table's storage", "")
		return
	}
	session := stores.Session(storage.SessionConfig{Guard: guard, Logger: log})
	err = readByte(ctx, session, root)
	switch {
	case errors.Is(err, storage.ErrDenied):
		r.add(verdictFail, area, "read a table", "%v; the keys are the catalog's where it vends some, else those of the catalog's own s3 section", err)
	default:
		r.result(err, verdictFail, area, "read a table", root.String())
	}
	location, err := storage.Parse(loaded.Metadata.Location)
	if err != nil {
		r.result(err, verdictFail, area, "list a table", "")
		return
	}
	var listed error
	for _, listed = range session.ListLimit(ctx, location, 1) {
		break
	}
	// Only orphans are found by listing.
	if r.result(listed, verdictWarn, area, "list a table", location.String()) {
		examineTableClock(ctx, session, location, area, r)
	}
	if location.Scheme == "file" && !isFolder(location.Key) {
		r.add(verdictFail, area, "delete in a table", "%s is not a folder on this machine; mount it here", location)
		return
	}
	_, err = deleteProbe(ctx, session, location)
	if errors.Is(err, storage.ErrDenied) && len(loaded.Credentials) > 0 {
		r.add(verdictFail, area, "delete in a table", "the vended keys may not delete below %s%s", location, needsWriteData)
		return
	}
	r.result(err, verdictFail, area, "delete in a table", location.String())
}

// examineTableClock compares clocks as a search for orphans does, which deletes
// nothing where they are too far apart.
func examineTableClock(ctx context.Context, session *storage.Session, location storage.Location, area string, r *report) {
	now, known, err := session.StoreClock(ctx, location)
	switch {
	case err != nil:
		r.result(err, verdictWarn, area, "table's clock", "")
	case !known:
		r.add(verdictWarn, area, "table's clock", "the store of %s does not tell its time, so how old files are is not known, and no orphan is deleted", location)
	default:
		reportClock(time.Until(now), "table's clock", "the store of "+location.String(), "no orphan is deleted from 5m on", area, r)
	}
}

// examineCommit asks whether the principal may commit.
func examineCommit(ctx context.Context, client *polaris.Client, id polaris.Identifier, m *table.Metadata, area string, r *report) {
	err := client.MayCommit(ctx, id, m)
	switch {
	case errors.Is(err, polaris.ErrForbidden):
		r.add(verdictFail, area, "commit", "%v%s", err, needsWriteData)
	default:
		r.result(err, verdictWarn, area, "commit", "allowed")
	}
}

// examineViews asks for the views beside a table, which a search for orphans leaves
// alone, as the listing tells, also where the catalog does not.
func examineViews(ctx context.Context, client *polaris.Client, namespace []string, area string, r *report) {
	for _, err := range client.Views(ctx, namespace) {
		if errors.Is(err, polaris.ErrForbidden) {
			r.add(verdictWarn, area, "list views", "not allowed, so views are not counted, and one inside a table's location is known only by its files; grant VIEW_READ_PROPERTIES")
			return
		}
		if err != nil {
			r.result(err, verdictWarn, area, "list views", "")
			return
		}
		break
	}
	r.add(verdictOK, area, "list views", "allowed")
}

func readByte(ctx context.Context, session *storage.Session, l storage.Location) error {
	reader, _, err := session.Open(ctx, l)
	if err != nil {
		return err
	}
	if _, err = reader.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
		err = nil // an empty object
	}
	return errors.Join(err, reader.Close())
}

// deleteProbe deletes an object that is not there, which a store refuses unless the
// right is granted. A folder grants nothing to a file that is not there, so one is
// made.
func deleteProbe(ctx context.Context, session *storage.Session, location storage.Location) (storage.Location, error) {
	target := location.Join(".deckhand-doctor-" + jobs.NewID())
	if target.Scheme == "file" {
		if err := session.Write(ctx, target, []byte("deckhand doctor wrote this and deletes it\n")); err != nil {
			return target, err
		}
	}
	var errs []error
	for _, deletion := range session.Delete(ctx, []storage.Location{target}) {
		errs = append(errs, deletion.Err)
	}
	return target, errors.Join(errs...)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
