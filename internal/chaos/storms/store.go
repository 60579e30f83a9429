package storms

import (
	"context"
	"fmt"
	"hash/maphash"
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
var Rough = Weather{Throttled: 20, Failed: 8, Reset: 8, Hanging: 3, Broken: 6, Partial: 60, Catalog: 30}

// Store decides about each request to the store and to the catalog.
type Store struct {
	// Slow is how long the store takes to answer a request.
	Slow func(r *http.Request) time.Duration

	weather atomic.Pointer[Weather]
	mu      sync.Mutex
	random  *rand.Rand
}

// NewStore has calm weather.
func NewStore(random *rand.Rand) *Store {
	s := &Store{random: random}
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
	if r.Header.Get(fleet.HeaderWorker) == "" {
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
		return &s3test.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown", Message: "Please reduce your request rate."}
	case below(w.Failed):
		return &s3test.Fault{Status: http.StatusInternalServerError, Code: "InternalError"}
	case below(w.Reset):
		return &s3test.Fault{Drop: true, Serve: n%2 == 0}
	case below(w.Hanging):
		pause(r.Context(), time.Duration(1+s.draw(5))*time.Second)
		return &s3test.Fault{Drop: true}
	case below(w.Broken) && op == "GetObject":
		return &s3test.Fault{BreakAfter: int64(1 + s.draw(2000))}
	case op == "DeleteObjects" && s.draw(1000) < w.Partial:
		return &s3test.Fault{Key: failing(maphash.MakeSeed())}
	}
	return nil
}

// failing lets a few keys of a batch fail, for now.
func failing(seed maphash.Seed) func(key string) string {
	return func(key string) string {
		switch maphash.String(seed, key) % 100 {
		case 0:
			return "InternalError"
		case 1:
			return "SlowDown"
		}
		return ""
	}
}

// Lose decides about a request to the catalog.
func (s *Store) Lose() fleet.Loss {
	if s.draw(1000) >= s.weather.Load().Catalog {
		return fleet.LossNone
	}
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

// String lists the parts in a thousand.
func (w Weather) String() string {
	return fmt.Sprintf("of 1,000 requests %d throttled, %d failed, %d reset, %d hanging, %d broken off, %d of the catalog lost; of 1,000 batches %d partial",
		w.Throttled, w.Failed, w.Reset, w.Hanging, w.Broken, w.Catalog, w.Partial)
}
