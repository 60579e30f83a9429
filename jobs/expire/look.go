package expire

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// lost is what a commit took with it unseen.
type lost struct {
	// refs by name, and their snapshots.
	refs map[string]table.Ref
	// metadata is the metadata file that has them.
	metadata string
}

// look finds branches and tags that came between the plan and the commit and were
// dropped with their snapshots, and has them put back. Nothing may be deleted
// before it says so.
func (r *run) look(ctx context.Context, rec *record, fresh *polaris.Loaded) (restored bool, err error) {
	found, err := r.replaced(ctx, rec, fresh.Metadata)
	if err != nil || found == nil {
		return false, err
	}
	return true, r.restore(ctx, rec, fresh, found)
}

// replaced reads the metadata that the record's commit has replaced, and gives
// what was lost with it; nil for nothing. What the log of the metadata names since
// the plan is read from the newest back, up to the first that the commit had not
// touched.
func (r *run) replaced(ctx context.Context, rec *record, fresh *table.Metadata) (*lost, error) {
	if rec.Replaced != "" {
		m, err := r.readReplaced(ctx, rec.Replaced)
		if err != nil {
			return nil, err
		}
		if refs, _ := rec.lostRefs(m, fresh); len(refs) > 0 {
			return &lost{refs: refs, metadata: rec.Replaced}, nil
		}
		return nil, nil
	}
	log := fresh.MetadataLog
	base := table.Identity(rec.Base)
	planned := slices.IndexFunc(log, func(path string) bool { return table.Identity(path) == base })
	for i := len(log) - 1; i > planned; i-- {
		m, err := r.readReplaced(ctx, log[i])
		if err != nil {
			return nil, err
		}
		if refs, before := rec.lostRefs(m, fresh); before {
			if len(refs) == 0 {
				return nil, nil
			}
			return &lost{refs: refs, metadata: log[i]}, nil
		}
	}
	if planned < 0 {
		return nil, jobs.Permanentf("the metadata log of the table reaches back to after the commit that removed %d snapshots, so it cannot be told "+
			"whether a branch or tag was lost with them: no file was deleted; delete the record %s to leave the files to orphan removal",
			len(rec.Snapshots), rec.location)
	}
	return nil, nil
}

func (r *run) readReplaced(ctx context.Context, path string) (*table.Metadata, error) {
	l, err := storage.Parse(path)
	var m *table.Metadata
	if err == nil {
		m, err = table.Load(ctx, r.table.Reader, l)
	}
	if err == nil {
		return m, nil
	}
	if failure := maintenance.StorageFailure(ctx, err); !jobs.IsPermanent(failure) {
		return nil, failure
	}
	return nil, jobs.Permanent(fmt.Errorf("read the metadata file %s, which may be the one that the expiry replaced: %w: "+
		"so it cannot be told whether a branch or tag was lost, and no file was deleted; mend it and requeue", path, err))
}

// lostRefs are the refs of m on snapshots that the table has no more, and that the
// record did not mean to remove. before says that m is from before the commit.
func (rec *record) lostRefs(m, fresh *table.Metadata) (refs map[string]table.Ref, before bool) {
	gone := idSet(rec.ids())
	for _, s := range fresh.Snapshots {
		delete(gone, s.ID)
	}
	before = slices.ContainsFunc(m.Snapshots, func(s table.Snapshot) bool { return gone[s.ID] })
	refs = maps.Clone(m.Refs)
	maps.DeleteFunc(refs, func(name string, ref table.Ref) bool {
		return !gone[ref.SnapshotID] || slices.Contains(rec.Removed.Refs, name)
	})
	return refs, before
}
