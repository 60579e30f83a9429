package expire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/polaris"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// Client is what an expiry asks of a catalog. [polaris.Client] is one.
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

// Catalog is one whose tables may be expired.
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

// DefaultRetryWait of [Config].
const DefaultRetryWait = 200 * time.Millisecond

// Config of the handler.
type Config struct {
	Catalogs []Catalog
	// Worker is the name that receipts carry.
	Worker string
	// DryRun makes every job a dry run.
	DryRun bool
	// RetryWait is about how long to wait after the first conflict of a commit;
	// it doubles with each further one. Default 200 ms.
	RetryWait time.Duration
	// Now is the clock that retention goes by. Default time.Now.
	Now func() time.Time
	// Logger defaults to slog.Default().
	Logger *slog.Logger
	// List is told of every path and what was done with it; nil: nobody is. It is
	// called from one goroutine at a time.
	List func(receipt.PathRecord)

	largeTable int64 // see [sieve]
}

// WithDefaults fills what is not set.
func (c Config) WithDefaults() Config {
	c.RetryWait = cmp.Or(c.RetryWait, DefaultRetryWait)
	c.largeTable = cmp.Or(c.largeTable, largeTable)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Handler expires snapshots. It is a [jobs.Handler].
type Handler struct {
	cfg      Config
	catalogs map[[2]string]*Catalog
}

var _ jobs.Handler = (*Handler)(nil)

// New makes the handler of kind expire. The error names the catalog whose
// configuration is wrong.
func New(cfg Config) (*Handler, error) {
	h := &Handler{cfg: cfg.WithDefaults(), catalogs: map[[2]string]*Catalog{}}
	for _, c := range cfg.Catalogs {
		key := [2]string{c.Realm, c.Name}
		switch {
		case c.Client == nil:
			return nil, fmt.Errorf("catalog %s: %w", c.Name, errors.New("it has no REST client"))
		case h.catalogs[key] != nil:
			return nil, fmt.Errorf("catalog %s of realm %s: it is there twice", c.Name, c.Realm)
		}
		if c.Limiters == nil {
			c.Limiters = storage.NewLimiters()
		}
		h.catalogs[key] = &c
	}
	return h, nil
}

// Run implements [jobs.Handler]. The receipt is a *[Receipt]; it is given also
// with an error, for what was done until then.
func (h *Handler) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	r := newRun(h.cfg, job, progress)
	err := func() error {
		found := h.catalogs[[2]string{job.Realm, job.Catalog}]
		if found == nil {
			return jobs.Permanentf("catalog %q of realm %q cannot be reached over REST from this worker; "+
				"give it a rest: section under catalogs: and requeue", job.Catalog, job.Realm)
		}
		r.catalog = found
		return r.expire(ctx)
	}()
	return r.end(), err
}
