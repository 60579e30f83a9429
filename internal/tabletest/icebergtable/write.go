package icebergtable

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

var identifier = table.Identifier{"sales", "orders"}

// regions are the partitions of a partitioned table, one file after the other.
var regions = []string{"north", "south", "east"}

// writer adds to one table, snapshot by snapshot.
type writer struct {
	Options
	catalog *catalog
	arrow   *arrow.Schema
	written int                // data files so far
	encoded []iceberg.DataFile // the first of them, for copies
}

// Write builds the table that the options describe.
func Write(ctx context.Context, o Options) (*Table, error) {
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	catalog, err := create(o)
	if err != nil {
		return nil, err
	}
	columns, err := table.SchemaToArrowSchema(schema(), nil, true, false)
	if err != nil {
		return nil, fmt.Errorf("derive arrow schema: %w", err)
	}
	w := &writer{Options: o, catalog: catalog, arrow: columns}
	if err := w.build(ctx); err != nil {
		return nil, fmt.Errorf("write table %s: %w", o.Location, err)
	}
	return describe(catalog)
}

func (w *writer) build(ctx context.Context) error {
	steps := []struct {
		wanted bool
		run    func(context.Context) error
	}{
		{true, w.appendAll},
		{w.PositionDeletes, w.deletePositions},
		{w.EqualityDeletes, w.deleteByKey},
		{w.Branch, w.branch},
		{w.Statistics, w.statistics},
		{w.DeletedOnly, w.leaveDeletedOnly},
	}
	for _, step := range steps {
		if !step.wanted {
			continue
		}
		if err := step.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// appendAll spreads the data files over the snapshots.
func (w *writer) appendAll(ctx context.Context) error {
	for snapshot := range w.Snapshots {
		files := w.Files*(snapshot+1)/w.Snapshots - w.written
		if err := w.append(ctx, table.MainBranch, files); err != nil {
			return err
		}
	}
	return nil
}

// append commits one snapshot with new data files.
func (w *writer) append(ctx context.Context, branch string, files int) error {
	t, err := w.catalog.LoadTable(ctx, identifier)
	if err != nil {
		return err
	}
	var added []iceberg.DataFile
	for range files {
		file, err := w.dataFile(ctx, t)
		if err != nil {
			return err
		}
		added = append(added, file)
	}
	tx, err := t.NewTransactionOnBranchWithError(branch)
	if err != nil {
		return fmt.Errorf("begin append: %w", err)
	}
	if err := w.stage(ctx, tx, added); err != nil {
		return fmt.Errorf("stage append: %w", err)
	}
	if _, err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit append: %w", err)
	}
	return nil
}

// stage adds data files to a transaction. AddDataFiles wants row ids in format 3
// and a row delta does not exist in format 1.
func (w *writer) stage(ctx context.Context, tx *table.Transaction, added []iceberg.DataFile) error {
	if w.FormatVersion < 3 {
		return tx.AddDataFiles(ctx, added, nil, table.WithoutDuplicateCheck())
	}
	return tx.NewRowDelta(nil).AddRows(added...).Commit(ctx)
}

// dataFile writes the next data file. Its ids follow those of the file before.
func (w *writer) dataFile(ctx context.Context, t *table.Table) (iceberg.DataFile, error) {
	if w.written >= w.Distinct {
		return w.copyOf(w.encoded[w.written%len(w.encoded)])
	}
	first, region := int64(w.written*w.RowsPerFile), regions[w.written%len(regions)]
	w.written++
	for file, err := range table.WriteRecords(ctx, t, w.arrow, w.rows(first, w.RowsPerFile, region)) {
		if err != nil {
			return nil, fmt.Errorf("write data file: %w", err)
		}
		w.encoded = append(w.encoded, file)
		return file, nil
	}
	return nil, errors.New("write data file: iceberg-go wrote none")
}

// copyOf stores a data file a second time and describes the copy.
func (w *writer) copyOf(file iceberg.DataFile) (iceberg.DataFile, error) {
	path := fmt.Sprintf("%s-copy-%06d.parquet", strings.TrimSuffix(file.FilePath(), ".parquet"), w.written)
	w.written++
	w.catalog.store.link(file.FilePath(), path)
	b, err := iceberg.NewDataFileBuilder(w.catalog.metadata.PartitionSpec(), iceberg.EntryContentData, path,
		file.FileFormat(), file.Partition(), nil, nil, file.Count(), file.FileSizeBytes())
	if err != nil {
		return nil, fmt.Errorf("describe copy: %w", err)
	}
	return b.ColumnSizes(file.ColumnSizes()).ValueCounts(file.ValueCounts()).NullValueCounts(file.NullValueCounts()).
		LowerBoundValues(file.LowerBoundValues()).UpperBoundValues(file.UpperBoundValues()).
		SplitOffsets(file.SplitOffsets()).Build(), nil
}

func (w *writer) rows(first int64, count int, region string) iter.Seq2[arrow.RecordBatch, error] {
	b := array.NewRecordBuilder(memory.DefaultAllocator, w.arrow)
	defer b.Release()
	for i := range count {
		id := first + int64(i)
		b.Field(0).(*array.Int64Builder).Append(id)
		b.Field(1).(*array.StringBuilder).Append(region)
		b.Field(2).(*array.Float64Builder).Append(float64(id) / 4)
	}
	batch := b.NewRecordBatch()
	return func(yield func(arrow.RecordBatch, error) bool) { yield(batch, nil) }
}
