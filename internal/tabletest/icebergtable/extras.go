package icebergtable

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/iceberg-go/table"
)

// branch adds the tag "first" and the branch "audit" with one file of its own.
func (w *writer) branch(ctx context.Context) error {
	snapshots := slices.Clone(w.catalog.metadata.Snapshots())
	slices.SortFunc(snapshots, func(a, b table.Snapshot) int { return int(a.SequenceNumber - b.SequenceNumber) })
	updates := []table.Update{
		table.NewSetSnapshotRefUpdate("first", snapshots[0].SnapshotID, table.TagRef, -1, -1, -1),
		table.NewSetSnapshotRefUpdate("audit", w.catalog.metadata.CurrentSnapshot().SnapshotID, table.BranchRef, -1, -1, -1),
	}
	if _, _, err := w.catalog.CommitTable(ctx, identifier, nil, updates); err != nil {
		return fmt.Errorf("create branch: %w", err)
	}
	return w.append(ctx, "audit", 1)
}

// statistics adds one file of each kind to the current snapshot. Their content
// is not looked at by a purge: a line of text stands for it.
func (w *writer) statistics(ctx context.Context) error {
	snapshot := w.catalog.metadata.CurrentSnapshot().SnapshotID
	provider, err := table.LoadLocationProvider(w.Location, w.catalog.metadata.Properties())
	if err != nil {
		return fmt.Errorf("load location provider: %w", err)
	}
	puffin := provider.NewMetadataLocation(fmt.Sprintf("%d-statistics.stats", snapshot))
	partitions := provider.NewMetadataLocation(fmt.Sprintf("partition-stats-%d.parquet", snapshot))
	content := []byte("statistics\n")
	for _, location := range []string{puffin, partitions} {
		if err := w.catalog.store.WriteFile(location, content); err != nil {
			return err
		}
	}
	size := int64(len(content))
	updates := []table.Update{
		table.NewSetStatisticsUpdate(table.StatisticsFile{
			SnapshotID: snapshot, StatisticsPath: puffin, FileSizeInBytes: size, FileFooterSizeInBytes: 4,
			BlobMetadata: []table.BlobMetadata{},
		}),
		table.NewSetPartitionStatisticsUpdate(table.PartitionStatisticsFile{
			SnapshotID: snapshot, StatisticsPath: partitions, FileSizeInBytes: size,
		}),
	}
	if _, _, err := w.catalog.CommitTable(ctx, identifier, nil, updates); err != nil {
		return fmt.Errorf("set statistics: %w", err)
	}
	return nil
}
