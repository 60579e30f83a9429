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
	sharing *sharing
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
		found = &round{sharing: newSharing()}
		x.rounds[kind] = found
	}
	found.asked = x.cfg.Now()
	return found
}

// everywhere is fresh for the whole catalog.
func (x *Index) everywhere(ctx context.Context, q Query, kind Kind, after time.Time) ([]*shelf, time.Time, error) {
	r := x.round(kind)
	_, err := r.sharing.do(ctx, x.cfg, q.Alive, after, func(ctx context.Context, alive func()) (time.Time, error) {
		shelves, looked, err := x.lookEverywhere(ctx, kind, alive, after)
		if err != nil {
			return time.Time{}, err
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		r.shelves, r.looked = shelves, looked
		return looked, nil
	})
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

func (x *Index) lookEverywhere(ctx context.Context, kind Kind, alive func(), after time.Time) (shelves []*shelf, looked time.Time, err error) {
	namespaces, looked, err := x.tree.fresh(ctx, alive, after)
	if err != nil {
		return nil, time.Time{}, err
	}
	began := make([]time.Time, len(namespaces))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(x.cfg.Parallel)
	for i, namespace := range namespaces {
		s := x.shelf(kind, namespace)
		shelves = append(shelves, s)
		group.Go(func() (err error) {
			began[i], err = s.fresh(ctx, alive, after)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, time.Time{}, err
	}
	return shelves, slices.MinFunc(append(began, looked), time.Time.Compare), nil
}
