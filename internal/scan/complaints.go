package scan

import (
	"context"
	"log/slog"
	"sync"
)

// complaints logs each thing when it begins and when it changes, and not at every
// scan again.
type complaints struct {
	mu   sync.Mutex
	said map[string]complaint
}

type complaint struct {
	text  string
	round uint64
}

// isNew notes a complaint and says whether the last scan did not have it.
func (c *complaints) isNew(key, text string, round uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, found := c.said[key]
	c.said[key] = complaint{text: text, round: round}
	return !found || before.text != text
}

// endRound forgets what is over, so that it is said when it comes back.
func (c *complaints) endRound(round uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, said := range c.said {
		if said.round != round {
			delete(c.said, key)
		}
	}
}

// complain logs an error about something; an empty name is the catalog itself.
func (p *pass) complain(ctx context.Context, name, what string, err error) {
	if p.complaints.isNew(what+" "+name, stable(err), p.round) {
		p.log.WarnContext(ctx, "scan met a problem", slog.String("what", what), slog.String("name", name), slog.Any("error", err))
	}
}

// noteSkipped logs a table of another format.
func (p *pass) noteSkipped(ctx context.Context, name string) {
	if p.complaints.isNew("skipped "+name, "", p.round) {
		p.log.InfoContext(ctx, "generic table is skipped, since only Iceberg tables are maintained", slog.String("name", name))
	}
}
