package purge

import (
	"errors"
	"fmt"
	"strings"

	"deckhand/internal/receipt"
	"deckhand/jobs"
)

// shownProblems is how many problems an error names.
const shownProblems = 5

// blocked collects what keeps the next level from beginning.
type blocked struct {
	count    int
	problems []string
}

func (b *blocked) add(format string, args ...any) {
	b.count++
	if len(b.problems) < shownProblems {
		b.problems = append(b.problems, receipt.Shorten(fmt.Sprintf(format, args...)))
	}
}

// err is nil when nothing is blocked.
func (b *blocked) err(at level) error {
	if b.count == 0 {
		return nil
	}
	text := fmt.Sprintf("%d problems at the level %q: %s", b.count, at, strings.Join(b.problems, "; "))
	if more := b.count - len(b.problems); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return jobs.Permanent(errors.New(text +
		"; everything above stays, the root metadata file included: mend it and requeue the job"))
}
