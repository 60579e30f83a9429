package table

import (
	"context"
	"sync"
)

// turns lets those who have a number in, nearly in the order of the numbers:
// number n may enter when all but `ahead` of the numbers before it have left.
type turns struct {
	ahead int

	mu      sync.Mutex
	left    map[int]bool // those that left before someone with a lower number
	lowest  int          // the lowest number that has not left
	changed chan struct{}
}

func newTurns(ahead int) *turns {
	return &turns{ahead: ahead, left: map[int]bool{}, changed: make(chan struct{})}
}

// enter waits for the number's turn, or for the end of ctx.
func (t *turns) enter(ctx context.Context, number int) error {
	for {
		t.mu.Lock()
		mine, changed := number < t.lowest+t.ahead, t.changed
		t.mu.Unlock()
		if mine {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// leave is called at most once for each number, whether it entered or not.
func (t *turns) leave(number int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left[number] = true
	for t.left[t.lowest] {
		delete(t.left, t.lowest)
		t.lowest++
	}
	close(t.changed)
	t.changed = make(chan struct{})
}
