package expire_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

var _ icebergio.WriteFileIO = shelves{}

func (s shelves) WriteFile(name string, data []byte) error {
	s.put(name, bytes.Clone(data))
	return nil
}

func (s shelves) Create(name string) (icebergio.FileWriter, error) {
	return &pen{shelves: s, name: name}, nil
}

type pen struct {
	bytes.Buffer
	shelves
	name string
}

func (p *pen) ReadFrom(r io.Reader) (int64, error) { return p.Buffer.ReadFrom(r) }
func (p *pen) Close() error                        { return p.WriteFile(p.name, p.Bytes()) }

// author writes to the table of an office with iceberg-go.
type author struct {
	*office
	random *rand.Rand
	next   int64
}

var _ table.CatalogIO = (*author)(nil)

func (a *author) LoadTable(ctx context.Context, name table.Identifier) (*table.Table, error) {
	files := func(context.Context) (icebergio.IO, error) { return shelves{a.yard}, nil }
	return table.NewFromLocation(ctx, name, a.catalog.MetadataLocation(ctx, a.table), files, a)
}

func (a *author) CommitTable(ctx context.Context, name table.Identifier, requirements []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	if err := a.catalog.Commit(ctx, a.table, requirements, updates); err != nil {
		return nil, "", err
	}
	t, err := a.LoadTable(ctx, name)
	if err != nil {
		return nil, "", err
	}
	return t.Metadata(), t.MetadataLocation(), nil
}

// records are a few new rows.
func (a *author) records(t *table.Table) (array.RecordReader, error) {
	schema, err := table.SchemaToArrowSchema(t.Schema(), nil, true, false)
	if err != nil {
		return nil, err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for range 3 {
		a.next++
		for _, field := range b.Fields() {
			switch f := field.(type) {
			case *array.Int64Builder:
				f.Append(a.next)
			case *array.StringBuilder:
				f.Append([]string{"north", "south"}[a.next%2])
			case *array.Float64Builder:
				f.Append(float64(a.next))
			default:
				field.AppendNull()
			}
		}
	}
	return array.NewRecordReader(schema, []arrow.RecordBatch{b.NewRecordBatch()})
}

// step does one thing that writers do; an error means that it was refused.
func (a *author) step(ctx context.Context) (what string, err error) {
	t, err := a.LoadTable(ctx, table.Identifier{"zoo", "t"})
	if err != nil {
		return "load", err
	}
	snapshots := t.Metadata().Snapshots()
	victim := snapshots[a.random.IntN(len(snapshots))].SnapshotID
	rows, err := a.records(t)
	if err != nil {
		return "records", err
	}
	tx := t.NewTransaction()
	filter := iceberg.LessThan(iceberg.Reference("id"), a.random.Int64N(a.next))
	switch a.random.IntN(9) {
	case 0:
		what, err = "append", tx.Append(ctx, rows, nil)
	case 1:
		what, err = "overwrite", tx.Overwrite(ctx, rows, nil, table.WithOverwriteFilter(filter))
	case 2:
		what, err = "delete", tx.Delete(ctx, filter, nil)
	case 3:
		what = "branch"
		name := fmt.Sprint("branch", a.random.IntN(2))
		if t.SnapshotByName(name) == nil {
			_, _, err = a.CommitTable(ctx, t.Identifier(), nil, []table.Update{table.NewSetSnapshotRefUpdate(name, victim, table.BranchRef, 0, 0, 0)})
			return what, err
		}
		if tx, err = t.NewTransactionOnBranchWithError(name); err == nil {
			err = tx.Append(ctx, rows, nil)
		}
	case 4:
		_, _, err = a.CommitTable(ctx, t.Identifier(), nil, []table.Update{
			table.NewSetSnapshotRefUpdate(fmt.Sprint("tag", a.random.IntN(3)), victim, table.TagRef, 0, 0, 0),
		})
		return "tag", err
	case 5:
		what, err = "rollback", tx.RollbackToSnapshot(victim)
	case 6:
		what = "schema"
		err = tx.UpdateSchema(true, false).AddColumn([]string{fmt.Sprint("c", a.next)}, iceberg.PrimitiveTypes.Int64, "", false, nil).Commit()
	case 7:
		what = "spec"
		err = tx.UpdateSpec(true).AddField("id", iceberg.BucketTransform{NumBuckets: 2 + a.random.IntN(50)}, fmt.Sprint("b", a.next)).Commit()
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
func (a *author) cherryPick(ctx context.Context, t *table.Table, rows array.RecordReader) error {
	head := t.CurrentSnapshot().SnapshotID
	if _, _, err := a.CommitTable(ctx, t.Identifier(), nil, []table.Update{table.NewSetSnapshotRefUpdate("staged", head, table.BranchRef, 0, 0, 0)}); err != nil {
		return err
	}
	t, err := a.LoadTable(ctx, t.Identifier())
	if err != nil {
		return err
	}
	tx := t.NewTransactionOnBranch("staged")
	if err = tx.Append(ctx, rows, nil); err != nil {
		return err
	}
	if t, err = tx.Commit(ctx); err != nil {
		return err
	}
	staged := t.SnapshotByName("staged")
	if _, _, err := a.CommitTable(ctx, t.Identifier(), nil, []table.Update{table.NewRemoveSnapshotRefUpdate("staged")}); err != nil {
		return err
	}
	manifests, err := staged.Manifests(shelves{a.yard})
	if err != nil {
		return err
	}
	var files []iceberg.DataFile
	for _, m := range manifests {
		if m.SnapshotID() != staged.SnapshotID {
			continue
		}
		for entry, err := range m.Entries(shelves{a.yard}, true) {
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

// Whatever iceberg-go does to a table, with expiries in between and writers that
// come between their plans and their commits: every snapshot that is there reads
// the same rows as it always did.
func TestALivingTableReadsTheSameRowsAfterEachStep(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	done, refused := map[string]int{}, map[string]int{}
	expired, dead := 0, 0
	for n := range 6 {
		y := newYard(t)
		made := y.write(icebergtable.Options{Files: 2, Snapshots: 2, PositionDeletes: n%2 == 0})
		a := &author{office: y.officeOf(made.MetadataLocation), random: rand.New(rand.NewPCG(seed, uint64(n))), next: 100}
		known := map[int64][]string{}
		check := func(what string) {
			for id, rows := range y.rows(a.catalog.MetadataLocation(t.Context(), a.table)) {
				if known[id] == nil {
					known[id] = rows
				}
				require.Equal(t, known[id], rows, "seed %d, table %d, after %s: snapshot %d", seed, n, what, id)
			}
		}
		check("the beginning")
		for range 14 {
			if a.random.IntN(3) > 0 {
				what, err := a.step(t.Context())
				if done[what]++; err != nil {
					refused[what]++
				}
				check(what)
				continue
			}
			if raced := a.random.IntN(2) == 0; raced {
				first := true
				a.catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
					if kind != standin.CommitTable || !first {
						return nil
					}
					first = false
					return &standin.Fault{Call: func() { _, _ = a.step(context.Background()) }}
				})
			}
			r, err := a.expireOver(t.Context(), fmt.Sprintf(`{"older-than":"0s","retain-last":%d,"clean-expired-metadata":%t}`,
				1+a.random.IntN(3), a.random.IntN(2) == 0), &jobtest.Progress{})
			a.catalog.Fault(nil)
			expired += r.Removed.Snapshots
			check("an expiry")
			if err != nil { // a ref came that the catalog does not take back
				dead++
				require.True(t, jobs.IsPermanent(err), "seed %d, table %d: %v", seed, n, err)
				require.ErrorContains(t, err, "does not take it back")
				break
			}
		}
	}
	t.Logf("done %v, refused %v; %d snapshots expired, %d dead", done, refused, expired, dead)
	require.Positive(t, expired)
}
