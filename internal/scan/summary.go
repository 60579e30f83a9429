package scan

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"deckhand/internal/polaris"
	"deckhand/internal/policy"
	"deckhand/jobs"
)

// maxNamed is how many skipped tables a summary names.
const maxNamed = 100

// Summary is what a scan did.
type Summary struct {
	Catalogs []CatalogSummary `json:"catalogs"`
}

// NeedsPerson says whether anything will not be better at the next scan.
func (s *Summary) NeedsPerson() bool {
	return slices.ContainsFunc(s.Catalogs, func(c CatalogSummary) bool {
		return c.Failed > c.Unavailable || c.Problems > 0 || c.Error != "" && !c.Passing
	})
}

// Passing says whether a catalog or the queue was of no use, which is for now.
func (s *Summary) Passing() bool {
	return slices.ContainsFunc(s.Catalogs, func(c CatalogSummary) bool { return c.Passing || c.Unavailable > 0 })
}

// CatalogSummary is what a scan did in one catalog.
type CatalogSummary struct {
	Realm      string `json:"realm"`
	Catalog    string `json:"catalog"`
	Namespaces int    `json:"namespaces"`
	// Tables that are Iceberg's, of which Unchanged cost a request without a body,
	// Gone were dropped meanwhile, and Failed could not be looked at. Failed counts
	// namespaces too.
	Tables    int `json:"tables"`
	Unchanged int `json:"unchanged"`
	Gone      int `json:"gone,omitempty"`
	Failed    int `json:"failed"`
	// Unavailable are those of Failed for which the catalog, or its storage, did not
	// answer.
	Unavailable int `json:"unavailable,omitempty"`
	// Views and GenericTables are not maintained; the first 100 of the latter are
	// named.
	Views         int      `json:"views"`
	GenericTables int      `json:"generic_tables"`
	Skipped       []string `json:"skipped,omitempty"`
	// Uncounted says which of the two could not be listed in some namespace, and
	// which privilege is missing.
	Uncounted []string `json:"uncounted,omitempty"`
	// PolicyCalls is how often the policies of a table were asked for.
	PolicyCalls int `json:"policy_calls"`
	// Problems are policies that are broken for a table.
	Problems int                        `json:"problems"`
	Kinds    map[policy.Kind]KindCounts `json:"kinds"`
	// Error says why the catalog was not looked through to its end.
	Error string `json:"error,omitempty"`
	// Passing: the error is one of the moment, since the catalog or the queue does
	// not answer.
	Passing bool `json:"passing,omitempty"`
	// Seconds it took.
	Seconds float64 `json:"seconds"`
}

// KindCounts count tables.
type KindCounts struct {
	// Due, of which Published have a job now, Queued had one, Withdrawn are not due
	// by the policies of the moment, and OverBudget wait for the next scan.
	Due        int `json:"due"`
	Published  int `json:"published"`
	Queued     int `json:"queued,omitempty"`
	Withdrawn  int `json:"withdrawn,omitempty"`
	OverBudget int `json:"over_budget,omitempty"`
	// Waiting have a job from before that has not ended, DeadLetters one that died
	// and waits for a person; whether they would be due is not looked at.
	Waiting     int `json:"waiting,omitempty"`
	DeadLetters int `json:"dead_letters,omitempty"`
}

// Published is how many jobs were queued, of all kinds.
func (s CatalogSummary) Published() int {
	total := 0
	for _, counts := range s.Kinds {
		total += counts.Published
	}
	return total
}

func (s CatalogSummary) attrs() []any {
	attrs := []any{
		slog.Int("namespaces", s.Namespaces), slog.Int("tables", s.Tables), slog.Int("unchanged", s.Unchanged),
		slog.Int("failed", s.Failed), slog.Int("problems", s.Problems), slog.Int("policy_calls", s.PolicyCalls),
		slog.Int("generic_tables", s.GenericTables), slog.Float64("seconds", s.Seconds),
	}
	for _, kind := range policy.Kinds() {
		if counts, found := s.Kinds[kind]; found {
			attrs = append(attrs, slog.Group(string(kind), slog.Int("due", counts.Due), slog.Int("published", counts.Published),
				slog.Int("over_budget", counts.OverBudget)))
		}
	}
	if s.Error != "" {
		attrs = append(attrs, slog.String("error", s.Error))
	}
	return attrs
}

// tally counts from several goroutines.
type tally struct {
	mu sync.Mutex
	s  CatalogSummary
}

func newTally(realm, catalog string) *tally {
	return &tally{s: CatalogSummary{Realm: realm, Catalog: catalog, Kinds: map[policy.Kind]KindCounts{}}}
}

func (t *tally) add(count func(*CatalogSummary)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	count(&t.s)
}

func (t *tally) kind(kind policy.Kind, count func(*KindCounts)) {
	t.add(func(s *CatalogSummary) {
		counts := s.Kinds[kind]
		count(&counts)
		s.Kinds[kind] = counts
	})
}

func (t *tally) skip(id polaris.Identifier) {
	t.add(func(s *CatalogSummary) {
		s.GenericTables++
		if len(s.Skipped) < maxNamed {
			s.Skipped = append(s.Skipped, id.String())
		}
	})
}

// uncounted notes, once, what could not be listed.
func (t *tally) uncounted(what string) {
	t.add(func(s *CatalogSummary) {
		if !slices.Contains(s.Uncounted, what) {
			s.Uncounted = append(s.Uncounted, what)
		}
	})
}

func (t *tally) end(err error, took time.Duration) {
	t.add(func(s *CatalogSummary) {
		s.Seconds = took.Round(time.Millisecond).Seconds()
		if err != nil {
			s.Error = err.Error()
			s.Passing = passing(err)
		}
	})
}

func (t *tally) summary() CatalogSummary {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.s
}

// passing errors are gone once a server answers again.
func passing(err error) bool { return errors.Is(err, jobs.ErrUnavailable) || errors.Is(err, ErrQueue) }

// stable is an error's text without what differs each time.
func stable(err error) string {
	var refused *polaris.Error
	if errors.As(err, &refused) {
		return refused.Reason.Error() + refused.Type + refused.Hint
	}
	return err.Error()
}
