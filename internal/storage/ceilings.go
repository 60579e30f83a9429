package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// ValidateCeilings reports every mistake in the most per second at once.
func (c Config) ValidateCeilings() error {
	var errs []error
	for _, ceiling := range []struct {
		name  string
		value float64
	}{{"max_requests_per_second", c.MaxRequestsPerSecond}, {"max_deletes_per_second", c.MaxDeletesPerSecond}} {
		if ceiling.value < 0 || math.IsNaN(ceiling.value) || math.IsInf(ceiling.value, 0) {
			errs = append(errs, fmt.Errorf("%s: %v is no number of requests; leave it out for no limit", ceiling.name, ceiling.value))
		}
	}
	return errors.Join(errs...)
}

// ceilings are the most that is sent to one bucket, by configuration. The zero
// value has none. What was not used may be made up for within 50 ms, so that in
// any second there may be a twentieth more; for deletes there may be a whole batch
// more.
type ceilings struct {
	mu                sync.Mutex
	requests, deletes *rate.Limiter
}

// narrow sets the ceilings, in requests and in deleted keys a second, where they
// are positive and below those of before.
func (c *ceilings) narrow(requests, deletes float64) {
	if requests <= 0 && deletes <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = lowered(c.requests, requests, 1)
	c.deletes = lowered(c.deletes, deletes, DefaultBatchSize)
}

func lowered(now *rate.Limiter, perSecond float64, atOnce int) *rate.Limiter {
	if perSecond <= 0 || now != nil && float64(now.Limit()) <= perSecond {
		return now
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(atOnce, int(perSecond/20)))
}

func (c *ceilings) set() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests != nil || c.deletes != nil
}

// wait until a request that deletes so many keys may be sent. The error is why ctx
// ended.
func (c *ceilings) wait(ctx context.Context, deleted int) error {
	c.mu.Lock()
	requests, deletes := c.requests, c.deletes
	c.mu.Unlock()
	if requests != nil {
		if err := reserve(ctx, requests, 1); err != nil {
			return err
		}
	}
	if deletes != nil && deleted > 0 {
		return reserve(ctx, deletes, min(deleted, deletes.Burst()))
	}
	return nil
}

// reserve is [rate.Limiter.WaitN] that does not give up before ctx has ended.
func reserve(ctx context.Context, l *rate.Limiter, n int) error {
	r := l.ReserveN(time.Now(), n)
	err := sleep(ctx, r.Delay())
	if err != nil {
		r.Cancel()
	}
	return err
}
