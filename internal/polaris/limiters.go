package polaris

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// Limiters holds one limiter per server. Clients that share it keep to the smallest
// rate and number of requests in flight that one of them allows.
type Limiters struct {
	mu       sync.Mutex
	byServer map[string]*limiter
}

// NewLimiters makes an empty set. A process needs one.
func NewLimiters() *Limiters { return &Limiters{byServer: map[string]*limiter{}} }

// get the limiter of a server, narrowed to what one more client allows.
func (l *Limiters) get(server string, perSecond float64, inFlight int) *limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.byServer[server]
	if found == nil {
		found = &limiter{
			rate: rate.NewLimiter(rate.Limit(perSecond), burst(perSecond)), most: perSecond, inFlight: inFlight,
			slots: semaphore.NewWeighted(allSlots),
		}
		l.byServer[server] = found
		return found
	}
	found.narrow(perSecond, inFlight)
	return found
}

const (
	// allSlots is divided by the number of requests that may be in flight.
	allSlots = 1 << 20
	// leastRate is how slow an overloaded server makes us.
	leastRate = 0.2
	// recoverOver is in how many good answers a halved rate is what it was: a step
	// is this part of the largest rate.
	recoverOver = 40
)

// limiter of one server. The rate halves when the server is overloaded and rises
// by steps with each good answer.
type limiter struct {
	rate  *rate.Limiter
	slots *semaphore.Weighted

	mu       sync.Mutex
	most     float64
	inFlight int
	// slowed is when the rate was halved last.
	slowed time.Time
}

func (l *limiter) narrow(perSecond float64, inFlight int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight = min(l.inFlight, inFlight)
	if perSecond < l.most {
		l.most = perSecond
		l.rate.SetLimit(min(l.rate.Limit(), rate.Limit(perSecond)))
		l.rate.SetBurst(burst(perSecond))
	}
}

// burst is how many requests may come at once: a quarter of a second's.
func burst(perSecond float64) int { return max(1, int(perSecond/4)) }

// acquire waits for a place; release gives it back. The error is the reason why ctx
// ended, or will have ended before there is a place.
func (l *limiter) acquire(ctx context.Context) (release func(), err error) {
	l.mu.Lock()
	weight := int64(allSlots / max(1, l.inFlight))
	l.mu.Unlock()
	if err := l.slots.Acquire(ctx, weight); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := l.rate.Wait(ctx); err != nil {
		l.slots.Release(weight)
		if ctx.Err() == nil { // its deadline is too near
			return nil, context.DeadlineExceeded
		}
		return nil, context.Cause(ctx)
	}
	return func() { l.slots.Release(weight) }, nil
}

// overloaded halves the rate; answers to requests that were sent before the last
// halving say nothing about the rate of now.
func (l *limiter) overloaded(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sent.Before(l.slowed) {
		return
	}
	l.slowed = time.Now()
	l.rate.SetLimit(max(l.rate.Limit()/2, rate.Limit(min(leastRate, l.most))))
}

func (l *limiter) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.rate.Limit(); now < rate.Limit(l.most) {
		l.rate.SetLimit(min(now+rate.Limit(l.most/recoverOver), rate.Limit(l.most)))
	}
}
