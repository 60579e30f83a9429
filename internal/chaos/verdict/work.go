package verdict

import (
	"fmt"
	"sync"
)

// MostExtra is how many deletes may be repeated, in percent of the files, and Slack
// how many besides: a batch of a thousand whose answer was lost is repeated as a
// whole, and in a short run, of some ten thousand files, three of them weigh as much as
// that.
const (
	MostExtra = 15
	Slack     = 3000
)

// Work counts deletes of dropped tables' files. Its methods are safe for many
// goroutines.
type Work struct {
	mu       sync.Mutex
	files    int
	repeated int
}

// Files adds a table of so many.
func (w *Work) Files(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files += n
}

// Repeated adds deletes of what was gone before.
func (w *Work) Repeated(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.repeated += n
}

// Extra are the repeated deletes in percent of all files.
func (w *Work) Extra() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return 100 * float64(w.repeated) / float64(max(w.files, 1))
}

// Violations says so when it was too much.
func (w *Work) Violations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.repeated-Slack >= w.files*MostExtra/100 {
		return []string{fmt.Sprintf("%d deletes were repeated, of %d files; under %d %% and %d are allowed", w.repeated, w.files, MostExtra, Slack)}
	}
	return nil
}
