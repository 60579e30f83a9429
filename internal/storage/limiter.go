package storage

import (
	"container/list"
	"context"
	"slices"
	"strings"
	"sync"
)

// Limiters holds one adaptive limiter per bucket, shared by all catalogs and
// sessions of a process.
//
// A limiter is a window of requests in flight. It opens at the configured
// largest size, grows by one for each window of successful answers (additive
// increase) and halves when the store asks to slow down (multiplicative
// decrease), at most once per round trip: a request that was sent before the
// last decrease says nothing about the smaller window. It never falls below
// one request; below that, the waiting of each refused request slows further.
type Limiters struct {
	mu      sync.Mutex
	buckets map[bucketID]*limiter
}

// bucketID tells buckets of the same name at different endpoints apart.
type bucketID struct{ endpoint, bucket string }

// NewLimiters makes an empty set. A process needs one.
func NewLimiters() *Limiters { return &Limiters{buckets: map[bucketID]*limiter{}} }

// get gives the bucket's limiter; of those who ask, the one with the smallest
// window decides.
func (l *Limiters) get(id bucketID, most int) *limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.buckets[id]
	if !ok {
		found = newLimiter(most)
		l.buckets[id] = found
	}
	found.bound(float64(most))
	return found
}

// Limit is the state of one bucket's limiter.
type Limit struct {
	// Endpoint is empty for AWS and for files, Bucket is "file" for files.
	Endpoint, Bucket string
	// Window is the number of requests that may be in flight now.
	Window float64
	// InFlight and Waiting count requests.
	InFlight, Waiting int
}

// Limits gives the state of all limiters, ordered by endpoint and bucket.
func (l *Limiters) Limits() []Limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	limits := make([]Limit, 0, len(l.buckets))
	for id, b := range l.buckets {
		b.mu.Lock()
		limits = append(limits, Limit{
			Endpoint: id.endpoint, Bucket: id.bucket,
			Window: b.window, InFlight: b.inFlight, Waiting: b.waiting.Len(),
		})
		b.mu.Unlock()
	}
	slices.SortFunc(limits, func(a, b Limit) int {
		if c := strings.Compare(a.Endpoint, b.Endpoint); c != 0 {
			return c
		}
		return strings.Compare(a.Bucket, b.Bucket)
	})
	return limits
}

// outcome is what an answer says about the store's load.
type outcome int

const (
	outcomeOther outcome = iota // an error that says nothing about load
	outcomeOK
	outcomeThrottled
)

type limiter struct {
	mu       sync.Mutex
	most     float64
	window   float64
	inFlight int
	round    uint64    // counts decreases
	waiting  list.List // of chan uint64, first come first served
}

func newLimiter(most int) *limiter {
	return &limiter{most: float64(most), window: float64(most)}
}

// bound lowers the largest window.
func (l *limiter) bound(most float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = min(l.most, most)
	l.window = min(l.window, l.most)
}

// acquire waits for room in the window. The ticket goes back with release.
func (l *limiter) acquire(ctx context.Context) (ticket uint64, err error) {
	l.mu.Lock()
	if l.waiting.Len() == 0 && l.inFlight < int(l.window) {
		defer l.mu.Unlock()
		l.inFlight++
		return l.round, nil
	}
	granted := make(chan uint64, 1)
	place := l.waiting.PushBack(granted)
	l.mu.Unlock()
	select {
	case ticket = <-granted:
		return ticket, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-granted: // granted at the same moment: hand it on
		l.inFlight--
		l.grant()
	default:
		l.waiting.Remove(place)
	}
	return 0, context.Cause(ctx)
}

// release ends a request and adapts the window to its outcome.
func (l *limiter) release(ticket uint64, o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	switch {
	case o == outcomeOK:
		l.window = min(l.most, l.window+1/l.window)
	case o == outcomeThrottled && ticket == l.round:
		l.window = max(1, l.window/2)
		l.round++
	}
	l.grant()
}

// grant lets as many wait no longer as there is room for.
func (l *limiter) grant() {
	for l.waiting.Len() > 0 && l.inFlight < int(l.window) {
		first := l.waiting.Front()
		l.waiting.Remove(first)
		l.inFlight++
		first.Value.(chan uint64) <- l.round
	}
}
