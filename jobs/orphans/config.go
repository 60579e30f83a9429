package orphans

import (
	"cmp"
	"context"
	"time"

	"deckhand/internal/maintenance"
	"deckhand/internal/ownership"
	"deckhand/jobs"
)

// Defaults of [Config].
const (
	DefaultMaxFiles    = 250_000
	DefaultClockMargin = 5 * time.Minute
)

// Neighbours knows what else a catalog holds. [ownership.Index] is one.
type Neighbours interface {
	// Inside says who else keeps files inside the query's locations, at them, or
	// around them.
	Inside(ctx context.Context, q ownership.Query) (*ownership.Surroundings, error)
}

var _ Neighbours = (*ownership.Index)(nil)

// Config of the handler.
type Config struct {
	maintenance.Config
	// Neighbours of the tables of a catalog, and how far they are asked. Where it is
	// nil, or gives nil, the catalog may not be asked, and the listing alone tells
	// whose folders are whose.
	Neighbours func(realm, catalog string) (Neighbours, ownership.Mode)
	// MaxFiles that one run deletes or moves where the settings do not say. They are
	// held in memory, about 30 to 60 bytes each. Default 250,000.
	MaxFiles int
	// ClockMargin is how much the clocks of store and worker may differ. Default 5
	// minutes.
	ClockMargin time.Duration
}

// WithDefaults fills what is not set.
func (c Config) WithDefaults() Config {
	c.Config = c.Config.WithDefaults()
	c.MaxFiles = cmp.Or(c.MaxFiles, DefaultMaxFiles)
	c.ClockMargin = cmp.Or(c.ClockMargin, DefaultClockMargin)
	return c
}

// Handler removes orphan files. It is a [jobs.Handler].
type Handler struct {
	cfg      Config
	catalogs *maintenance.Catalogs
}

var _ jobs.Handler = (*Handler)(nil)

// New makes the handler of kind orphans. The error names the catalog whose
// configuration is wrong.
func New(cfg Config) (*Handler, error) {
	catalogs, err := maintenance.NewCatalogs(cfg.Catalogs)
	if err != nil {
		return nil, err
	}
	return &Handler{cfg: cfg.WithDefaults(), catalogs: catalogs}, nil
}

// Run implements [jobs.Handler]. The receipt is a *[Receipt]; it is given also
// with an error, for what was done until then.
func (h *Handler) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	r := newRun(h, job, progress)
	defer r.table.Close()
	err := r.work(ctx)
	return r.end(ctx), err
}
