package storage

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// retry decides how often and when one request is repeated. Passing failures
// have a small budget of attempts and time; "slow down" has a large one of time
// only, because it is not a failure.
type retry struct {
	session                    *Session
	failures                   int
	firstFailure, firstRefusal time.Time
	failed, refused            *backoff.ExponentialBackOff
}

func (s *Session) newRetry() *retry { return &retry{session: s} }

// jittered waits between nothing and twice initial, doubled each time, up to
// most: full jitter.
func jittered(initial, most time.Duration) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(initial), backoff.WithMaxInterval(most/2),
		backoff.WithRandomizationFactor(1), backoff.WithMultiplier(2), backoff.WithMaxElapsedTime(0))
}

// next says how long to wait before the request that ended with err is
// repeated, and whether it is repeated at all.
func (r *retry) next(err error, after time.Duration) (time.Duration, bool) {
	cfg := r.session.stores.cfg
	switch {
	case errors.Is(err, errThrottled):
		if r.refused == nil {
			// What it waited before for the limiter is none of the store's answers.
			r.refused, r.firstRefusal = jittered(50*time.Millisecond, 20*time.Second), time.Now()
		}
		wait := max(r.refused.NextBackOff(), after)
		return wait, time.Since(r.firstRefusal)+wait < cfg.ThrottleFor
	// What a catalog vends, and the keys of a role, are renewed by the next attempt.
	case errors.Is(err, ErrUnavailable) && (!errors.Is(err, ErrExpired) || cfg.Vended != nil || r.session.stores.roles != nil):
		if r.failed == nil {
			r.failed, r.firstFailure = jittered(100*time.Millisecond, 10*time.Second), time.Now()
		}
		r.failures++
		wait := max(r.failed.NextBackOff(), after)
		return wait, r.failures <= cfg.Retries && time.Since(r.firstFailure)+wait < cfg.RetryFor
	}
	return 0, false
}

// progressed gives back the attempts, because the last one did part of the work.
func (r *retry) progressed() {
	r.failures, r.failed, r.refused = 0, nil, nil
}

// wait sleeps before a repetition and counts it. It gives the error that ends
// the request when it is not repeated.
func (r *retry) wait(ctx context.Context, err error) error {
	var after time.Duration
	if e, ok := errors.AsType[*Error](err); ok {
		after = e.retryAfter
	}
	delay, again := r.next(err, after)
	if !again {
		return final(err)
	}
	r.session.log.DebugContext(ctx, "repeating a storage request", slog.Any("error", err), slog.Duration("wait", delay))
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		r.session.meter.retries.Add(1)
		return nil
	case <-ctx.Done():
		return canceled(ctx)
	}
}

// final turns an endless "slow down" into "unavailable" for the caller.
func final(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && errors.Is(e, errThrottled) {
		ended := *e
		ended.Reason = ErrUnavailable
		ended.Hint = "it kept asking to slow down"
		return &ended
	}
	return err
}

// canceled is the error of work that its context ended.
func canceled(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return &Error{Reason: cause}
	}
	return &Error{Reason: ctx.Err(), Err: cause}
}

// locate completes a backend's error with what was done to what.
func locate(err error, op string, l Location) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // only its own error, not one that a cause carries
		located := *e
		located.Op, located.Location = op, l
		if e.folder != "" {
			located.Location.Key = e.folder
		}
		return &located
	}
	return err
}

// once makes one attempt, when the bucket's limiter lets it.
func (s *Session) once(ctx context.Context, t target, request func(context.Context) error) error {
	ticket, err := t.limiter.acquire(ctx, t.kind, t.deletes)
	if err != nil {
		return canceled(ctx)
	}
	result := outcomeOther
	refused := 1.0
	defer func() { t.limiter.release(ticket, result, refused) }()
	err = request(s.marked(ctx))
	switch {
	case err == nil:
		result = outcomeOK
	case ctx.Err() != nil:
		return canceled(ctx)
	case errors.Is(err, errThrottled):
		result = outcomeThrottled
		if e, ok := errors.AsType[*Error](err); ok && e.share > 0 {
			refused = e.share
		}
		s.meter.throttle(t.bucket)
	case errors.Is(err, ErrExpired):
		s.expired(t.bucket)
	case !errors.Is(err, ErrUnavailable):
		// The store answered in good health, be it with "no".
		result = outcomeOK
	}
	return err
}

// try repeats a request until it succeeds, its context ends, or nothing is to
// be gained by repeating it.
func (s *Session) try(ctx context.Context, t target, request func(context.Context) error) error {
	for r := s.newRetry(); ; {
		err := s.once(ctx, t, request)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := r.wait(ctx, err); err != nil {
			return err
		}
	}
}

// timed runs a request that must be over within the request timeout.
func (s *Session) timed(request func(context.Context) error) func(context.Context) error {
	return within(s.stores.cfg.RequestTimeout, request)
}

func within(timeout time.Duration, request func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
		return request(ctx)
	}
}
