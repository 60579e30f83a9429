package expire

import (
	"context"

	"deckhand/internal/maintenance"
	"deckhand/jobs"
)

// Handler expires snapshots. It is a [jobs.Handler].
type Handler struct {
	cfg      maintenance.Config
	catalogs *maintenance.Catalogs
	// largeTable: see [sieve].
	largeTable int64
}

var _ jobs.Handler = (*Handler)(nil)

// New makes the handler of kind expire. The error names the catalog whose
// configuration is wrong.
func New(cfg maintenance.Config) (*Handler, error) {
	catalogs, err := maintenance.NewCatalogs(cfg.Catalogs)
	if err != nil {
		return nil, err
	}
	return &Handler{cfg: cfg.WithDefaults(), catalogs: catalogs, largeTable: largeTable}, nil
}

// Run implements [jobs.Handler]. The receipt is a *[Receipt]; it is given also
// with an error, for what was done until then.
func (h *Handler) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	r := newRun(h, job, progress)
	err := r.expire(ctx)
	return r.end(ctx), err
}
