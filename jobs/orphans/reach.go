package orphans

import (
	"context"
	"fmt"

	"deckhand/internal/erase"
	"deckhand/internal/manifest"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// reach remembers all that the table names. The error is permanent when a list or
// manifest cannot be read: what it names is unknown.
func (r *run) reach(ctx context.Context, loaded *polaris.Loaded) error {
	m := loaded.Metadata
	r.reached.add(loaded.MetadataLocation)
	if l, err := storage.Parse(loaded.MetadataLocation); err == nil {
		r.reached.add(l.Parent().Join("version-hint.text").String())
	}
	for _, path := range m.MetadataLog {
		r.reached.add(path)
	}
	for _, of := range [][]table.StatisticsFile{m.Statistics, m.PartitionStatistics} {
		for _, f := range of {
			r.reached.add(f.Path)
		}
	}
	tree, err := table.ReadTree(ctx, r.table.Reader, m, 32)
	if err != nil {
		return erase.Failure(ctx, err)
	}
	for _, list := range tree.Lists {
		if list.State != table.Read {
			return jobs.Permanentf("manifest list %s cannot be read, so it cannot be told which files the table needs: nothing was deleted; "+
				"mend it or roll the table back, and requeue: %w", list.Path, list.Err)
		}
		r.reached.add(list.Path)
	}
	for _, f := range tree.Manifests {
		r.reached.add(f.Path)
	}
	err = table.Walk(ctx, r.table.Reader, tree.Manifests, func(int) bool { return true }, 32, &reacher{r.reached, tree.Manifests})
	if err != nil && !jobs.IsPermanent(err) {
		return erase.Failure(ctx, err)
	}
	if err == nil {
		r.loaded, r.receipt.MetadataLocation = loaded, loaded.MetadataLocation
	}
	return err
}

type reacher struct {
	reached   *reached
	manifests []table.Manifest
}

func (v *reacher) Entry(_ int, e *manifest.Entry) error {
	if e.Status != manifest.StatusDeleted {
		v.reached.add(string(e.Path))
	}
	return nil
}

func (v *reacher) End(i int, state table.State, err error) error {
	if state == table.Read {
		return nil
	}
	return jobs.Permanent(fmt.Errorf("manifest %s cannot be read, so it cannot be told which files the table needs: nothing was deleted; "+
		"mend it or roll the table back, and requeue: %w", v.manifests[i].Path, err))
}
