package storms

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"deckhand/internal/chaos/fleet"
	"deckhand/internal/s3test"
)

// Weather is how likely requests go wrong, in thousandths of each kind.
type Weather struct {
	// Throttled are answered 503 SlowDown, Failed 500, Reset cut off before or after
	// they are carried out, Hanging cut off after some seconds, Broken cut off within
	// the answer's body.
	Throttled, Failed, Reset, Hanging, Broken int
	// Partial are batches of deletes of which single keys fail.
	Partial int
	// Catalog are requests to the catalog that are lost or refused.
	Catalog int
}

// Rough is the weather of a chaos run.
var Rough = Weather{Throttled: 20, Failed: 8, Reset: 8, Hanging: 5, Broken: 6, Partial: 200, Catalog: 30}

// Names of the faults that requests meet.
const (
	Throttled = "503"
	Failed    = "500"
	Reset     = "reset"
	Hanging   = "hang"
	Broken    = "broken off"
	Partial   = "failing single keys"
	Lost      = "catalog lost"
)

// Faults are all of them but Broken, which big answers alone meet.
var Faults = []string{Throttled, Failed, Reset, Hanging, Partial, Lost}

// Store decides about each request to the store and to the catalog.
type Store struct {
	// Slow is how long the store takes to answer a request.
	Slow func(r *http.Request) time.Duration
	// Met hears of each request that goes wrong; worker is "" where it is not known.
	Met func(fault, worker string)

	weather atomic.Pointer[Weather]
	mu      sync.Mutex
	random  *rand.Rand
}

// NewStore has calm weather.
func NewStore(random *rand.Rand) *Store {
	s := &Store{random: random, Met: func(string, string) {}}
	s.Set(Weather{})
	return s
}

// Set changes the weather.
func (s *Store) Set(w Weather) { s.weather.Store(&w) }

func (s *Store) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

// Fault is an [s3test.FaultFunc]. Requests that come past the fronts are left alone.
func (s *Store) Fault(_ int64, op string, r *http.Request) *s3test.Fault {
	worker := r.Header.Get(fleet.HeaderWorker)
	if worker == "" {
		return nil
	}
	if s.Slow != nil && !pause(r.Context(), s.Slow(r)) {
		return &s3test.Fault{Drop: true} // who asked is gone: nothing is carried out any more
	}
	w, n := s.weather.Load(), s.draw(1000)
	below := func(part int) bool {
		n -= part
		return n < 0
	}
	switch {
	case below(w.Throttled):
		s.Met(Throttled, worker)
		return &s3test.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown", Message: "Please reduce your request rate."}
	case below(w.Failed):
		s.Met(Failed, worker)
		return &s3test.Fault{Status: http.StatusInternalServerError, Code: "InternalError"}
	case below(w.Reset):
		s.Met(Reset, worker)
		return &s3test.Fault{Drop: true, Serve: n%2 == 0}
	case below(w.Hanging):
		s.Met(Hanging, worker)
		pause(r.Context(), time.Duration(1+s.draw(5))*time.Second)
		return &s3test.Fault{Drop: true}
	case below(w.Broken) && op == "GetObject":
		s.Met(Broken, worker)
		return &s3test.Fault{BreakAfter: int64(1 + s.draw(2000))}
	case op == "DeleteObjects" && s.draw(1000) < w.Partial:
		return &s3test.Fault{Key: s.failing(s.draw(1<<30), func() { s.Met(Partial, worker) })}
	}
	return nil
}

// failing lets a few keys of a batch fail, for now; met is called when one does.
func (s *Store) failing(seed int, met func()) func(key string) string {
	var once sync.Once
	return func(key string) string {
		sum := fnv.New32a()
		_, _ = fmt.Fprint(sum, seed, key)
		code := map[uint32]string{0: "InternalError", 1: "SlowDown"}[sum.Sum32()%100]
		if code != "" {
			once.Do(met)
		}
		return code
	}
}

// Lose decides about a request to the catalog.
func (s *Store) Lose() fleet.Loss {
	if s.draw(1000) >= s.weather.Load().Catalog {
		return fleet.LossNone
	}
	s.Met(Lost, "")
	return []fleet.Loss{fleet.LossBefore, fleet.LossAfter, fleet.LossRefused}[s.draw(3)]
}

// pause waits, and says whether nobody has left meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
