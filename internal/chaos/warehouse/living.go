package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"deckhand/internal/chaos/history"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// mainBranch is where most commits go.
const mainBranch = "main"

// Living is a table with a writer, who knows what rows each of its refs has.
type Living struct {
	*Warehouse
	name   string
	lock   string
	random *rand.Rand
	// rows are the ids of each ref's rows, as far as the catalog took the commits; at
	// those of each snapshot that the writer made.
	rows map[string]map[int64]bool
	at   map[int64]map[int64]bool
	next int64
	// written are the keys of the files that the writer's present step made, and added
	// the snapshot that it committed.
	written []string
	added   int64
	// past metadata files.
	past past
}

var _ table.CatalogIO = (*Living)(nil)

func (w *Warehouse) newLiving(ctx context.Context, name string, random *rand.Rand) (*Living, error) {
	l := &Living{Warehouse: w, name: name, random: random, next: 1_000_000}
	l.lock = l.Job(jobs.Expire).LockKey()
	written, err := icebergtable.Write(ctx, icebergtable.Options{
		Location: "s3://" + bucket + "/" + livingNamespace + "/" + name, Files: 4, Snapshots: 4, RowsPerFile: 4, PositionDeletes: true,
	})
	if err != nil {
		return nil, fmt.Errorf("write living table: %w", err)
	}
	if err := written.Objects.Load(w.Store); err != nil {
		return nil, fmt.Errorf("store living table: %w", err)
	}
	if err := w.Catalog.Register(ctx, l.id(), written.MetadataLocation); err != nil {
		return nil, fmt.Errorf("register living table: %w", err)
	}
	for location := range written.Objects {
		_, key, err := tabletest.SplitS3(location)
		if err != nil {
			return nil, fmt.Errorf("split location: %w", err)
		}
		l.written = append(l.written, key)
	}
	w.commit(l.written)
	l.rows, l.at, err = l.read(ctx)
	return l, err
}

func (l *Living) id() standin.Table {
	return standin.Table{Catalog: catalog, Namespace: []string{livingNamespace}, Name: l.name}
}

// Job of a kind of maintenance for the table. Each call makes another.
func (l *Living) Job(kind jobs.Kind) *jobs.Job {
	params := map[jobs.Kind]string{
		jobs.Expire:    `{"max-snapshot-age":"0s","min-snapshots-to-keep":2}`,
		jobs.Orphans:   `{"older-than":"7d"}`,
		jobs.Manifests: `{}`,
	}[kind]
	return &jobs.Job{
		Version: jobs.Version, ID: jobs.NewID(), Kind: kind, Realm: realm, Catalog: catalog,
		Namespace: []string{livingNamespace}, Table: l.name, Params: json.RawMessage(params),
	}
}

// Litter leaves a file in the table's folder that nobody names.
func (l *Living) Litter() {
	l.Store.Put(bucket, fmt.Sprintf("%s/%s/data/%s%d.parquet", livingNamespace, l.name, OldPrefix, l.random.Uint32()), []byte("left over"))
}

// LoadTable implements [table.CatalogIO].
func (l *Living) LoadTable(ctx context.Context, name table.Identifier) (*table.Table, error) {
	files := func(context.Context) (icebergio.IO, error) {
		return desk{maintenancetest.Shelves{Server: l.Store}, l}, nil
	}
	return table.NewFromLocation(ctx, name, l.Catalog.MetadataLocation(ctx, l.id()), files, l)
}

// CommitTable implements [table.CatalogIO].
func (l *Living) CommitTable(ctx context.Context, name table.Identifier, requirements []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	if err := l.Catalog.Commit(ctx, l.id(), requirements, updates); err != nil {
		return nil, "", fmt.Errorf("commit: %w", err)
	}
	l.added = addedBy(updates)
	l.commit(l.written)
	t, err := l.LoadTable(ctx, name)
	if err != nil {
		return nil, "", err
	}
	return t.Metadata(), t.MetadataLocation(), nil
}

func (l *Living) load(ctx context.Context) (*table.Table, error) {
	return l.LoadTable(ctx, table.Identifier{livingNamespace, l.name})
}

// Write commits now and then until ctx ends. Commits that lose against others are not
// repeated.
func (l *Living) Write(ctx context.Context, pause time.Duration) {
	for ctx.Err() == nil {
		// The commit itself is not cut off: whether it happened would not be known.
		what, err := l.step(context.WithoutCancel(ctx))
		text := what
		if err != nil {
			text += " was refused: " + err.Error()
		}
		l.record.Add(history.Event{What: history.Committed, Lock: l.lock, Text: text})
		if l.random.IntN(4) == 0 {
			l.Litter()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + time.Duration(l.random.Int64N(int64(pause)))):
		}
	}
}

// step does one thing that writers do, and notes the rows if it was taken.
func (l *Living) step(ctx context.Context) (what string, err error) {
	t, err := l.load(ctx)
	if err != nil {
		return "load", err
	}
	named, err := metadataLog(t)
	if err != nil {
		return "read the metadata log", err
	}
	l.forget(named, time.Now())
	branch := mainBranch
	if l.random.IntN(5) == 0 {
		branch = fmt.Sprintf("branch%d", l.random.IntN(2))
	}
	if t.SnapshotByName(branch) == nil || l.random.IntN(8) == 0 {
		return l.setRef(ctx, t, branch)
	}
	l.written, l.added = nil, 0
	after := maps.Clone(l.rows[branch])
	ids := []int64{l.next, l.next + 1, l.next + 2}
	l.next += int64(len(ids))
	below := l.next - l.random.Int64N(60)
	filter := iceberg.LessThan(iceberg.Reference("id"), below)
	tx := t.NewTransaction()
	if branch != mainBranch {
		if tx, err = t.NewTransactionOnBranchWithError(branch); err != nil {
			return "open branch", err
		}
	}
	what, forget, add := "append", false, true
	switch l.random.IntN(4) {
	case 0:
		what, forget, add = "delete", true, false
	case 1:
		what, forget = "overwrite", true
	}
	if forget {
		maps.DeleteFunc(after, func(id int64, _ bool) bool { return id < below })
	}
	rows, err := maintenancetest.Records(t, ids...)
	if err != nil {
		return what, err
	}
	defer rows.Release()
	switch what {
	case "append":
		err = tx.Append(ctx, rows, nil)
	case "overwrite":
		err = tx.Overwrite(ctx, rows, nil, table.WithOverwriteFilter(filter))
	default:
		err = tx.Delete(ctx, filter, nil)
	}
	what = fmt.Sprintf("%s %v below %d in %s", what, ids, below, branch)
	if err == nil {
		_, err = tx.Commit(ctx)
	}
	if err != nil {
		return what, err
	}
	if add {
		for _, id := range ids {
			after[id] = true
		}
	}
	l.rows[branch] = after
	if l.added != 0 { // not, where there was nothing to delete
		l.at[l.added] = maps.Clone(after)
	}
	return what, nil
}

// setRef makes a branch, or a tag on the newest snapshot of main.
func (l *Living) setRef(ctx context.Context, t *table.Table, branch string) (what string, err error) {
	head := t.SnapshotByName(mainBranch)
	name, kind := branch, table.BranchRef
	if t.SnapshotByName(branch) != nil {
		name, kind = fmt.Sprintf("tag%d", l.random.IntN(3)), table.TagRef
	}
	what = fmt.Sprintf("%s %s", kind, name)
	requirement := table.AssertRefSnapshotID(mainBranch, &head.SnapshotID)
	_, _, err = l.CommitTable(ctx, t.Identifier(), []table.Requirement{requirement},
		[]table.Update{table.NewSetSnapshotRefUpdate(name, head.SnapshotID, kind, 0, 0, 0)})
	if err == nil {
		l.rows[name] = maps.Clone(l.rows[mainBranch])
	}
	return what, err
}
