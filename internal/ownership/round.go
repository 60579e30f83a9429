package ownership

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// round is a look through all namespaces of a catalog for one kind. It counts as one
// look: were each namespace as old as its own, one that takes longer than
// [Config.MaxAge] would have to be begun again for each question.
type round struct {
	sharing, renewals *sharing
	// shelves of the last one that ended well, and since when they are known at least;
	// the index's lock guards them.
	shelves []*shelf
	looked  time.Time
	// asked is when somebody asked last; the index's lock guards it.
	asked time.Time
}

// round of a kind, made when it is asked for first.
func (x *Index) round(kind Kind) *round {
	x.mu.Lock()
	defer x.mu.Unlock()
	found := x.rounds[kind]
	if found == nil {
		found = &round{sharing: newSharing(), renewals: newSharing()}
		x.rounds[kind] = found
	}
	found.asked = x.cfg.Now()
	return found
}

// everywhere is fresh for the whole catalog.
func (x *Index) everywhere(ctx context.Context, q Query, kind Kind, after time.Time) ([]*shelf, time.Time, error) {
	r := x.round(kind)
	looked, err := r.sharing.do(ctx, x.cfg, q.Alive, time.Time{}, func(ctx context.Context, alive func()) (time.Time, error) {
		return x.lookEverywhere(ctx, r, kind, alive)
	})
	if err == nil && !looked.After(after) {
		_, err = r.renewals.do(ctx, x.cfg, q.Alive, after, func(ctx context.Context, alive func()) (time.Time, error) {
			return time.Time{}, x.renewEverywhere(ctx, r, kind, alive, after)
		})
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	x.mu.Lock()
	shelves, looked := r.shelves, r.looked
	r.asked = x.cfg.Now()
	x.mu.Unlock()
	x.asked(shelves...)
	x.forget()
	return shelves, looked, nil
}

func (x *Index) lookEverywhere(ctx context.Context, r *round, kind Kind, alive func()) (time.Time, error) {
	namespaces, looked, err := x.tree.fresh(ctx, alive, time.Time{})
	if err != nil {
		return time.Time{}, err
	}
	shelves, began := x.shelvesOf(kind, namespaces), make([]time.Time, len(namespaces))
	err = x.each(ctx, shelves, func(ctx context.Context, i int) (err error) {
		began[i], err = shelves[i].fresh(ctx, alive)
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	looked = slices.MinFunc(append(began, looked), time.Time.Compare)
	x.mu.Lock()
	defer x.mu.Unlock()
	r.shelves, r.looked = shelves, looked
	return looked, nil
}

// renewEverywhere is renew for the whole catalog; namespaces that are new are looked
// through. What the last look saw counts for no longer than it did.
func (x *Index) renewEverywhere(ctx context.Context, r *round, kind Kind, alive func(), after time.Time) error {
	namespaces, _, err := x.tree.fresh(ctx, alive, after)
	if err != nil {
		return err
	}
	x.mu.Lock()
	known := make(map[*shelf]bool, len(r.shelves))
	for _, s := range r.shelves {
		known[s] = true
	}
	x.mu.Unlock()
	shelves := x.shelvesOf(kind, namespaces)
	err = x.each(ctx, shelves, func(ctx context.Context, i int) error {
		if !known[shelves[i]] {
			if began, err := shelves[i].fresh(ctx, alive); err != nil || began.After(after) {
				return err
			}
		}
		return shelves[i].renew(ctx, alive, after)
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	r.shelves = shelves
	return nil
}

func (x *Index) shelvesOf(kind Kind, namespaces [][]string) []*shelf {
	shelves := make([]*shelf, len(namespaces))
	for i, namespace := range namespaces {
		shelves[i] = x.shelf(kind, namespace)
	}
	return shelves
}

func (x *Index) each(ctx context.Context, shelves []*shelf, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(x.cfg.Parallel)
	for i := range shelves {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}
