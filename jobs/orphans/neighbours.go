package orphans

import (
	"context"
	"errors"
	"fmt"

	"deckhand/internal/maintenance"
	"deckhand/internal/ownership"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// source is who is asked, nil for nobody, and how far.
func (r *run) source() (Neighbours, ownership.Mode) {
	if r.cfg.Neighbours == nil {
		return nil, ownership.Off
	}
	source, mode := r.cfg.Neighbours(r.job.Realm, r.job.Catalog)
	if source == nil || mode == ownership.Off {
		return nil, ownership.Off
	}
	return source, mode
}

// asksAll says whether all of the catalog is asked, and not only the namespace.
func (r *run) asksAll() bool {
	_, mode := r.source()
	return mode == ownership.Catalog
}

// neighbours asks the catalog who else keeps files where the places are. all is true
// when all of the catalog has answered. The error is permanent when another's files
// cannot be told from the table's.
func (r *run) neighbours(ctx context.Context, places []place) (all bool, err error) {
	source, mode := r.source()
	if source == nil {
		return false, nil
	}
	q := ownership.Query{ID: r.table.ID, Mode: mode, Alive: r.progress.Alive}
	var homes []storage.Location
	for _, p := range places {
		homes = append(homes, p.own)
	}
	for _, home := range outermost(homes) {
		q.Locations = append(q.Locations, home.String())
	}
	found, err := source.Inside(ctx, q)
	switch {
	case errors.Is(err, polaris.ErrForbidden):
		r.book.Note("the catalog may not be asked for what else lies in the table's locations: %v", err)
		return false, nil
	case err != nil:
		return false, maintenance.CatalogFailure(ctx, fmt.Errorf("ask the catalog what else lies in the table's locations, without which nothing is deleted: %w", err))
	}
	for _, unasked := range found.Unasked {
		r.book.Note("the catalog may not be asked for all that lies in the table's locations: %s", unasked)
	}
	for _, n := range found.Neighbours {
		if n.Relation != ownership.Within {
			if _, err := r.table.Load(ctx); err != nil { // it may be this table, renamed
				return false, err
			}
			return false, jobs.Permanentf("the %s %s has the location %s, which is %s this table's %s: whose files are whose cannot be known, "+
				"so nothing was deleted; move one of them, or drop the one that is not needed, and requeue", n.Kind, n.ID, n.Location, n.Relation, n.Own)
		}
		l, err := storage.Parse(n.Location)
		if err != nil {
			return false, jobs.Permanent(fmt.Errorf("read the location of the %s %s: %w", n.Kind, n.ID, err))
		}
		r.foreign.add(l, fmt.Sprintf("the %s %s", n.Kind, n.ID))
	}
	return mode == ownership.Catalog && len(found.Unasked) == 0, nil
}
