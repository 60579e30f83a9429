package purge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"deckhand/internal/ownership"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// Scope says how far a purge may reach.
type Scope string

const (
	// ScopeTable allows the table's location and the paths that its properties
	// set for data and metadata. The default: whoever may commit to a table can
	// name another table's files in its manifests.
	ScopeTable Scope = "table"
	// ScopeCatalog allows every location of the catalog.
	ScopeCatalog Scope = "catalog"
)

// Outside says what becomes of the metadata that names files outside the scope.
type Outside string

const (
	// OutsideKeep leaves it, so that the job can be finished after a decision.
	OutsideKeep Outside = "keep"
	// OutsideForget deletes it all the same; the files outside stay for good.
	OutsideForget Outside = "forget"
)

// Versions says what becomes of what buckets keep of deleted files.
type Versions string

const (
	// VersionsKeep leaves it: in a bucket that keeps versions a delete only hides a
	// file behind a marker.
	VersionsKeep Versions = "keep"
	// VersionsDelete deletes all versions of each file by their ids.
	VersionsDelete Versions = "delete"
)

// Policy is a catalog's purge section.
type Policy struct {
	// Scope defaults to ScopeTable.
	Scope Scope
	// Outside defaults to OutsideKeep.
	Outside Outside
	// Verify says where the catalog is asked, before anything is deleted, whether the
	// table lives on. Default [ownership.Namespace].
	Verify ownership.Mode
	// Versions defaults to VersionsKeep.
	Versions Versions
}

// WithDefaults fills what is not set.
func (p Policy) WithDefaults() Policy {
	if p.Scope == "" {
		p.Scope = ScopeTable
	}
	if p.Outside == "" {
		p.Outside = OutsideKeep
	}
	if p.Verify == "" {
		p.Verify = ownership.Namespace
	}
	if p.Versions == "" {
		p.Versions = VersionsKeep
	}
	return p
}

// Validate names the setting that is wrong.
func (p Policy) Validate() error {
	if p.Scope != ScopeTable && p.Scope != ScopeCatalog {
		return fmt.Errorf("scope is %q; it can be %q or %q", p.Scope, ScopeTable, ScopeCatalog)
	}
	if p.Outside != OutsideKeep && p.Outside != OutsideForget {
		return fmt.Errorf("outside is %q; it can be %q or %q", p.Outside, OutsideKeep, OutsideForget)
	}
	if p.Verify != ownership.Namespace && p.Verify != ownership.Catalog && p.Verify != ownership.Off {
		return fmt.Errorf("verify is %q; it can be %q, %q or %q", p.Verify, ownership.Namespace, ownership.Catalog, ownership.Off)
	}
	if p.Versions != VersionsKeep && p.Versions != VersionsDelete {
		return fmt.Errorf("versions is %q; it can be %q or %q", p.Versions, VersionsKeep, VersionsDelete)
	}
	return nil
}

// Owners says which live table or view has the files of a dropped one.
// *ownership.Index is one.
type Owners interface {
	Owner(ctx context.Context, q ownership.Query) (*ownership.Answer, error)
}

var _ Owners = (*ownership.Index)(nil)

// Catalog is one whose dropped tables may be purged.
type Catalog struct {
	// Realm and Name as in a job.
	Realm, Name string
	Stores      *storage.Stores
	// Locations outside which nothing of this catalog is ever deleted.
	Locations []string
	Policy    Policy
	// Owners are asked unless Policy.Verify is [ownership.Off].
	Owners Owners
}

// Config of the handlers.
type Config struct {
	Catalogs []Catalog
	// Worker is the name that receipts carry.
	Worker string
	// DryRun makes every job a dry run.
	DryRun bool
	// Fleet shares large purges out; nil: each is one job.
	Fleet Fleet
	// ShardAbove is the estimated number of files above which a purge is shared out,
	// and ShardFiles how many a shard has at most (see [DefaultShardFiles]). Default
	// [DefaultShardAbove] and [DefaultShardFiles].
	ShardAbove, ShardFiles int64
	// Logger defaults to slog.Default().
	Logger *slog.Logger
	// List is told of every path and what was done with it; nil: nobody is. It is
	// called from one goroutine at a time.
	List func(PathRecord)
}

// catalogs finds a job's catalog by realm and name.
type catalogs map[[2]string]*catalog

type catalog struct {
	Catalog
	guard *storage.Guard
}

func newCatalogs(cfg Config) (catalogs, error) {
	found := catalogs{}
	for _, c := range cfg.Catalogs {
		c.Policy = c.Policy.WithDefaults()
		if err := c.Policy.Validate(); err != nil {
			return nil, fmt.Errorf("catalog %s: purge: %w", c.Name, err)
		}
		if c.Owners == nil && c.Policy.Verify != ownership.Off {
			return nil, fmt.Errorf("catalog %s: purge: verify is %q, and there is nobody to ask", c.Name, c.Policy.Verify)
		}
		if c.Stores == nil || len(c.Locations) == 0 {
			return nil, fmt.Errorf("catalog %s: %w", c.Name, errors.New("it has no storage or no locations"))
		}
		guard, err := storage.NewGuard(c.Locations...)
		if err != nil {
			return nil, fmt.Errorf("catalog %s: locations: %w", c.Name, err)
		}
		key := [2]string{c.Realm, c.Name}
		if found[key] != nil {
			return nil, fmt.Errorf("catalog %s of realm %s: it is there twice", c.Name, c.Realm)
		}
		found[key] = &catalog{Catalog: c, guard: guard}
	}
	return found, nil
}

// find gives the catalog that a job names, or a permanent error.
func (c catalogs) find(job *jobs.Job) (*catalog, error) {
	if found := c[[2]string{job.Realm, job.Catalog}]; found != nil {
		return found, nil
	}
	return nil, jobs.Permanentf("catalog %q of realm %q is not configured on this worker; add it under catalogs: and requeue", job.Catalog, job.Realm)
}

// target is the root metadata file of a job, checked against the catalog.
func (c *catalog) target(job *jobs.Job) (storage.Location, error) {
	root, err := storage.Parse(job.MetadataLocation)
	if err != nil {
		return root, jobs.Permanent(fmt.Errorf("read metadata_location: %w", err))
	}
	if err := c.guard.Check(root); err != nil {
		return root, jobs.Permanent(fmt.Errorf("check metadata_location of catalog %s: %w", c.Name, err))
	}
	return root, nil
}
