package ownership

import "sync"

// sight is what a look has seen until now.
type sight struct {
	mu      sync.Mutex
	entries map[string]*entry
}

func newSight() *sight { return &sight{entries: map[string]*entry{}} }

func (s *sight) put(name string, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[name] = e
}
