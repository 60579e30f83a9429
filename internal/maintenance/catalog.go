package maintenance

import (
	"context"
	"errors"
	"fmt"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// Client is what maintenance asks of a catalog. [polaris.Client] is one.
type Client interface {
	// Load gives the table with all its snapshots.
	Load(ctx context.Context, id polaris.Identifier, o polaris.LoadOptions) (*polaris.Loaded, error)
	// Commit changes the table if it meets the requirements.
	Commit(ctx context.Context, id polaris.Identifier, requirements []iceberg.Requirement, updates []iceberg.Update) (*polaris.Loaded, error)
	// Stores opens the table's storage, with the credentials that came with the
	// load or else those of base.
	Stores(ctx context.Context, id polaris.Identifier, loaded *polaris.Loaded, base storage.Config, limiters *storage.Limiters) (*storage.Stores, error)
}

var _ Client = (*polaris.Client)(nil)

// Catalog is one whose tables may be maintained.
type Catalog struct {
	// Realm and Name as in a job.
	Realm, Name string
	Client      Client
	// Storage serves where the catalog vends no credentials. Its locations, if it
	// has any, bound what is read and deleted.
	Storage storage.Config
	// Limiters are shared with other users of the same buckets. nil: own ones.
	Limiters *storage.Limiters
}

// Catalogs are those that a worker reaches, by realm and name.
type Catalogs struct{ named map[[2]string]*Catalog }

// NewCatalogs gathers catalogs. The error names the one whose configuration is
// wrong.
func NewCatalogs(list []Catalog) (*Catalogs, error) {
	named := make(map[[2]string]*Catalog, len(list))
	for _, c := range list {
		key := [2]string{c.Realm, c.Name}
		switch {
		case c.Client == nil:
			return nil, fmt.Errorf("catalog %s: %w", c.Name, errors.New("it has no REST client"))
		case named[key] != nil:
			return nil, fmt.Errorf("catalog %s of realm %s: it is there twice", c.Name, c.Realm)
		}
		if c.Limiters == nil {
			c.Limiters = storage.NewLimiters()
		}
		named[key] = &c
	}
	return &Catalogs{named: named}, nil
}

// Of is the catalog of a job's table. The error is permanent: it says that the
// worker has no such catalog and what to do.
func (c *Catalogs) Of(job *jobs.Job) (*Catalog, error) {
	found := c.named[[2]string{job.Realm, job.Catalog}]
	if found == nil {
		return nil, jobs.Permanentf("catalog %q of realm %q cannot be reached over REST from this worker; "+
			"give it a rest: section under catalogs: and requeue", job.Catalog, job.Realm)
	}
	return found, nil
}
