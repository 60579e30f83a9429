package maintenance

import (
	"cmp"
	"log/slog"
	"time"

	"deckhand/internal/receipt"
)

// DefaultRetryWait of [Config].
const DefaultRetryWait = 200 * time.Millisecond

// Config of the handler of any kind that works on living tables. A kind that needs
// to know more embeds it in its own.
type Config struct {
	// Catalogs whose tables may be maintained. See [NewCatalogs].
	Catalogs []Catalog
	// Worker is the name that receipts carry.
	Worker string
	// DryRun makes every job a dry run.
	DryRun bool
	// RetryWait is about how long to wait after the first conflict of a commit;
	// it doubles with each further one. Default 200 ms.
	RetryWait time.Duration
	// Now is the clock that ages in metadata go by. Default time.Now.
	Now func() time.Time
	// Logger defaults to slog.Default().
	Logger *slog.Logger
	// List is told of every path and what was done with it; nil: nobody is. It is
	// called from one goroutine at a time.
	List func(receipt.PathRecord)
}

// WithDefaults fills what is not set.
func (c Config) WithDefaults() Config {
	c.RetryWait = cmp.Or(c.RetryWait, DefaultRetryWait)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}
