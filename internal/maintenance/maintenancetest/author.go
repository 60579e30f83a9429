package maintenancetest

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// Author writes to the table of an office with iceberg-go. It is one writer: its steps
// come one after the other.
type Author struct {
	*Office
	// Random decides what to do.
	Random *rand.Rand
	// Next is the id of the newest row; each new one gets the following.
	Next int64
}

var _ table.CatalogIO = (*Author)(nil)

// LoadTable implements [table.CatalogIO].
func (a *Author) LoadTable(ctx context.Context, name table.Identifier) (*table.Table, error) {
	files := func(context.Context) (icebergio.IO, error) { return Shelves{Server: a.Server}, nil }
	return table.NewFromLocation(ctx, name, a.Catalog.MetadataLocation(ctx, a.Table), files, a)
}

// CommitTable implements [table.CatalogIO].
func (a *Author) CommitTable(ctx context.Context, name table.Identifier, requirements []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	if err := a.Catalog.Commit(ctx, a.Table, requirements, updates); err != nil {
		return nil, "", err
	}
	t, err := a.LoadTable(ctx, name)
	if err != nil {
		return nil, "", err
	}
	return t.Metadata(), t.MetadataLocation(), nil
}

// records are a few new rows.
func (a *Author) records(t *table.Table) (array.RecordReader, error) {
	a.Next += 3
	return Records(t, a.Next-2, a.Next-1, a.Next)
}

// Records are one row for each id: columns of integers and of floats hold it, those of
// text a region that follows from it, others nothing.
func Records(t *table.Table, ids ...int64) (array.RecordReader, error) {
	schema, err := table.SchemaToArrowSchema(t.Schema(), nil, true, false)
	if err != nil {
		return nil, err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, id := range ids {
		for _, field := range b.Fields() {
			switch f := field.(type) {
			case *array.Int64Builder:
				f.Append(id)
			case *array.StringBuilder:
				f.Append([]string{"north", "south"}[id%2])
			case *array.Float64Builder:
				f.Append(float64(id))
			default:
				field.AppendNull()
			}
		}
	}
	return array.NewRecordReader(schema, []arrow.RecordBatch{b.NewRecordBatch()})
}

// Step does one thing that writers do, and says what; an error means that it was
// refused.
func (a *Author) Step(ctx context.Context) (what string, err error) {
	t, err := a.LoadTable(ctx, table.Identifier{"zoo", "t"})
	if err != nil {
		return "load", err
	}
	snapshots := t.Metadata().Snapshots()
	victim := snapshots[a.Random.IntN(len(snapshots))].SnapshotID
	rows, err := a.records(t)
	if err != nil {
		return "records", err
	}
	tx := t.NewTransaction()
	filter := iceberg.LessThan(iceberg.Reference("id"), a.Random.Int64N(a.Next))
	switch a.Random.IntN(9) {
	case 0:
		what, err = "append", tx.Append(ctx, rows, nil)
	case 1:
		what, err = "overwrite", tx.Overwrite(ctx, rows, nil, table.WithOverwriteFilter(filter))
	case 2:
		what, err = "delete", tx.Delete(ctx, filter, nil)
	case 3:
		what = "branch"
		name := fmt.Sprint("branch", a.Random.IntN(2))
		if t.SnapshotByName(name) == nil {
			_, _, err = a.CommitTable(ctx, t.Identifier(), nil, []table.Update{table.NewSetSnapshotRefUpdate(name, victim, table.BranchRef, 0, 0, 0)})
			return what, err
		}
		if tx, err = t.NewTransactionOnBranchWithError(name); err == nil {
			err = tx.Append(ctx, rows, nil)
		}
	case 4:
		_, _, err = a.CommitTable(ctx, t.Identifier(), nil, []table.Update{
			table.NewSetSnapshotRefUpdate(fmt.Sprint("tag", a.Random.IntN(3)), victim, table.TagRef, 0, 0, 0),
		})
		return "tag", err
	case 5:
		what, err = "rollback", tx.RollbackToSnapshot(victim)
	case 6:
		what = "schema"
		err = tx.UpdateSchema(true, false).AddColumn([]string{fmt.Sprint("c", a.Next)}, iceberg.PrimitiveTypes.Int64, "", false, nil).Commit()
	case 7:
		what = "spec"
		err = tx.UpdateSpec(true).AddField("id", iceberg.BucketTransform{NumBuckets: 2 + a.Random.IntN(50)}, fmt.Sprint("b", a.Next)).Commit()
	case 8:
		return "cherry-pick", a.cherryPick(ctx, t, rows)
	}
	if err == nil {
		_, err = tx.Commit(ctx)
	}
	return what, err
}

// cherryPick stages a snapshot that no ref has, and then adds its files to main in
// one of their own, as Java does it.
func (a *Author) cherryPick(ctx context.Context, t *table.Table, rows array.RecordReader) error {
	head := t.CurrentSnapshot().SnapshotID
	if _, _, err := a.CommitTable(ctx, t.Identifier(), nil, []table.Update{table.NewSetSnapshotRefUpdate("staged", head, table.BranchRef, 0, 0, 0)}); err != nil {
		return err
	}
	t, err := a.LoadTable(ctx, t.Identifier())
	if err != nil {
		return err
	}
	tx := t.NewTransactionOnBranch("staged")
	if err := tx.Append(ctx, rows, nil); err != nil {
		return err
	}
	if t, err = tx.Commit(ctx); err != nil {
		return err
	}
	staged := t.SnapshotByName("staged")
	if _, _, err := a.CommitTable(ctx, t.Identifier(), nil, []table.Update{table.NewRemoveSnapshotRefUpdate("staged")}); err != nil {
		return err
	}
	manifests, err := staged.Manifests(Shelves{Server: a.Server})
	if err != nil {
		return err
	}
	var files []iceberg.DataFile
	for _, m := range manifests {
		if m.SnapshotID() != staged.SnapshotID {
			continue
		}
		for entry, err := range m.Entries(Shelves{Server: a.Server}, true) {
			if err != nil {
				return err
			}
			files = append(files, entry.DataFile())
		}
	}
	if t, err = a.LoadTable(ctx, t.Identifier()); err != nil {
		return err
	}
	pick := t.NewTransaction()
	if err := pick.AddDataFiles(ctx, files, nil, table.WithoutDuplicateCheck()); err != nil {
		return err
	}
	_, err = pick.Commit(ctx)
	return err
}
