package erase

import (
	"errors"
	"fmt"
	"strings"

	"deckhand/internal/receipt"
	"deckhand/jobs"
)

// shownProblems is how many problems an error names.
const shownProblems = 5

// Blocked collects what keeps the next level from beginning.
type Blocked struct {
	count    int
	problems []string
}

// Add a problem. Only the first few are named.
func (b *Blocked) Add(format string, args ...any) {
	b.count++
	if len(b.problems) < shownProblems {
		b.problems = append(b.problems, receipt.Shorten(fmt.Sprintf(format, args...)))
	}
}

// Err is nil when nothing is blocked, else permanent. level is where it happened,
// and rest says what stays and what to do.
func (b *Blocked) Err(level, rest string) error {
	if b.count == 0 {
		return nil
	}
	text := fmt.Sprintf("%d problems at the level %q: %s", b.count, level, strings.Join(b.problems, "; "))
	if more := b.count - len(b.problems); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return jobs.Permanent(errors.New(text + "; " + rest))
}
