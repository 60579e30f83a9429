package storage

import (
	"context"
	"sync"
	"time"
)

const (
	// renewEarly is how long before their end credentials are renewed, at most a
	// fifth of what they last.
	renewEarly = 5 * time.Minute
	// renewPatience is how long a request waits for others while the old ones serve.
	renewPatience = 10 * time.Second
	// refusalRest is how long a refusal is taken for the answer to further requests,
	// so that not each of many asks for it again.
	refusalRest = 5 * time.Second
	// dropAfter is how old keys must be to be dropped: a request that used others may
	// say only now that these had expired.
	dropAfter = 10 * time.Second
)

// renewal keeps temporary credentials that several requests use, and gets others
// before they end. One request asks, the others go on with the old ones as long as
// these serve.
type renewal struct {
	ask func(ctx context.Context) (S3Credentials, error)
	now func() time.Time
	// turn holds one element while nobody asks.
	turn chan struct{}

	mu    sync.Mutex
	keys  S3Credentials
	got   time.Time
	renew time.Time // when others are asked for
	// refusal is the last answer, if it was a refusal, and when it was given.
	refusal error
	refused time.Time
}

func newRenewal(ask func(context.Context) (S3Credentials, error), now func() time.Time) *renewal {
	r := &renewal{ask: ask, now: now, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	return r
}

// state is what there is, without asking: fresh credentials are handed out, those
// that serve only while others are asked for.
func (r *renewal) state() (keys S3Credentials, fresh, serve bool, refusal error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	fresh, serve = now.Before(r.renew), now.Before(r.keys.Expires)
	if !serve && now.Sub(r.refused) < refusalRest {
		refusal = r.refusal
	}
	return r.keys, fresh, serve, refusal
}

// get gives credentials that last for a while.
func (r *renewal) get(ctx context.Context) (S3Credentials, error) {
	keys, fresh, serve, refusal := r.state()
	if fresh || refusal != nil {
		return keys, refusal
	}
	if serve {
		select {
		case <-r.turn:
		default:
			return keys, nil // another request asks
		}
	} else {
		select {
		case <-r.turn:
		case <-ctx.Done():
			return S3Credentials{}, context.Cause(ctx)
		}
	}
	defer func() { r.turn <- struct{}{} }()
	if keys, fresh, serve, refusal = r.state(); fresh || refusal != nil {
		return keys, refusal
	}
	if serve {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, renewPatience)
		defer cancel()
	}
	found, err := r.ask(ctx)
	if err != nil {
		return r.failed(err)
	}
	r.take(found)
	return found, nil
}

func (r *renewal) take(keys S3Credentials) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.keys, r.got, r.refusal = keys, now, nil
	r.renew = keys.Expires.Add(-min(renewEarly, keys.Expires.Sub(now)/5))
}

// failed goes on with the old ones while they serve, and asks again after half of
// the time that is left.
func (r *renewal) failed(err error) (S3Credentials, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if now.Before(r.keys.Expires) {
		r.renew = now.Add(r.keys.Expires.Sub(now) / 2)
		return r.keys, nil
	}
	if isRefusal(err) {
		r.refusal, r.refused = err, now
	}
	return S3Credentials{}, err
}

// drop forgets credentials that the store says have expired: its clock counts.
func (r *renewal) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now().Sub(r.got) >= dropAfter {
		r.keys, r.renew = S3Credentials{}, time.Time{}
	}
}
