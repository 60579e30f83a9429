package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"deckhand/internal/polaris"
	"deckhand/internal/policy"
	"deckhand/internal/queue"
	"deckhand/jobs"
)

// Defaults of [Config].
const (
	DefaultBudget          = 100
	DefaultPoliciesRefresh = time.Hour
	DefaultParallel        = 4
)

// Client asks a catalog. *polaris.Client is one.
type Client interface {
	Namespaces(ctx context.Context, parent []string) iter.Seq2[[]string, error]
	Tables(ctx context.Context, namespace []string) iter.Seq2[polaris.Identifier, error]
	Views(ctx context.Context, namespace []string) iter.Seq2[polaris.Identifier, error]
	GenericTables(ctx context.Context, namespace []string) iter.Seq2[polaris.Identifier, error]
	Load(ctx context.Context, id polaris.Identifier, o polaris.LoadOptions) (*polaris.Loaded, error)
	Policies(ctx context.Context, id polaris.Identifier) ([]polaris.Policy, error)
}

// Queue tells what became of jobs. *queue.Queue is one.
type Queue interface {
	Results(ctx context.Context, tailFilter string, after uint64) iter.Seq2[queue.ResultStatus, error]
	LastResultSequence(ctx context.Context) (uint64, error)
	QueuedTails(ctx context.Context, kind jobs.Kind, realm, catalog string) (map[string]bool, error)
	DeadTails(ctx context.Context, kind jobs.Kind, realm, catalog string) (map[string]bool, error)
}

var (
	_ Client = (*polaris.Client)(nil)
	_ Queue  = (*queue.Queue)(nil)
)

// Catalog is one to look through.
type Catalog struct {
	// Realm and Name as in a job.
	Realm, Name string
	Client      Client
}

// Config of a Scanner.
type Config struct {
	Catalogs []Catalog
	// Queue is nil for a Scanner that only explains and cannot tell what became of
	// earlier jobs.
	Queue Queue
	// Publish stores a job; see [jobs.Publish].
	Publish func(ctx context.Context, job *jobs.Job) (jobs.Publication, error)
	// Rules default to those of package policy.
	Rules policy.Rules
	// Budget is how many jobs of a kind one scan of a catalog may publish; the
	// tables in most need go first. Default 100 of each kind.
	Budget map[jobs.Kind]int
	// PoliciesRefresh is for how long at least the policies of a table are taken as
	// they were; up to half as long again, so that not all are asked for at once.
	// Default 1 h.
	PoliciesRefresh time.Duration
	// Parallel is how many tables of a catalog are looked at at once. Default 4.
	Parallel int
	// Now defaults to time.Now.
	Now func() time.Time
	// Logger defaults to slog.Default().
	Logger *slog.Logger
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	c.Rules = c.Rules.WithDefaults()
	c.PoliciesRefresh = cmp.Or(c.PoliciesRefresh, DefaultPoliciesRefresh)
	c.Parallel = cmp.Or(c.Parallel, DefaultParallel)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate reports every mistake at once.
func (c Config) Validate() error {
	errs := []error{c.Rules.Validate()}
	for kind, budget := range c.Budget {
		if budget < 0 {
			errs = append(errs, fmt.Errorf("budget of %s: %d is negative", kind, budget))
		}
	}
	if c.PoliciesRefresh < 0 {
		errs = append(errs, fmt.Errorf("refresh of policies: %v is negative", c.PoliciesRefresh))
	}
	if c.Parallel < 0 {
		errs = append(errs, fmt.Errorf("tables at once: %d is negative", c.Parallel))
	}
	return errors.Join(errs...)
}

// budget of a kind.
func (c Config) budget(kind jobs.Kind) int {
	if n, set := c.Budget[kind]; set {
		return n
	}
	return DefaultBudget
}
