package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"deckhand/jobs"
)

// Holder says who holds a lease: the value in the bucket locks.
type Holder struct {
	Worker string         `json:"worker"`
	Job    string         `json:"job"`
	Kind   jobs.Kind      `json:"kind"`
	Since  jobs.Timestamp `json:"since"`
}

// HeldError says that a lease is taken, and by whom. It is [ErrHeld].
type HeldError struct {
	Key    string
	Holder Holder
}

// Error names the holder.
func (e *HeldError) Error() string {
	if e.Holder.Worker == "" {
		return fmt.Sprintf("lease %s is held by another worker", e.Key)
	}
	if e.Holder.Job == "" { // a producer's
		return fmt.Sprintf("lease %s is held by %s since %s", e.Key, e.Holder.Worker, e.Holder.Since.Format(time.RFC3339))
	}
	return fmt.Sprintf("lease %s is held by worker %s since %s, for job %s (%s)",
		e.Key, e.Holder.Worker, e.Holder.Since.Format(time.RFC3339), e.Holder.Job, e.Holder.Kind)
}

// Is makes errors.Is(err, ErrHeld) true.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Lease is the right to work on one key until it is released or lost. It renews
// itself, and ends itself when that fails for two thirds of its time to live.
type Lease struct {
	q     *Queue
	key   string
	value []byte

	ctx    context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc
	loops  sync.WaitGroup

	mu       sync.Mutex
	revision uint64
	// confirmed is when the last request that renewed the lease was SENT: the
	// server counts the time to live from some later moment.
	confirmed time.Time
	// unsure: a renewal got no answer and may have succeeded.
	unsure bool
	// trouble is what the last renewal met, for the log of a loss.
	trouble error
}

// Acquire takes the lease of a key, or fails with a *[HeldError]. The lease
// renews itself until [Lease.Release]. holder.Since is filled in when it is
// zero.
func (q *Queue) Acquire(ctx context.Context, key string, holder Holder) (*Lease, error) {
	lease, err := q.takeLease(ctx, key, holder)
	if err != nil {
		return nil, err
	}
	lease.ctx, lease.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	loops, stop := context.WithCancel(lease.ctx)
	lease.stop = stop
	lease.loops.Go(func() { lease.keep(loops) })
	lease.loops.Go(func() { lease.watch(loops, lease.cancel) })
	return lease, nil
}

// Context ends with [ErrLeaseLost] as its cause when the lease is lost, and when
// the lease is released.
func (l *Lease) Context() context.Context { return l.ctx }

// Release gives the lease back. The error is [ErrLeaseLost] if it was lost
// before.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	l.loops.Wait()
	lost := context.Cause(l.ctx)
	l.cancel(nil)
	if lost != nil {
		l.forget()
		return lost
	}
	return l.release(ctx)
}

// takeLease writes the lease and starts nothing.
func (q *Queue) takeLease(ctx context.Context, key string, holder Holder) (*Lease, error) {
	if holder.Since.IsZero() {
		holder.Since = jobs.At(time.Now())
	}
	value, err := json.Marshal(holder)
	if err != nil {
		return nil, fmt.Errorf("encode holder: %w", err)
	}
	// The bucket alone cannot tell two claims of one process apart when an answer
	// is missing, since both write the same worker and job.
	if other, taken := q.reserve(key, holder); taken {
		return nil, &HeldError{Key: key, Holder: other}
	}
	lease := &Lease{q: q, key: key, value: value}
	if err := lease.create(ctx); err != nil {
		lease.forget()
		return nil, err
	}
	return lease, nil
}

func (q *Queue) reserve(key string, holder Holder) (other Holder, taken bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if other, taken = q.held[key]; !taken {
		q.held[key] = holder
	}
	return other, taken
}

func (l *Lease) forget() {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	delete(l.q.held, l.key)
}

func (l *Lease) create(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.q.timings.call)
	defer cancel()
	sent := time.Now()
	revision, err := l.q.locks.create(ctx, l.key, l.value)
	switch {
	case err == nil:
		l.revision, l.confirmed = revision, sent
		return nil
	case isConflict(err):
		return l.heldBy(ctx)
	case !isRefusal(err):
		// The lease may have been written. Whoever it names, nothing is known of
		// the time: take it back, if it is ours, and let the job come again.
		l.unsure = true
		abandon, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.q.timings.call)
		defer cancel()
		_ = l.remove(abandon)
	}
	return explain(l.q.js.Conn(), "take lease "+l.key, l.q.locks.prefix+l.key, err)
}

// heldBy asks who has the lease; an answer that does not come names nobody.
func (l *Lease) heldBy(ctx context.Context) error {
	held := &HeldError{Key: l.key}
	if entry, err := l.q.locks.get(ctx, l.key); err == nil && entry.value != nil {
		_ = json.Unmarshal(entry.value, &held.Holder) // a damaged value names nobody
	}
	return held
}

// fenced is how long the lease may still be relied on; not positive means that
// it is lost.
func (l *Lease) fenced() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.q.timings.fence - time.Since(l.confirmed)
}

// renew extends the lease. [ErrLeaseLost] is final; after other errors it is
// unknown whether the lease was extended, and renew can be called again.
func (l *Lease) renew(ctx context.Context) error {
	err := l.tryRenew(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil || ctx.Err() == nil { // else it was only cut short
		l.trouble = err
	}
	return err
}

// unheard reports whether the last renewals failed, and not because another has
// the lease: then NATS is away. A process that was stopped, or got no time to
// renew, has met nothing of the kind.
func (l *Lease) unheard() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble != nil && !errors.Is(l.trouble, ErrLeaseLost)
}

// lost is ErrLeaseLost with what led to it.
func (l *Lease) lost() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trouble == nil || errors.Is(l.trouble, ErrLeaseLost) {
		return ErrLeaseLost
	}
	return fmt.Errorf("%w: %w", ErrLeaseLost, l.trouble)
}

func (l *Lease) tryRenew(ctx context.Context) error {
	l.mu.Lock()
	revision, unsure := l.revision, l.unsure
	l.mu.Unlock()
	sent := time.Now()
	next, err := l.update(ctx, revision)
	if isConflict(err) && unsure {
		// An earlier renewal may have succeeded without an answer. If the value is
		// ours its revision is adopted, and renewed, because when it was written is
		// not known by our clock.
		var entry bucketEntry
		if entry, err = l.get(ctx); err == nil {
			if !bytes.Equal(entry.value, l.value) {
				return ErrLeaseLost
			}
			sent = time.Now()
			next, err = l.update(ctx, entry.revision)
		}
	}
	switch {
	case err == nil:
		l.mu.Lock()
		l.revision, l.confirmed, l.unsure = next, sent, false
		l.mu.Unlock()
		return nil
	case isConflict(err):
		return ErrLeaseLost
	case !isRefusal(err):
		l.mu.Lock()
		l.unsure = true
		l.mu.Unlock()
	}
	return explain(l.q.js.Conn(), "renew lease "+l.key, l.q.locks.prefix+l.key, err)
}

func (l *Lease) update(ctx context.Context, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.q.timings.call)
	defer cancel()
	return l.q.locks.put(ctx, l.key, l.value, revision)
}

func (l *Lease) get(ctx context.Context) (bucketEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, l.q.timings.call)
	defer cancel()
	return l.q.locks.get(ctx, l.key)
}

// release removes the lease if it is still ours.
func (l *Lease) release(ctx context.Context) error {
	defer l.forget()
	err := l.remove(ctx)
	if err == nil || errors.Is(err, ErrLeaseLost) {
		return err
	}
	return explain(l.q.js.Conn(), "release lease "+l.key, l.q.locks.prefix+l.key, err)
}

// letGo is release without waiting for an answer, where none is needed to know
// the revision.
func (l *Lease) letGo(ctx context.Context) error {
	l.mu.Lock()
	revision, unsure := l.revision, l.unsure
	l.mu.Unlock()
	if unsure {
		return l.release(ctx)
	}
	// First, so that the next claim of the key on this connection is not refused
	// here; the server sees the two in their order.
	err := l.q.locks.removeUnheard(l.key, revision)
	l.forget()
	return err
}

func (l *Lease) remove(ctx context.Context) error {
	l.mu.Lock()
	revision, unsure := l.revision, l.unsure
	l.mu.Unlock()
	for tries := 0; ; tries++ {
		if unsure {
			entry, err := l.get(ctx)
			if err != nil {
				return err
			}
			if !bytes.Equal(entry.value, l.value) {
				return ErrLeaseLost
			}
			revision = entry.revision
		}
		call, cancel := context.WithTimeout(ctx, l.q.timings.call)
		err := l.q.locks.remove(call, l.key, revision)
		cancel()
		switch {
		case !isConflict(err):
			return err
		case !unsure || tries == 3 || !sleep(ctx, l.q.timings.retryBeat/8):
			return ErrLeaseLost
		}
		// A renewal that was given up may have been stored after the look.
	}
}

// keep renews the lease of [Queue.Acquire] until ctx ends.
func (l *Lease) keep(ctx context.Context) {
	pause := l.q.timings.heartbeat
	for sleep(ctx, pause) {
		pause = l.q.timings.heartbeat
		switch err := l.renew(ctx); {
		case errors.Is(err, ErrLeaseLost):
			l.cancel(ErrLeaseLost)
			return
		case err != nil:
			pause = l.q.timings.retryBeat
		}
	}
}
