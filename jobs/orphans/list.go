package orphans

import (
	"context"
	"errors"
	"fmt"

	"deckhand/internal/maintenance"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// The values of prefix-mismatch-mode but for ERROR.
const (
	mismatchIgnore = "IGNORE"
	mismatchDelete = "DELETE"
)

// list lists the places and finds the candidates. Where folders of somebody else
// have taken the room of orphans before they were known for what they are, it lists
// once more.
func (r *run) list(ctx context.Context) error {
	for again := false; ; again = true {
		known := r.foreign.len()
		if err := r.listOnce(ctx); err != nil {
			return err
		}
		left := r.tally.total(BeyondCap).Files > 0
		if again || !left || r.foreign.len() == known || r.found.count > r.maxFiles()/2 {
			return nil
		}
		r.tally.anew()
		r.receipt.Listed, r.receipt.Named = receipt.Count{}, receipt.Count{}
	}
}

func (r *run) listOnce(ctx context.Context) error {
	owners := r.newOwners(ctx)
	err := r.listAll(owners)
	if ownersErr := owners.wait(); err == nil || ownersErr != nil && jobs.IsPermanent(ownersErr) {
		err = ownersErr
	}
	if err != nil {
		return err
	}
	if err := r.judgeForks(ctx, owners.forks); err != nil {
		return err
	}
	if err := r.judgeLinks(ctx); err != nil {
		return err
	}
	return r.judge()
}

func (r *run) listAll(owners *owners) error {
	ctx := owners.ctx
	if err := r.lookAround(ctx, owners); err != nil {
		return err
	}
	r.found, r.links = newCandidates(r.places), map[storage.Location]int64{}
	for n, p := range r.places {
		s := r.newSift(n, p, owners)
		for object, err := range r.table.Reader.ListParallel(ctx, p.root, storage.ListConfig{}) {
			if err != nil {
				return maintenance.StorageFailure(ctx, fmt.Errorf("list the table's files: %w", err))
			}
			s.see(object)
		}
	}
	return nil
}

// lookAround looks for signs of other tables that are not below the places: in the
// folders between a place and the table's location that holds it, and in the
// table's metadata folder.
func (r *run) lookAround(ctx context.Context, owners *owners) error {
	seen := map[storage.Location]bool{}
	look := func(folder storage.Location, from int, limit int) error {
		if folder = folderOf(folder); seen[folder] || r.covered(folder) {
			return nil
		}
		seen[folder] = true
		for object, err := range r.table.Reader.ListLimit(ctx, folder, limit) {
			if err != nil {
				return maintenance.StorageFailure(ctx, fmt.Errorf("look for other tables in the table's location: %w", err))
			}
			r.sign(object, from, owners)
		}
		return nil
	}
	for _, p := range r.places {
		from := len(folderOf(p.own).Key)
		for above := range parents(p.root) {
			if len(above.Key) < from || len(above.Key) >= p.from {
				continue
			}
			err := errors.Join(look(above.Join(deltaLog), from, 1), look(above.Join(hudi), from, 1), look(above.Join("metadata"), from, 0))
			if err != nil {
				return err
			}
		}
	}
	folder := r.table.MetadataFolder
	return look(folder, len(folder.Key), 0)
}

// covered says whether a folder is listed anyway.
func (r *run) covered(folder storage.Location) bool {
	for _, p := range r.places {
		if folder.Same(p.root) || folder.Within(p.root) {
			return true
		}
	}
	return false
}

// sign takes note of what a file says of whose folder it lies in.
func (r *run) sign(o storage.Object, from int, owners *owners) {
	seen := r.foreign.look(o.Location, from)
	if found, _ := r.reached.find(o.Location.Key, r.reached.prefixes.id(o.Location.Scheme, o.Location.Bucket)); found == unnamed {
		owners.ask(o, seen)
	}
}

// judge drops candidates that turned out to be somebody's after they were found,
// and those that are named with another scheme or bucket, as the settings say.
func (r *run) judge() error {
	mode := r.settings.PrefixMismatchMode
	if r.foreign.len() == 0 && r.found.mismatched == 0 {
		return nil
	}
	var conflict *candidate
	r.found.filter(func(c candidate) bool {
		switch {
		case r.foreign.holds(c.location):
			r.tally.keep(Foreign, c.location, c.size)
		case c.mismatched && mode != mismatchDelete:
			r.tally.keep(Mismatched, c.location, c.size)
			if conflict == nil {
				conflict = &c
			}
		default:
			return true
		}
		return false
	})
	if conflict == nil || mode == mismatchIgnore {
		return nil
	}
	prefixes, l := r.reached.prefixes, conflict.location
	named, listed := prefixes.get(conflict.other), prefixes.get(prefixes.id(l.Scheme, l.Bucket))
	return jobs.Permanentf("%d files are named by the table's metadata with another scheme or bucket than they lie at, among them %s, which is named as %s/…: "+
		"nothing was deleted; say that they are equal (equal-schemes, equal-authorities: %s), or set prefix-mismatch-mode to IGNORE to keep such files, "+
		"or to DELETE if they are surely not the table's, and requeue",
		r.tally.total(Mismatched).Files, l, named, equation(named, listed))
}

// equation is the setting that makes two prefixes equal.
func equation(a, b prefix) string {
	switch {
	case a.scheme != b.scheme && a.authority != b.authority:
		return fmt.Sprintf("%s=%s and %s=%s", a.scheme, b.scheme, a.authority, b.authority)
	case a.scheme != b.scheme:
		return a.scheme + "=" + b.scheme
	}
	return a.authority + "=" + b.authority
}
