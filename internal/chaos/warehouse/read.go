package warehouse

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go/table"
)

// read gives the ids of the rows of each ref and of each snapshot, as iceberg-go reads
// them.
func (l *Living) read(ctx context.Context) (refs map[string]map[int64]bool, snapshots map[int64]map[int64]bool, err error) {
	t, err := l.load(ctx)
	if err != nil {
		return nil, nil, err
	}
	refs, snapshots = map[string]map[int64]bool{}, map[int64]map[int64]bool{}
	for _, s := range t.Metadata().Snapshots() {
		if snapshots[s.SnapshotID], err = readIDs(ctx, t, s.SnapshotID); err != nil {
			return nil, nil, fmt.Errorf("read snapshot %d (metadata %s): %w", s.SnapshotID, t.MetadataLocation(), err)
		}
	}
	for name, ref := range t.Metadata().Refs() {
		refs[name] = snapshots[ref.SnapshotID]
	}
	return refs, snapshots, nil
}

func readIDs(ctx context.Context, t *table.Table, snapshot int64) (map[int64]bool, error) {
	_, batches, err := t.Scan(table.WithSnapshotID(snapshot), table.WithSelectedFields("id")).ToArrowRecords(ctx)
	if err != nil {
		return nil, err
	}
	ids := map[int64]bool{}
	for batch, err := range batches {
		if err != nil {
			return nil, err
		}
		column, ok := batch.Column(0).(*array.Int64)
		if !ok {
			return nil, fmt.Errorf("column id is %s", batch.Column(0).DataType())
		}
		for _, id := range column.Int64Values() {
			if ids[id] {
				return nil, fmt.Errorf("row %d is there twice", id)
			}
			ids[id] = true
		}
		batch.Release()
	}
	return ids, nil
}

// Differences says, for each ref and each snapshot of the writer that the table still
// has, which rows it should have and has not, or has and should not.
func (l *Living) Differences(ctx context.Context) []string {
	refs, snapshots, err := l.read(ctx)
	if err != nil {
		return []string{fmt.Sprintf("table %s.%s cannot be read: %v", livingNamespace, l.name, err)}
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(l.rows)) {
		if refs[name] == nil {
			found = append(found, fmt.Sprintf("table %s.%s has lost its ref %s", livingNamespace, l.name, name))
			continue
		}
		found = append(found, l.compare(name, l.rows[name], refs[name])...)
	}
	for _, id := range slices.Sorted(maps.Keys(snapshots)) {
		if want, made := l.at[id]; made {
			found = append(found, l.compare(fmt.Sprintf("snapshot %d", id), want, snapshots[id])...)
		}
	}
	return found
}

func (l *Living) compare(where string, want, have map[int64]bool) (found []string) {
	if missing := minus(want, have); len(missing) > 0 {
		found = append(found, fmt.Sprintf("table %s.%s lacks %d committed rows in %s: ids %v", livingNamespace, l.name, len(missing), where, few(missing)))
	}
	if more := minus(have, want); len(more) > 0 {
		found = append(found, fmt.Sprintf("table %s.%s has %d rows in %s that were deleted or never committed: ids %v", livingNamespace, l.name, len(more), where, few(more)))
	}
	return found
}

func minus(a, b map[int64]bool) []int64 {
	var rest []int64
	for id := range a {
		if !b[id] {
			rest = append(rest, id)
		}
	}
	slices.Sort(rest)
	return rest
}

func few(ids []int64) []int64 { return ids[:min(len(ids), 10)] }
