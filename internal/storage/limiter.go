package storage

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Limiters holds one adaptive limiter per bucket, shared by all catalogs and
// sessions of a process.
//
// A limiter bounds the requests in flight by a window, and the requests a second
// by a pace for each kind of request and by the ceilings of the configuration.
// Nothing is paced as long as the store does not ask to slow down, and again when
// it has not asked for about two minutes (up to 15 where a worker's share is far
// below three requests a second).
//
// The window opens at the configured largest size, grows by one for each window of
// successful answers (additive increase) and halves when many requests are refused
// (multiplicative decrease), at most once per round trip. It never falls below
// one request.
//
// Kinds have paces of their own because stores limit them apart: S3 takes 5,500
// reads and 3,500 writes a second and prefix, and a batch of deletes is to some
// stores one request, to S3 as many writes as it has keys. Batches are paced by
// requests: full ones, as of a large purge, come out at the same number of keys a
// second either way.
//
// Many processes that work on one bucket share what it takes about equally,
// though they know nothing of each other: in the simulation eight come within 2 %
// of the limit, differ by less than a factor of two over ten minutes and have less
// than 2 % of their requests refused, if each gets seven requests a second or more.
// With less, the limit is reached too, but more are refused and shares differ more:
// at 2.5 a second each 5 % and up to 2.5 times, at 0.44 (S3 takes 3,500 keys a second
// in batches of 1,000) 12 % and up to 5 times. Cycles that cost fewer refusals
// there would be too long for equal shares. A ceiling for each worker below its part
// avoids the refusals.
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
		found = newLimiter(most, nil)
		l.buckets[id] = found
	}
	found.bound(float64(most))
	return found
}

// outcome is what an answer says about the store's load.
type outcome int

const (
	outcomeOther outcome = iota // an error that says nothing about load
	outcomeOK
	outcomeThrottled
)

// windowStorm is the part of requests that is accepted, below which the window
// shrinks too.
const windowStorm = 0.75

type limiter struct {
	ceilings ceilings

	mu       sync.Mutex
	most     float64
	window   float64
	inFlight int
	waiting  list.List // of chan struct{}, first come first served
	lanes    [kinds]lane
}

// lane is what requests of one kind have in common.
type lane struct {
	// turn is held by the one request whose turn it is to wait for the pace.
	turn              chan struct{}
	pace              pace
	inFlight, waiting int
	sent, refused     int64
}

// ticket is a request in flight.
type ticket struct {
	kind  requestKind
	round uint64
	sent  time.Time
}

// newLimiter gets its chance from random, in [0, 1); nil: from the process.
func newLimiter(most int, random func() float64) *limiter {
	l := &limiter{most: float64(most), window: float64(most)}
	for kind := range l.lanes {
		l.lanes[kind] = lane{turn: make(chan struct{}, 1), pace: newPace(random)}
	}
	return l
}

// bound lowers the largest window.
func (l *limiter) bound(most float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = min(l.most, most)
	l.window = min(l.window, l.most)
}

// acquire waits for a place among the requests of the kind, which is about so many
// keys (1, but for batches). The ticket goes back with release. The error is why
// ctx ended.
func (l *limiter) acquire(ctx context.Context, kind requestKind, keys int) (ticket, error) {
	if !l.ceilings.set() && l.delay(kind) == 0 {
		if err := l.enter(ctx); err != nil {
			return ticket{}, err
		}
		// Meanwhile the store may have asked to slow down.
		if t, ok := l.start(kind); ok {
			return t, nil
		}
		l.leave()
	}
	return l.acquireInTurn(ctx, kind, keys)
}

// acquireInTurn lets the requests of a kind wait for their moment one after the
// other, so that a pace that changes holds for all that wait.
func (l *limiter) acquireInTurn(ctx context.Context, kind requestKind, keys int) (ticket, error) {
	lane := &l.lanes[kind]
	l.count(kind, 1)
	defer l.count(kind, -1)
	select {
	case lane.turn <- struct{}{}:
		defer func() { <-lane.turn }()
	case <-ctx.Done():
		return ticket{}, context.Cause(ctx)
	}
	if err := l.ceilings.wait(ctx, keys); err != nil {
		return ticket{}, err
	}
	for {
		for d := l.delay(kind); d > 0; d = l.delay(kind) {
			if err := sleep(ctx, d); err != nil {
				return ticket{}, err
			}
		}
		if err := l.enter(ctx); err != nil {
			return ticket{}, err
		}
		if t, ok := l.start(kind); ok {
			return t, nil
		}
		l.leave()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *limiter) count(kind requestKind, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lanes[kind].waiting += n
}

func (l *limiter) delay(kind requestKind) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	pace := &l.lanes[kind].pace
	if pace.free() {
		return 0
	}
	return pace.wait(time.Now())
}

// start counts a request as sent, unless its pace wants it to wait.
func (l *limiter) start(kind requestKind) (ticket, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane, now := &l.lanes[kind], time.Now()
	if lane.pace.wait(now) > 0 {
		return ticket{}, false
	}
	lane.inFlight++
	lane.sent++
	return ticket{kind: kind, round: lane.pace.send(now), sent: now}, true
}

// enter waits for room in the window.
func (l *limiter) enter(ctx context.Context) error {
	l.mu.Lock()
	if l.waiting.Len() == 0 && l.inFlight < int(l.window) {
		defer l.mu.Unlock()
		l.inFlight++
		return nil
	}
	granted := make(chan struct{}, 1)
	place := l.waiting.PushBack(granted)
	l.mu.Unlock()
	select {
	case <-granted:
		return nil
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
	return context.Cause(ctx)
}

// leave gives back room that was not used.
func (l *limiter) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.grant()
}

// release ends a request and adapts window and pace to its outcome; share is the
// part of the request that was refused when its outcome is "throttled".
func (l *limiter) release(t ticket, o outcome, share float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane := &l.lanes[t.kind]
	inFlight := lane.inFlight
	l.inFlight--
	lane.inFlight--
	switch o {
	case outcomeOK:
		l.window = min(l.most, l.window+1/l.window)
		lane.pace.accept(t.round)
	case outcomeThrottled:
		lane.refused++
		now := time.Now()
		if lane.pace.refuse(now, t.round, share, now.Sub(t.sent), inFlight) && lane.pace.accepted < windowStorm {
			l.window = max(1, l.window/2)
		}
	}
	l.grant()
}

// grant lets as many wait no longer as there is room for.
func (l *limiter) grant() {
	for l.waiting.Len() > 0 && l.inFlight < int(l.window) {
		first := l.waiting.Front()
		l.waiting.Remove(first)
		l.inFlight++
		first.Value.(chan struct{}) <- struct{}{}
	}
}
