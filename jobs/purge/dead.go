package purge

import (
	"context"

	"deckhand/jobs"
)

// endOutside ends a purge that met files outside its scope, with the setting
// that would finish it.
func (r *run) endOutside(ctx context.Context) error {
	if err := r.listLeft(ctx); err != nil {
		return err
	}
	outside := r.receipt.Kept[OutsideScope]
	example := ""
	if len(outside.Paths) > 0 {
		example = ", among them " + outside.Paths[0]
	}
	total := outside.Counts.Total()
	setting := `set purge.scope: catalog for this catalog, or add their location to its locations, to delete them`
	if r.catalog.Policy.Scope == ScopeCatalog {
		setting = `add their location to the catalog's locations to delete them`
	}
	return r.dead(ctx, jobs.Permanentf("%d files lie outside what this purge may delete%s: they were kept, and so were the "+
		"manifests, lists and root that name them; %s, or purge.outside: forget to leave them for good, and requeue the job",
		total.Files, example, setting))
}

// blockedAt ends the run dead when something keeps the next level from beginning.
func (r *run) blockedAt(ctx context.Context, at level) error {
	err := r.blocked.err(at)
	if err == nil {
		return nil
	}
	if listErr := r.listLeft(ctx); listErr != nil {
		return listErr
	}
	return r.dead(ctx, err)
}

// dead stores what a requeue needs. A purge that died in its data level goes on
// there; one that died above starts anew, with what was deleted until then.
func (r *run) dead(ctx context.Context, err error) error {
	if r.ck.Level > levelData {
		r.ck.Level, r.ck.Next, r.ck.Held, r.ck.HeldAll = levelData, nil, nil, false
		r.ck.Deleted, r.ck.Absent, r.ck.Kept = r.receipt.Deleted.clone(), nil, nil
		r.ck.AtMost = true
	}
	if saveErr := r.save(ctx); saveErr != nil {
		return saveErr
	}
	return err
}
