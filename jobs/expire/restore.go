package expire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// restoreTries bounds how often a snapshot is put back while others commit.
const restoreTries = 3

// restore puts back the snapshots and refs that the commit took unseen. Catalogs
// of Iceberg's Java library refuse a snapshot whose sequence number or row ids are
// behind the table's, which is every old one from format 2 on.
func (r *run) restore(ctx context.Context, rec *record, fresh *polaris.Loaded, found *lost) error {
	raw, err := r.rawSnapshots(ctx, found)
	if err != nil {
		return err
	}
	var refusal error
	for range restoreTries {
		requirements, updates, err := putBack(fresh.Metadata, found, raw)
		if err != nil || len(updates) == 0 {
			return err
		}
		_, refusal = r.table.Commit(ctx, requirements, updates)
		if refusal != nil && !maintenance.IsDefinite(refusal) && !errors.Is(refusal, polaris.ErrStateUnknown) {
			return maintenance.CatalogFailure(ctx, fmt.Errorf("put back what was lost: %w", refusal))
		}
		if fresh, err = r.table.Load(ctx); err != nil {
			return err
		}
		if isBack(fresh.Metadata, found) {
			r.book.Note("%s came while the expiry committed, and the catalog dropped it with its snapshot: both were put back", found)
			return nil
		}
	}
	if refusal == nil {
		refusal = errors.New("it took the commit, and yet they are not there")
	}
	return jobs.Permanentf("%s came while the expiry committed; the catalog dropped it with its snapshot and does not take it back (%w). "+
		"No file was deleted, and none will be while the record %s is there. The metadata file that has both is %s: restore the snapshot from it as the README says "+
		"(\"Restore a snapshot\") and requeue, or delete the record to give it up", found, refusal, rec.location, found.metadata)
}

// String names the refs and their snapshots.
func (l *lost) String() string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(l.refs)) {
		texts = append(texts, fmt.Sprintf("the %s %q at snapshot %d", l.refs[name].Type, name, l.refs[name].SnapshotID))
	}
	return strings.Join(texts, " and ")
}

// isBack says whether the table has all that was lost.
func isBack(m *table.Metadata, found *lost) bool {
	for name, ref := range found.refs {
		if m.Refs[name].SnapshotID != ref.SnapshotID {
			return false
		}
	}
	return true
}

func (r *run) rawSnapshots(ctx context.Context, found *lost) (map[int64]json.RawMessage, error) {
	l, err := storage.Parse(found.metadata)
	if err != nil {
		return nil, jobs.Permanent(err)
	}
	wanted := map[int64]bool{}
	for _, ref := range found.refs {
		wanted[ref.SnapshotID] = true
	}
	raw, err := table.RawSnapshots(ctx, r.table.Reader, l, wanted)
	if err != nil {
		return nil, maintenance.StorageFailure(ctx, fmt.Errorf("read the lost snapshots: %w", err))
	}
	return raw, nil
}

// putBack makes the commit that gives a table the refs that it lacks.
func putBack(m *table.Metadata, found *lost, raw map[int64]json.RawMessage) ([]iceberg.Requirement, []iceberg.Update, error) {
	requirements, err := maintenance.AssertUUID(m)
	if err != nil {
		return nil, nil, err
	}
	has := map[int64]bool{}
	for _, s := range m.Snapshots {
		has[s.ID] = true
	}
	var updates []iceberg.Update
	for _, name := range slices.Sorted(maps.Keys(found.refs)) {
		ref := found.refs[name]
		if m.Refs[name].SnapshotID == ref.SnapshotID {
			continue
		}
		if !has[ref.SnapshotID] {
			updates = append(updates, &addSnapshot{ActionName: iceberg.UpdateAddSnapshot, Snapshot: raw[ref.SnapshotID]})
			has[ref.SnapshotID] = true
		}
		requirements = append(requirements, iceberg.AssertRefSnapshotID(name, nil))
		updates = append(updates, iceberg.NewSetSnapshotRefUpdate(name, ref.SnapshotID, iceberg.RefType(ref.Type),
			ref.MaxRefAge.Milliseconds(), ref.MaxSnapshotAge.Milliseconds(), ref.MinSnapshotsToKeep))
	}
	return requirements, updates, nil
}

// addSnapshot adds a snapshot as a metadata file has it, with all its fields.
type addSnapshot struct {
	ActionName string          `json:"action"`
	Snapshot   json.RawMessage `json:"snapshot"`
}

var _ iceberg.Update = (*addSnapshot)(nil)

// Action implements [iceberg.Update].
func (a *addSnapshot) Action() string { return a.ActionName }

// Apply implements [iceberg.Update].
func (a *addSnapshot) Apply(b *iceberg.MetadataBuilder) error {
	var snapshot iceberg.Snapshot
	if err := json.Unmarshal(a.Snapshot, &snapshot); err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	return b.AddSnapshot(&snapshot)
}

// PostCommit implements [iceberg.Update].
func (a *addSnapshot) PostCommit(context.Context, *iceberg.Table, *iceberg.Table) error { return nil }
