package orphans

import (
	"context"
	"errors"
	"fmt"
	"time"

	"deckhand/internal/maintenance"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// fork is a metadata file with the table's UUID that may be of a history which the
// table does not have: of the same table as another catalog knows it, or another
// namespace, where it was registered a second time and has gone on. What that one
// names is not known here.
type fork struct {
	location storage.Location
	metadata *table.Metadata
}

// maxForks are kept in mind. Commits that come while the files are listed leave some
// that are none.
const maxForks = 1000

// mayFork says whether a metadata file of this age may be such a one: those that are
// older than the table's log are its earlier ones, which it has forgotten.
func (r *run) mayFork(updated time.Time) bool {
	began := r.loaded.Metadata.LogBegan
	if began.IsZero() {
		began = r.loaded.Metadata.LastUpdated
	}
	return updated.IsZero() || !updated.Before(began)
}

// consider reads the history of a metadata file.
func (o *owners) consider(l storage.Location) error {
	m, err := table.Load(o.ctx, o.run.table.Reader, l)
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, table.ErrCorrupt):
		return nil // nobody's: no catalog can read it
	case err != nil:
		return maintenance.StorageFailure(o.ctx, fmt.Errorf("read what became of the table by this metadata file: %w", err))
	}
	if !o.run.parted(m) {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.forks) < maxForks {
		m = &table.Metadata{MetadataLog: m.MetadataLog, LastUpdated: m.LastUpdated}
		o.forks = append(o.forks, fork{location: l, metadata: m})
	}
	return nil
}

// judgeForks refuses a table that goes on elsewhere. The table is loaded once more
// before: what was committed meanwhile is no history of somebody else.
func (r *run) judgeForks(ctx context.Context, forks []fork) error {
	if len(forks) == 0 {
		return nil
	}
	if err := r.refresh(ctx); err != nil {
		return err
	}
	for _, f := range forks {
		if r.isNamed(f.location.String()) || !r.parted(f.metadata) {
			continue
		}
		return jobs.Permanentf("the metadata file %s is of this table, but of a history that the table does not have: it is registered in another catalog or namespace too, "+
			"or was set back to an earlier state; which files are needed there cannot be known, so nothing was deleted; "+
			"drop it there without a purge or set gc.enabled to false here, or, if nobody needs that history, delete that file and those written after it that the table does not name, and requeue", f.location)
	}
	return nil
}

// parted says whether a history has left the table's own. A commit that failed
// leaves a metadata file too, but right after one that the table had: only where that
// is followed by another, or the table had none of those before a newer one, has it
// gone on.
func (r *run) parted(m *table.Metadata) bool {
	log := m.MetadataLog
	for i := len(log) - 1; i >= 0; i-- {
		if r.isNamed(log[i]) {
			return i < len(log)-1
		}
	}
	return len(log) > 0 && m.LastUpdated.After(r.loaded.Metadata.LastUpdated)
}

func (r *run) isNamed(path string) bool {
	l, err := storage.Parse(path)
	return err == nil && r.names(l)
}

// names says whether the table names a file just so.
func (r *run) names(l storage.Location) bool {
	found, _ := r.reached.find(l.Key, r.reached.prefixes.id(l.Scheme, l.Bucket))
	return found == named
}
