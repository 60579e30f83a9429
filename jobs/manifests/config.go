package manifests

import (
	"context"

	"deckhand/internal/maintenance"
	"deckhand/jobs"
)

// Config of the handler.
type Config struct {
	maintenance.Config
	// Memory in bytes that the entries of one job may take while they are put in
	// order; what is read ahead and stored meanwhile takes about 50 MiB beside it,
	// whatever the number of entries. What does not fit is read again, range by range.
	// Default 64 MiB.
	Memory int64
}

// DefaultMemory of [Config].
const DefaultMemory = 64 << 20

// WithDefaults fills what is not set.
func (c Config) WithDefaults() Config {
	c.Config = c.Config.WithDefaults()
	if c.Memory <= 0 {
		c.Memory = DefaultMemory
	}
	return c
}

// Handler rewrites manifests. It is a [jobs.Handler].
type Handler struct {
	cfg      Config
	catalogs *maintenance.Catalogs
}

var _ jobs.Handler = (*Handler)(nil)

// New makes the handler of kind manifests. The error names the catalog whose
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
	r := h.newRun(job, progress)
	err := r.rewriteManifests(ctx)
	return r.end(), err
}
