package purge

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// endOutside ends a purge that met files outside its scope, with the setting
// that would finish it. A requeue starts anew, since another setting decides
// anew what may go; the checkpoint says what is left of the metadata.
func (r *run) endOutside(ctx context.Context) error {
	if err := r.listLeft(ctx); err != nil {
		return err
	}
	r.ck.Level, r.ck.Next = levelData, nil
	maps.Copy(r.named, r.held)
	r.ck.Again, r.ck.Before, r.ck.BeforeAll = true, slices.Sorted(maps.Keys(r.named)), r.heldAll
	if len(r.named) > maxHeld {
		r.ck.Before, r.ck.BeforeAll = nil, true
	}
	r.ck.Held, r.ck.HeldAll = nil, false
	r.ck.Deleted, r.ck.Absent, r.ck.AbsentPaths, r.ck.Kept = r.receipt.Deleted.Clone(), nil, nil, nil
	r.ck.AtMost = true // files of a manifest that stays are met again
	if err := r.save(ctx); err != nil {
		return err
	}
	return jobs.Permanent(r.outsideError())
}

func (r *run) outsideError() error {
	outside := r.receipt.Kept[OutsideScope]
	total, example, impossible := outside.Counts.Total(), "", false
	if len(outside.Paths) > 0 {
		example = ", among them " + outside.Paths[0]
	}
	for _, path := range outside.Paths {
		location, err := storage.Parse(path)
		impossible = impossible || err != nil || len(path) > receipt.MaxShown || !location.Within(storage.Location{Scheme: location.Scheme, Bucket: location.Bucket})
	}
	setting := "set purge.scope: catalog for this catalog, or add their location to its locations, to delete them, or"
	switch {
	case impossible:
		setting = "some are no locations that any setting could allow, so"
	case r.catalog.Policy.Scope == ScopeCatalog:
		setting = "add their location to the catalog's locations to delete them, or"
	}
	return fmt.Errorf("%d files lie outside what this purge may delete%s: they were kept, and so were the "+
		"manifests, lists and root that name them; %s set purge.outside: forget to leave them for good, and requeue the job",
		total.Files, example, setting)
}

// blockedAt ends the run dead when something keeps the next level from
// beginning. The checkpoint stays where it is, so that a requeue repeats the
// level and counts it once.
func (r *run) blockedAt(ctx context.Context, at level) error {
	blocked := r.blocked.Err(at.String(), "everything above stays, the root metadata file included: mend it and requeue the job")
	if blocked == nil {
		return nil
	}
	if !r.isPart { // what is left is for the end of the whole purge to say
		if err := r.listLeft(ctx); err != nil {
			return err
		}
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	return blocked
}
