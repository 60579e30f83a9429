package expire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// restoreTries bounds how often a snapshot is put back while others commit.
const restoreTries = 3

// restore puts back the snapshots and refs that the commit took unseen. Catalogs
// may refuse a snapshot whose sequence number or row ids are behind the table's;
// where its parent is gone, they take it without one, which changes no row.
func (r *run) restore(ctx context.Context, rec *record, fresh *polaris.Loaded, found *lost) error {
	raw, err := r.rawSnapshots(ctx, found)
	if err != nil {
		return err
	}
	var refusal error
	for try := range restoreTries {
		requirements, updates, err := putBack(fresh.Metadata, found, raw, try > 0)
		if err != nil || len(updates) == 0 {
			return err
		}
		_, refusal = r.catalog.Client.Commit(ctx, r.id, requirements, updates)
		if refusal != nil && !isCatalogs(refusal) && !errors.Is(refusal, polaris.ErrStateUnknown) {
			return r.catalogFailure(ctx, fmt.Errorf("put back what was lost: %w", refusal))
		}
		if fresh, err = r.load(ctx, polaris.LoadOptions{}); err != nil {
			return err
		}
		if isBack(fresh.Metadata, found) {
			r.book.Note("%s came while the expiry committed, and the catalog dropped it with its snapshot: both were put back", found)
			return nil
		}
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
	raw, err := table.RawSnapshots(ctx, r.reader, l, wanted)
	if err != nil {
		return nil, r.storageFailure(ctx, fmt.Errorf("read the lost snapshots: %w", err))
	}
	return raw, nil
}

// putBack makes the commit that gives a table the refs that it lacks. With orphan,
// snapshots go without a parent that the table does not have.
func putBack(m *table.Metadata, found *lost, raw map[int64]json.RawMessage, orphan bool) ([]iceberg.Requirement, []iceberg.Update, error) {
	requirements, err := assertUUID(m)
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
			snapshot := raw[ref.SnapshotID]
			if orphan {
				if snapshot, err = withoutParent(snapshot, has); err != nil {
					return nil, nil, err
				}
			}
			updates = append(updates, &addSnapshot{ActionName: iceberg.UpdateAddSnapshot, Snapshot: snapshot})
			has[ref.SnapshotID] = true
		}
		requirements = append(requirements, iceberg.AssertRefSnapshotID(name, nil))
		updates = append(updates, iceberg.NewSetSnapshotRefUpdate(name, ref.SnapshotID, iceberg.RefType(ref.Type),
			milliseconds(ref.MaxRefAge), milliseconds(ref.MaxSnapshotAge), ref.MinSnapshotsToKeep))
	}
	return requirements, updates, nil
}

// milliseconds of the longest duration are those that Java writes for "for ever".
func milliseconds(d time.Duration) int64 { return d.Milliseconds() }

func withoutParent(snapshot json.RawMessage, has map[int64]bool) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	var parent struct {
		ID int64 `json:"parent-snapshot-id"`
	}
	if err := errors.Join(json.Unmarshal(snapshot, &fields), json.Unmarshal(snapshot, &parent)); err != nil {
		return nil, jobs.Permanent(fmt.Errorf("read the lost snapshot: %w", err))
	}
	if !has[parent.ID] {
		delete(fields, "parent-snapshot-id")
	}
	encoded, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encode the lost snapshot: %w", err)
	}
	return encoded, nil
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

func isMetadataError(err error) bool {
	return errors.Is(err, table.ErrCorrupt) || errors.Is(err, table.ErrEncrypted) || errors.Is(err, table.ErrNewerFormat)
}
