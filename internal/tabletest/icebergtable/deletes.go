package icebergtable

import (
	"context"
	"fmt"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// deletePositions deletes the second row of each of the first three files, so
// that every file keeps rows and iceberg-go has to write positions.
func (w *writer) deletePositions(ctx context.Context) error {
	var ids []int64
	for file := range min(3, w.Files) {
		ids = append(ids, int64(file*w.RowsPerFile+1))
	}
	return w.delete(ctx, iceberg.IsIn(iceberg.Reference("id"), ids...))
}

// delete commits one snapshot that deletes the rows of a filter.
func (w *writer) delete(ctx context.Context, filter iceberg.BooleanExpression) error {
	t, err := w.catalog.LoadTable(ctx, identifier)
	if err != nil {
		return err
	}
	tx := t.NewTransaction()
	if err := tx.Delete(ctx, filter, nil); err != nil {
		return fmt.Errorf("delete rows: %w", err)
	}
	if _, err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit delete: %w", err)
	}
	return nil
}

// deleteByKey deletes the third row of the first file by its id.
func (w *writer) deleteByKey(ctx context.Context) error {
	t, err := w.catalog.LoadTable(ctx, identifier)
	if err != nil {
		return err
	}
	tx := t.NewTransaction()
	files, err := tx.WriteEqualityDeletes(ctx, []int{1}, w.rows(2, 1, regions[0]))
	if err != nil {
		return fmt.Errorf("write equality deletes: %w", err)
	}
	delta := tx.NewRowDelta(nil)
	delta.AddDeletes(files...)
	if err := delta.Commit(ctx); err != nil {
		return fmt.Errorf("stage equality deletes: %w", err)
	}
	if _, err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit equality deletes: %w", err)
	}
	return nil
}

// leaveDeletedOnly deletes all rows of the first file, which drops the file with
// an entry of status DELETED, and then forgets every older snapshot without
// deleting a data file.
func (w *writer) leaveDeletedOnly(ctx context.Context) error {
	last := int64(w.RowsPerFile - 1)
	if err := w.delete(ctx, iceberg.LessThanEqual(iceberg.Reference("id"), last)); err != nil {
		return err
	}
	current := w.catalog.metadata.CurrentSnapshot().SnapshotID
	kept := map[int64]bool{current: true}
	for _, ref := range w.catalog.metadata.Refs() {
		kept[ref.SnapshotID] = true
	}
	var old []int64
	for _, snapshot := range w.catalog.metadata.Snapshots() {
		if !kept[snapshot.SnapshotID] {
			old = append(old, snapshot.SnapshotID)
		}
	}
	updates := []table.Update{table.NewRemoveSnapshotsUpdate(old, false)}
	if _, _, err := w.catalog.CommitTable(ctx, identifier, nil, updates); err != nil {
		return fmt.Errorf("forget snapshots: %w", err)
	}
	return nil
}
