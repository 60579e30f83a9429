package maintenance

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"

	"deckhand/internal/erase"
	"deckhand/internal/polaris"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// TableConfig says whose table it is and what the job means to do with it.
type TableConfig struct {
	// Catalogs, among them that of the job.
	Catalogs *Catalogs
	Job      *jobs.Job
	// Progress is told that the job is alive with each request that is answered.
	Progress jobs.Progress
	// Spared is what does not happen to a table whose property gc.enabled is false,
	// as the end of "so …": such a table may share its files with others, and its
	// job is refused with it. Empty for a kind that deletes no file: it takes such
	// tables too.
	Spared string
	// Raw keeps with each load the metadata as the catalog sent it.
	Raw bool
	// Logger defaults to slog.Default().
	Logger *slog.Logger
}

// Table is one living table in the hands of one job. It is used by one goroutine;
// its sessions may be used by many.
type Table struct {
	// ID of the table in its catalog.
	ID polaris.Identifier

	// What follows is there once Open was successful.

	// MetadataFolder is where the table's metadata is written: what its property
	// write.metadata.path says, or else "metadata" below its location.
	MetadataFolder storage.Location
	// Scope is what may be written and deleted: of the catalog's locations those of
	// the table.
	Scope *storage.Guard
	// Reader reads and lists what the catalog's locations allow. It neither writes
	// nor deletes.
	Reader *storage.Session
	// Eraser deletes, moves and writes within Scope, and in a dry run nothing. Local
	// folders that become empty go too, up to the table's own.
	Eraser *storage.Session

	cfg     TableConfig
	catalog *Catalog
	// uuid of the table as it was loaded first; "" before, and for a table of
	// format 1 that has none.
	uuid   string
	stores *storage.Stores
}

// Take makes the table of a job. Nothing is asked of the catalog yet. The table must
// be closed.
func Take(cfg TableConfig) *Table {
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	return &Table{cfg: cfg, ID: polaris.Identifier{Namespace: cfg.Job.Namespace, Name: cfg.Job.Table}}
}

// Load loads the table with all its snapshots, and until it was opened with
// credentials for its storage. The error wraps [ErrGone] when the table was dropped
// or renamed, or when another has its name and the job says which UUID it is about.
// It is permanent when the table was created anew after the first load, when its
// files are not its own (see [TableConfig].Spared), and as [CatalogFailure] says.
func (t *Table) Load(ctx context.Context) (*polaris.Loaded, error) {
	return t.LoadSince(ctx, nil)
}

// LoadSince is [Table.Load], but gives earlier itself where the catalog says that
// the table is as it was then, which costs an answer without a body. The ETag of an
// earlier load tells; nil, and one without, loads the table.
func (t *Table) LoadSince(ctx context.Context, earlier *polaris.Loaded) (*polaris.Loaded, error) {
	if t.catalog == nil {
		found, err := t.cfg.Catalogs.Of(t.cfg.Job)
		if err != nil {
			return nil, err
		}
		t.catalog = found
	}
	options := polaris.LoadOptions{Vend: t.stores == nil, Raw: t.cfg.Raw}
	if earlier != nil {
		options.ETag = earlier.ETag
	}
	loaded, err := t.catalog.Client.Load(ctx, t.ID, options)
	if err != nil {
		return nil, CatalogFailure(ctx, fmt.Errorf("load the table: %w", err))
	}
	t.cfg.Progress.Alive()
	if loaded.NotModified {
		return earlier, nil
	}
	if err := t.check(loaded.Metadata); err != nil {
		return nil, err
	}
	t.uuid = cmp.Or(t.uuid, loaded.Metadata.UUID)
	return loaded, nil
}

// check refuses a table that the job is not about, or must not touch.
func (t *Table) check(m *table.Metadata) error {
	if meant := t.cfg.Job.TableUUID; meant != "" && !SameUUID(meant, m.UUID) {
		// Not for a person: what is there now gets a job of its own by its policies.
		return fmt.Errorf("%w: the table of that name has the UUID %s, the job says %s: it was created anew", ErrGone, m.UUID, meant)
	}
	if t.uuid != "" && !SameUUID(t.uuid, m.UUID) {
		return jobs.Permanentf("the table was created anew while it was worked on: it had the UUID %s and has %s; nothing more was done", t.uuid, m.UUID)
	}
	if t.cfg.Spared != "" && !m.GCEnabled() {
		return jobs.Permanentf("the table property gc.enabled is %q: its files may belong to others too, so %s; "+
			"set it to true if the table owns them", m.Properties["gc.enabled"], t.cfg.Spared)
	}
	return nil
}

// SameUUID compares two UUIDs as text, whatever their case.
func SameUUID(a, b string) bool { return strings.EqualFold(a, b) }

// Open opens the storage of the table as Load gave it, once, and says what may be
// written and deleted there. The error is permanent when the table's locations
// cannot be understood, and else as [CatalogFailure] says.
func (t *Table) Open(ctx context.Context, loaded *polaris.Loaded, dryRun bool) (err error) {
	m := loaded.Metadata
	if t.MetadataFolder, err = metadataFolder(m); err != nil {
		return jobs.Permanent(err)
	}
	if t.stores, err = t.catalog.Client.Stores(ctx, t.ID, loaded, t.catalog.Storage, t.catalog.Limiters); err != nil {
		return CatalogFailure(ctx, fmt.Errorf("open the table's storage: %w", err))
	}
	if t.Scope, err = erase.Narrow(t.stores.Guard(), m.Locations()); err != nil {
		return jobs.Permanent(fmt.Errorf("read the table's locations: %w", err))
	}
	cfg := storage.SessionConfig{OnSuccess: t.cfg.Progress.Alive, Logger: t.cfg.Logger}
	t.Reader = t.stores.Session(cfg)
	if !dryRun {
		cfg.Guard, cfg.FolderRoots, cfg.Writes = t.Scope, erase.FolderRoots(m.Locations()), true
	}
	t.Eraser = t.stores.Session(cfg)
	return nil
}

func metadataFolder(m *table.Metadata) (storage.Location, error) {
	folder := m.Properties["write.metadata.path"]
	if folder == "" {
		folder = strings.TrimSuffix(m.Location, "/") + "/metadata"
	}
	location, err := storage.Parse(folder)
	if err != nil {
		return location, fmt.Errorf("find the metadata folder: %w", err)
	}
	return location, nil
}

// Requests are those of both sessions to the store so far.
func (t *Table) Requests() receipt.Requests {
	if t.Reader == nil {
		return receipt.RequestsOf()
	}
	return receipt.RequestsOf(t.Reader, t.Eraser)
}

// Versions says what buckets that keep versions made of what was deleted in all runs;
// nil where they keep nothing.
func (t *Table) Versions(ctx context.Context, deleted receipt.Count) *receipt.Versions {
	if t.Eraser == nil {
		return nil
	}
	return receipt.VersionsOf(ctx, t.Eraser, t.Scope.Locations(), deleted, false)
}

// Close gives the storage back. It may be called whatever Load and Open have said.
func (t *Table) Close() {
	if t.stores == nil {
		return
	}
	if err := t.stores.Close(); err != nil {
		t.cfg.Logger.Debug("storage not closed", slog.Any("error", err))
	}
}
