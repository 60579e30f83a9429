package warehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"deckhand/internal/chaos/history"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
)

const (
	bucket = "warehouse"
	// Realm and catalog of all tables.
	realm   = "POLARIS"
	catalog = "lake"
	// Namespaces of the dropped and of the living tables.
	droppedNamespace, livingNamespace = "dropped", "live"
)

// Old is how old files look whose names begin with [OldPrefix]: old enough to be
// orphans.
const Old = 30 * 24 * time.Hour

// OldPrefix begins the names of files that nobody names any more.
const OldPrefix = "left-"

// Warehouse is the store, the catalog, and what ought to be in them.
type Warehouse struct {
	Store   *s3test.Server
	Catalog *standin.Server
	// Credential of the principal that workers use.
	Credential string

	record *history.Record
	living []*Living

	mu sync.Mutex
	// dropped tables and views by name.
	dropped map[string]*Dropped
	// committed are files of living tables that look old, as those do of most tables.
	committed map[string]bool
	// keep are objects that nothing may take away, with their bytes.
	keep tabletest.Objects
}

// Open makes an empty warehouse.
func Open(record *history.Record) (*Warehouse, error) {
	store, err := s3test.New(s3test.Options{Buckets: []string{bucket}})
	if err != nil {
		return nil, fmt.Errorf("start store: %w", err)
	}
	w := &Warehouse{
		Store: store, record: record, dropped: map[string]*Dropped{}, committed: map[string]bool{}, keep: tabletest.Objects{},
	}
	store.SetTimes(func(_, key string, written time.Time) time.Time {
		if strings.Contains(key, "/"+OldPrefix) || w.isCommitted(key) {
			return written.Add(-Old)
		}
		return written
	})
	w.Catalog, err = standin.New(standin.Options{Catalogs: []standin.Catalog{{
		Name: catalog, Location: "s3://" + bucket,
		S3: &standin.S3{Endpoint: store.Endpoint(), AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey},
	}}})
	if err != nil {
		_ = store.Close()
		return nil, fmt.Errorf("start catalog: %w", err)
	}
	for _, namespace := range []string{droppedNamespace, livingNamespace} {
		if err := w.Catalog.CreateNamespace(catalog, namespace); err != nil {
			return nil, fmt.Errorf("create namespace: %w", err)
		}
	}
	if w.Credential, err = w.Catalog.CreatePrincipal("deckhand", catalog, standin.MaintenanceGrants...); err != nil {
		return nil, fmt.Errorf("create principal: %w", err)
	}
	return w, nil
}

// Close ends both servers.
func (w *Warehouse) Close() {
	_ = w.Catalog.Close()
	_ = w.Store.Close()
}

// Populate makes the living tables.
func (w *Warehouse) Populate(ctx context.Context, tables int, random *rand.Rand) error {
	for n := range tables {
		l, err := w.newLiving(ctx, fmt.Sprintf("t%d", n+1), rand.New(rand.NewPCG(random.Uint64(), 0))) //nolint:gosec // a repeatable sequence
		if err != nil {
			return err
		}
		w.living = append(w.living, l)
	}
	return nil
}

// Living tables of the warehouse.
func (w *Warehouse) Living() []*Living { return w.living }

func (w *Warehouse) isCommitted(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.committed[key]
}

// commit lets files look old. They are named by a snapshot: nothing that is old and not
// named may be told from them by its age.
func (w *Warehouse) commit(keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		w.committed[key] = true
	}
}

// keepAll stores objects that have to stay.
func (w *Warehouse) keepAll(objects tabletest.Objects) error {
	if err := objects.Load(w.Store); err != nil {
		return fmt.Errorf("store neighbours: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for location, data := range objects {
		w.keep[location] = data
	}
	return nil
}

// Belongs tells whose an object or a folder is: the lock key under which jobs work on
// its table, and the dropped table itself; "" and nil for what is nobody's.
func (w *Warehouse) Belongs(key string) (lock string, dropped *Dropped) {
	parts := strings.SplitN(key, "/", 3)
	switch {
	case len(parts) < 3:
		return "", nil
	case parts[0] == livingNamespace:
		return lockOf(parts[0], parts[1]), nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.dropped[parts[1]]; d != nil && parts[0] == droppedNamespace {
		return d.Lock, d
	}
	return "", nil
}

// Lock is the key under which jobs work on a living table.
func (w *Warehouse) Lock(namespace, table string) string { return lockOf(namespace, table) }

func lockOf(namespace, table string) string {
	job := jobs.Job{Kind: jobs.Expire, Realm: realm, Catalog: catalog, Namespace: []string{namespace}, Table: table}
	return job.LockKey()
}
