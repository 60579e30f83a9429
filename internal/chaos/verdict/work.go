package verdict

import (
	"fmt"
	"sync"
)

// MostExtra is how many deletes may be repeated, in percent of the files.
const MostExtra = 15

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

// Counts are the files, and the deletes that were repeated.
func (w *Work) Counts() (files, repeated int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files, w.repeated
}

// Violations says so when it was too much.
func (w *Work) Violations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if 100*w.repeated >= w.files*MostExtra && w.repeated > 0 {
		return []string{fmt.Sprintf("%d deletes were repeated, of %d files; it has to be under %d %%", w.repeated, w.files, MostExtra)}
	}
	return nil
}
