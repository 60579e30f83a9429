package purge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"deckhand/internal/erase"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// Guards are asked before anything is deleted, at every claim. An error keeps every
// file. That the metadata location lies inside the catalog's locations is asked
// first, by [catalog.target], and that the root can be read by loading it; then
// [checkUUID], and at last, since it costs the most, [run.verify].

// checkUUID compares what was dropped with what the metadata file describes. A
// table without a UUID is purged only if the job has none.
func checkUUID(job *jobs.Job, found, what string) error {
	switch {
	case job.TableUUID == "" || strings.EqualFold(job.TableUUID, found):
		return nil
	case found == "":
		return jobs.Permanentf("%s has no UUID, the job says %s: nothing was deleted, since it may be another %s",
			job.MetadataLocation, job.TableUUID, what)
	default:
		return jobs.Permanentf("%s belongs to the %s with UUID %s, the job says %s: nothing was deleted",
			job.MetadataLocation, what, found, job.TableUUID)
	}
}

// withoutBeginning ends a purge that had not begun and whose root cannot be
// loaded. Nothing is deleted either way.
func (r *run) withoutBeginning(ctx context.Context, loadErr error) error {
	if errors.Is(loadErr, storage.ErrNotFound) && r.endedBefore() {
		return nil
	}
	return rootFailure(ctx, r.job, loadErr)
}

// endedBefore says, and notes, that the same job was completed and published again.
// The location is compared too, since ids can be used anew by a catalog that forgot
// them.
func (r *run) endedBefore() bool {
	before := r.progress.Earlier()
	if before == nil || before.Outcome != jobs.Completed {
		return false
	}
	var receipt Receipt
	if json.Unmarshal(before.Receipt, &receipt) != nil || receipt.DryRun || receipt.MetadataLocation != r.job.MetadataLocation {
		return false
	}
	r.book.Note("this job was completed before, on %s by %s, and was published again: nothing was left to do",
		before.FinishedAt.Format(time.RFC3339), before.Worker)
	return true
}

// rootFailure says what it means for the job that its root cannot be loaded.
func rootFailure(ctx context.Context, job *jobs.Job, err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return jobs.Permanentf("metadata file %s does not exist, and this purge had not begun: nothing can be done; "+
			"check the location", job.MetadataLocation)
	case errors.Is(err, table.ErrCorrupt), errors.Is(err, table.ErrEncrypted), errors.Is(err, table.ErrNewerFormat):
		return jobs.Permanent(err)
	}
	if _, temporary := table.StateOf(err); !temporary {
		return jobs.Permanent(fmt.Errorf("load the root metadata: %w", err))
	}
	return erase.Failure(ctx, err)
}
