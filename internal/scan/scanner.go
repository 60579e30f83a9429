package scan

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/polaris"
	"deckhand/internal/policy"
)

// Scanner looks through catalogs. It remembers what it saw for the next scan.
type Scanner struct {
	cfg      Config
	catalogs []*catalog
}

// New makes a Scanner that has seen nothing.
func New(cfg Config) (*Scanner, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("prepare scans: %w", err)
	}
	s := &Scanner{cfg: cfg}
	for _, c := range cfg.Catalogs {
		s.catalogs = append(s.catalogs, newCatalog(c, cfg))
	}
	return s, nil
}

// Scan looks through all catalogs, side by side, and publishes what is due. What
// failed is in the summary. The error says that the scan was cut off; the summary
// is of what was done until then.
func (s *Scanner) Scan(ctx context.Context) (*Summary, error) {
	summary := &Summary{Catalogs: make([]CatalogSummary, len(s.catalogs))}
	var group sync.WaitGroup
	for i, c := range s.catalogs {
		group.Go(func() { summary.Catalogs[i] = c.scan(ctx) })
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return summary, fmt.Errorf("scan catalogs: %w", err)
	}
	return summary, nil
}

// catalog is what is known of one between scans.
type catalog struct {
	Catalog
	cfg        Config
	log        *slog.Logger
	histories  histories
	complaints complaints
	// seed of what spreads the questions for policies.
	seed maphash.Seed

	// round numbers the scans; a table that was not seen in the last one is gone.
	round uint64

	mu     sync.Mutex
	tables map[string]*tableState
}

func newCatalog(c Catalog, cfg Config) *catalog {
	return &catalog{
		Catalog: c, cfg: cfg, tables: map[string]*tableState{},
		log:        cfg.Logger.With(slog.String("realm", c.Realm), slog.String("catalog", c.Name)),
		histories:  newHistories(),
		seed:       maphash.MakeSeed(),
		complaints: complaints{said: map[string]complaint{}},
	}
}

// pass is one scan of one catalog.
type pass struct {
	*catalog
	tally *tally

	mu         sync.Mutex
	candidates []candidate
	// incomplete: some listing failed, so what was not seen may be there.
	incomplete bool
	// unavailable counts loads that failed one after another since the server did
	// not answer.
	unavailable int
}

// giveUp is after how many tables in a row that the server did not answer for the
// rest of its catalog is left to the next scan.
const giveUp = 5

// errGivenUp ends a pass.
var errGivenUp = errors.New("the catalog does not answer")

func (c *catalog) scan(ctx context.Context) CatalogSummary {
	started := c.cfg.Now()
	c.round++
	p := &pass{catalog: c, tally: newTally(c.Realm, c.Name)}
	err := p.run(ctx)
	if err != nil && ctx.Err() == nil {
		p.complain(ctx, "", "catalog could not be looked through", err)
	}
	p.tally.end(err, c.cfg.Now().Sub(started))
	if err == nil {
		c.complaints.endRound(c.round)
	}
	summary := p.tally.summary()
	c.log.InfoContext(ctx, "scanned catalog", summary.attrs()...)
	return summary
}

func (p *pass) run(ctx context.Context) error {
	if err := p.histories.refresh(ctx, p.cfg.Queue, p.cfg.Rules.Runnable, p.Realm, p.Name); err != nil {
		return err
	}
	err := p.walk(ctx)
	switch {
	case err == nil && !p.incomplete:
		p.forgetUnseen()
	case hopeless(err):
		return err // it would not tell the policies either
	}
	// What was found so far is due whether or not the rest could be seen.
	failed := p.publishDue(ctx)
	if errors.Is(err, errGivenUp) && errors.Is(failed, errGivenUp) {
		return err // once is enough
	}
	return errors.Join(err, failed)
}

// walk looks at every table of every namespace.
func (p *pass) walk(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.cfg.Parallel + 1) // the walk itself is one
	group.Go(func() error {
		return p.namespaces(ctx, nil, func(id polaris.Identifier) {
			group.Go(func() error { return p.look(ctx, id) })
		})
	})
	return group.Wait()
}

// namespaces goes through those below parent, depth first.
func (p *pass) namespaces(ctx context.Context, parent []string, look func(polaris.Identifier)) error {
	for namespace, err := range p.Client.Namespaces(ctx, parent) {
		if err != nil {
			return p.listingFailed(ctx, parent, "namespaces could not be listed", err)
		}
		p.tally.add(func(s *CatalogSummary) { s.Namespaces++ })
		if err := p.namespace(ctx, namespace, look); err != nil {
			return err
		}
		if err := p.namespaces(ctx, namespace, look); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) namespace(ctx context.Context, namespace []string, look func(polaris.Identifier)) error {
	listed := map[string]bool{} // pages that change meanwhile can show a table twice
	for id, err := range p.Client.Tables(ctx, namespace) {
		if err != nil {
			if err := p.listingFailed(ctx, namespace, "tables could not be listed", err); err != nil {
				return err
			}
			break
		}
		if listed[id.Name] {
			continue
		}
		listed[id.Name] = true
		p.tally.add(func(s *CatalogSummary) { s.Tables++ })
		look(id)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	for id, err := range p.Client.GenericTables(ctx, namespace) {
		if err != nil {
			if err := p.otherListingFailed(ctx, namespace, "generic tables", "generic tables could not be listed", err); err != nil {
				return err
			}
			break
		}
		p.tally.skip(id)
		p.noteSkipped(ctx, id.String())
	}
	for _, err := range p.Client.Views(ctx, namespace) {
		if err != nil {
			return p.otherListingFailed(ctx, namespace, "views", "views could not be listed", err)
		}
		p.tally.add(func(s *CatalogSummary) { s.Views++ })
	}
	return nil
}

// listingFailed says that a part of the catalog was not seen; the error that it
// returns ends the pass.
func (p *pass) listingFailed(ctx context.Context, namespace []string, message string, err error) error {
	p.mu.Lock()
	p.incomplete = true
	p.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, polaris.ErrNoNamespace) { // dropped while we looked
		return nil
	}
	if len(namespace) == 0 || hopeless(err) || errors.Is(err, polaris.ErrUnavailable) {
		return fmt.Errorf("list %s: %w", place(namespace), err)
	}
	p.tally.add(func(s *CatalogSummary) { s.Failed++ })
	p.complain(ctx, place(namespace), message, err)
	return nil
}

// otherListingFailed is about what would only have been counted.
func (p *pass) otherListingFailed(ctx context.Context, namespace []string, what, message string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var forbidden *polaris.ForbiddenError
	switch {
	case errors.Is(err, polaris.ErrNoNamespace):
	case errors.As(err, &forbidden) && forbidden.Privilege != "":
		p.tally.uncounted(what + ": " + forbidden.Privilege + " is missing")
	case errors.Is(err, polaris.ErrForbidden):
		p.tally.uncounted(what + ": a privilege is missing")
	default:
		p.complain(ctx, place(namespace), message, err)
	}
	return nil
}

// hopeless errors are the same for every table of the catalog.
func hopeless(err error) bool {
	return errors.Is(err, polaris.ErrUnauthorized) || errors.Is(err, polaris.ErrNoCatalog) || errors.Is(err, polaris.ErrNoPolicies)
}

func (c *catalog) forgetUnseen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, t := range c.tables {
		if t.seen != c.round {
			delete(c.tables, name)
		}
	}
}

// candidate is a table that needs a job.
type candidate struct {
	id      polaris.Identifier
	kind    policy.Kind
	state   *tableState
	verdict policy.Verdict
}
