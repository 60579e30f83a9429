package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"

	"deckhand/internal/standin"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/expire"
)

// retention is the policy of the demo: of each branch the newest snapshot stays.
const retention = `{"version":"2025-02-03","enable":true,"config":{"max_snapshot_age_days":0,"min_snapshot_to_keep":1}}`

// openCatalog starts the stand-in for Polaris, with a principal that may do no more
// than maintenance needs, and gives the worker's configuration of it.
func (s *stage) openCatalog() (yaml string, err error) {
	s.catalog, err = standin.New(standin.Options{Catalogs: []standin.Catalog{{Name: "lake", Location: "file://" + s.warehouse}}})
	if err != nil {
		return "", fmt.Errorf("start catalog: %w", err)
	}
	credential, err := s.catalog.CreatePrincipal("deckhand", "lake", standin.MaintenanceGrants...)
	if err != nil {
		return "", fmt.Errorf("make principal: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.folder, "credential.txt"), []byte(credential+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write credential: %w", err)
	}
	return fmt.Sprintf("    rest: { uri: %s, warehouse: lake, credential_file: credential.txt, scope: \"PRINCIPAL_ROLE:ALL\" }\n", s.catalog.URI()), nil
}

// maintainByPolicy shows a table that lives and is kept small by a policy.
func maintainByPolicy(ctx context.Context, s *stage) error {
	step("Now a table that lives: many snapshots, a tag on the oldest, and a region that was deleted")
	detail("(in a stand-in that answers as a Polaris does; the worker's principal has %s)", strings.Join(standin.MaintenanceGrants, " and "))
	lived, err := s.writeLiving(ctx)
	if err != nil {
		return err
	}
	lived.describe()
	before, err := lived.rows(ctx)
	if err != nil {
		return err
	}

	step("A policy of Polaris says what to keep; it is attached to the namespace")
	detail("system.snapshot-expiry %s", retention)
	policy := standin.Policy{Catalog: "lake", Namespace: []string{"sales"}, Name: "keep-newest", Type: "system.snapshot-expiry", Content: retention}
	if err := errors.Join(s.catalog.PutPolicy(policy), s.catalog.Attach(policy, standin.Target{Namespace: []string{"sales"}})); err != nil {
		return fmt.Errorf("attach policy: %w", err)
	}

	step("What the producer makes of it, and why")
	if err := s.showProducer(ctx, "explain", "lake."+lived.name, "--config", s.config); err != nil {
		return err
	}

	step("One look through the catalog: what is due is queued, and a worker does it")
	if err := s.showProducer(ctx, "once", "--config", s.config); err != nil {
		return err
	}
	if err := s.showResult(ctx, lived.tail(jobs.Expire), &expire.Receipt{}); err != nil {
		return err
	}
	if err := lived.verify(ctx, before); err != nil {
		return err
	}
	if err := lived.cleanByPolicy(ctx, before); err != nil {
		return err
	}
	return s.queueIsEmpty(ctx)
}

func (s *stage) showProducer(ctx context.Context, args ...string) error {
	command("producer " + strings.Join(args, " "))
	answer, err := s.produce(ctx, args...)
	if err != nil {
		return err
	}
	quote(answer)
	return nil
}

// living is a table that the catalog has.
type living struct {
	s    *stage
	name string
	id   standin.Table
	// snapshots before, and files.
	snapshots, files int
}

// writeLiving writes a table and makes it known, and then deletes a region from it
// through the catalog.
func (s *stage) writeLiving(ctx context.Context) (*living, error) {
	name := "sales.returns"
	written, err := icebergtable.Write(ctx, icebergtable.Options{
		Location: "file://" + filepath.Join(s.warehouse, "sales", "returns"),
		Files:    300, Distinct: 60, Snapshots: 20, Partitioned: true,
	})
	if err != nil {
		return nil, err
	}
	if err := written.Objects.WriteFolder(); err != nil {
		return nil, err
	}
	l := &living{s: s, name: name, id: standin.Table{Catalog: "lake", Namespace: []string{"sales"}, Name: "returns"}}
	if err := s.catalog.Register(ctx, l.id, written.MetadataLocation); err != nil {
		return nil, fmt.Errorf("register table: %w", err)
	}
	err = l.with(ctx, func(t *table.Table) error {
		oldest := slices.MinFunc(t.Metadata().Snapshots(), func(a, b table.Snapshot) int { return cmp.Compare(a.SequenceNumber, b.SequenceNumber) })
		tag := table.NewSetSnapshotRefUpdate("first", oldest.SnapshotID, table.TagRef, 0, 0, 0)
		return s.catalog.Commit(ctx, l.id, nil, []table.Update{tag})
	})
	if err != nil {
		return nil, fmt.Errorf("tag the oldest snapshot: %w", err)
	}
	err = l.with(ctx, func(t *table.Table) error {
		tx := t.NewTransaction()
		if err := tx.Delete(ctx, iceberg.EqualTo(iceberg.Reference("region"), "north"), nil); err != nil {
			return fmt.Errorf("delete rows: %w", err)
		}
		_, err := tx.Commit(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = l.with(ctx, func(t *table.Table) error {
		l.snapshots = len(t.Metadata().Snapshots())
		l.files, err = l.countFiles()
		return err
	})
	return l, err
}

// with loads the table as any engine would.
func (l *living) with(ctx context.Context, use func(*table.Table) error) error {
	catalog, err := rest.NewCatalog(ctx, "lake", l.s.catalog.URI(), rest.WithCredential(standin.RootID+":"+standin.RootSecret),
		rest.WithScope("PRINCIPAL_ROLE:ALL"), rest.WithWarehouseLocation("lake"))
	if err != nil {
		return fmt.Errorf("connect to the catalog: %w", err)
	}
	defer func() { _ = catalog.Close() }() // idle connections
	t, err := catalog.LoadTable(ctx, append(append(table.Identifier{}, l.id.Namespace...), l.id.Name))
	if err != nil {
		return fmt.Errorf("load %s: %w", l.name, err)
	}
	return use(t)
}

// rows counts those of each ref.
func (l *living) rows(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	err := l.with(ctx, func(t *table.Table) error {
		for name, ref := range t.Metadata().Refs() {
			read, err := t.Scan(table.WithSnapshotID(ref.SnapshotID)).ToArrowTable(ctx)
			if err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			counts[name] = read.NumRows()
			read.Release()
		}
		return nil
	})
	return counts, err
}

func (l *living) describe() {
	detail("%s: %d snapshots, %d files", l.name, l.snapshots, l.files)
}

func (l *living) tail(kind jobs.Kind) string {
	job := jobs.Job{Kind: kind, Realm: "POLARIS", Catalog: "lake", Namespace: l.id.Namespace, Table: l.id.Name}
	return job.Tail()
}

func (l *living) countFiles() (int, error) {
	count := 0
	err := filepath.WalkDir(filepath.Join(l.s.warehouse, "sales", "returns"), func(_ string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			count++
		}
		return err
	})
	return count, err
}

// verify fails unless snapshots and files went and each ref reads as before.
func (l *living) verify(ctx context.Context, before map[string]int64) error {
	after, err := l.rows(ctx)
	if err != nil {
		return err
	}
	snapshots := 0
	if err := l.with(ctx, func(t *table.Table) error {
		snapshots = len(t.Metadata().Snapshots())
		return nil
	}); err != nil {
		return err
	}
	files, err := l.countFiles()
	if err != nil {
		return err
	}
	if snapshots != len(before) || files >= l.files {
		return fmt.Errorf("%s has %d snapshots and %d files, it should have %d snapshots and fewer than %d files", l.name, snapshots, files, len(before), l.files)
	}
	if !maps.Equal(before, after) {
		return fmt.Errorf("%s reads %v rows, and had %v", l.name, after, before)
	}
	detail("checked: %d of %d snapshots and %d of %d files are left; rows as before: %s", snapshots, l.snapshots, files, l.files, listRows(before))
	return nil
}

// listRows says how many rows each ref reads.
func listRows(rows map[string]int64) string {
	var reads []string
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		reads = append(reads, fmt.Sprintf("%s %d", name, rows[name]))
	}
	return strings.Join(reads, ", ")
}
