package ownership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"deckhand/internal/polaris"
)

// Mode is how far a catalog is asked.
type Mode string

const (
	// Namespace asks the one that the table is or was in.
	Namespace Mode = "namespace"
	// Catalog asks all namespaces of the catalog.
	Catalog Mode = "catalog"
	// Off asks nobody.
	Off Mode = "off"
)

// Client asks a catalog. *polaris.Client is one.
type Client interface {
	Namespaces(ctx context.Context, parent []string) iter.Seq2[[]string, error]
	Tables(ctx context.Context, namespace []string) iter.Seq2[polaris.Identifier, error]
	Views(ctx context.Context, namespace []string) iter.Seq2[polaris.Identifier, error]
	GenericTables(ctx context.Context, namespace []string) iter.Seq2[polaris.Identifier, error]
	DescribeTable(ctx context.Context, id polaris.Identifier, etag string) (*polaris.Description, error)
	DescribeView(ctx context.Context, id polaris.Identifier, etag string) (*polaris.Description, error)
	DescribeGenericTable(ctx context.Context, id polaris.Identifier, etag string) (*polaris.Description, error)
	Present(ctx context.Context) error
}

var _ Client = (*polaris.Client)(nil)

// Defaults of [Config].
const (
	DefaultMaxAge     = time.Minute
	DefaultMaxEntries = 100_000
	DefaultParallel   = 4
)

// Config of an Index.
type Config struct {
	// Client of the catalog. Required.
	Client Client
	// MaxAge is for how long after its end a look through a namespace answers
	// questions. Default 1 min.
	MaxAge time.Duration
	// MaxEntries is how many tables and views are remembered; beyond it the
	// namespaces go that nobody asked for lately. Those that are asked for now are
	// remembered whatever their number. Default 100,000, a few hundred bytes each.
	MaxEntries int
	// Parallel is how many tables of a namespace are asked for at once. Default 4;
	// the client's own limits hold besides.
	Parallel int
	// Now defaults to time.Now.
	Now func() time.Time
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	c.MaxAge = cmp.Or(c.MaxAge, DefaultMaxAge)
	c.MaxEntries = cmp.Or(c.MaxEntries, DefaultMaxEntries)
	c.Parallel = cmp.Or(c.Parallel, DefaultParallel)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports every mistake at once.
func (c Config) Validate() error {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("client: there is none"))
	}
	if c.MaxAge < 0 || c.MaxEntries < 0 || c.Parallel < 0 {
		errs = append(errs, fmt.Errorf("a limit is negative: max age %s, entries %d, parallel %d", c.MaxAge, c.MaxEntries, c.Parallel))
	}
	return errors.Join(errs...)
}

// Index knows who lives in the namespaces of one catalog. It is safe for many
// goroutines, and starts none that outlive a question.
type Index struct {
	cfg Config

	mu      sync.Mutex
	shelves map[shelfKey]*shelf
	rounds  map[Kind]*round
	tree    *tree
}

type shelfKey struct {
	kind      Kind
	namespace string
}

// New makes an Index that knows nothing; no request is made. One Index is for one
// catalog, whoever asks: it is what keeps the number of requests down.
func New(cfg Config) (*Index, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make ownership index: %w", err)
	}
	return &Index{cfg: cfg, shelves: map[shelfKey]*shelf{}, rounds: map[Kind]*round{}, tree: newTree(cfg)}, nil
}

// shelf of a namespace, made when it is asked for first.
func (x *Index) shelf(kind Kind, namespace []string) *shelf {
	x.mu.Lock()
	defer x.mu.Unlock()
	// Quoted, since a level may hold whatever could stand between two.
	key := shelfKey{kind: kind, namespace: fmt.Sprintf("%q", namespace)}
	found := x.shelves[key]
	if found == nil {
		found = newShelf(x.cfg, kind, namespace)
		x.shelves[key] = found
	}
	found.asked = x.cfg.Now()
	return found
}

// fresh looks through the namespaces that the query is about, unless that was done
// lately, and gives what is known of them and since when at least. Names that are new
// since after are known in any case.
func (x *Index) fresh(ctx context.Context, q Query, kind Kind, after time.Time) (shelves []*shelf, looked time.Time, err error) {
	if q.Mode == Catalog {
		return x.everywhere(ctx, q, kind, after)
	}
	s := x.shelf(kind, q.ID.Namespace)
	if looked, err = s.fresh(ctx, q.Alive); err == nil && !looked.After(after) {
		err = s.renew(ctx, q.Alive, after)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	x.asked(s)
	x.forget()
	return []*shelf{s}, looked, nil
}

// asked notes that the shelves serve now: a look may take longer than what nobody
// asks for is remembered.
func (x *Index) asked(shelves ...*shelf) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range shelves {
		s.asked = x.cfg.Now()
	}
}

// forget drops the namespaces that nobody asked for lately, the longest first, while
// more is remembered than should be.
func (x *Index) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	total := 0
	for _, s := range x.shelves {
		total += s.size()
	}
	if total <= x.cfg.MaxEntries {
		return
	}
	// A round holds its shelves too.
	maps.DeleteFunc(x.rounds, func(_ Kind, r *round) bool { return x.cfg.Now().Sub(r.asked) > 2*x.cfg.MaxAge })
	keys := slices.SortedFunc(maps.Keys(x.shelves), func(a, b shelfKey) int { return x.shelves[a].asked.Compare(x.shelves[b].asked) })
	for _, key := range keys {
		s := x.shelves[key]
		if total <= x.cfg.MaxEntries || x.cfg.Now().Sub(s.asked) <= 2*x.cfg.MaxAge {
			return
		}
		total -= s.size()
		delete(x.shelves, key)
	}
}
