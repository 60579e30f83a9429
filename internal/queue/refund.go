package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// maxRefundTries bounds the tries of one refund. Only those with a connection
// count, so that it does not matter how long there is none. A worker that has one may
// claim the job meanwhile, and the attempt stays spent then.
const maxRefundTries = 24

// refunds are the goroutines in which a worker gives attempts back, beside the
// slots, which go on.
type refunds struct {
	owned sync.WaitGroup
	ctx   context.Context
	stop  context.CancelFunc
}

func newRefunds() *refunds {
	f := &refunds{}
	f.ctx, f.stop = context.WithCancel(context.Background())
	return f
}

// end waits for the refunds under way, for at most grace; there must be no new ones.
func (f *refunds) end(grace time.Duration) {
	hurry := time.AfterFunc(grace, f.stop)
	f.owned.Wait()
	hurry.Stop()
	f.stop()
}

// refund gives the attempt of a run back that ended because the queue did not
// answer, as soon as it answers, and lets go of the lease then: until then no
// other run of this process takes the job. Whoever claims the job before finds
// the attempt counted, and keeps what it found.
func (r *run) refund(letGo func(context.Context)) {
	r.w.refunds.owned.Go(func() {
		ctx := r.w.refunds.ctx
		err := r.payBack(ctx)
		if attempt := slog.Int("attempt", r.progress.attempt); err == nil {
			r.log().LogAttrs(ctx, slog.LevelInfo, "attempt is given back, NATS did not answer", attempt)
		} else {
			r.log().LogAttrs(ctx, slog.LevelWarn, "attempt stays spent although NATS did not answer", attempt, slog.Any("error", err))
		}
		letGo(ctx)
	})
}

// payBack tries until the attempt is given back, or cannot be.
func (r *run) payBack(ctx context.Context) error {
	nc, err := r.q.js.Conn(), error(nil)
	connected := nc.StatusChanged(nats.CONNECTED)
	defer nc.RemoveStatusListener(connected)
	for tries := 0; tries < maxRefundTries; {
		if nc.IsConnected() {
			tries++
			if err = r.progress.refund(ctx); err == nil || errors.Is(err, ErrLeaseLost) || errors.Is(err, ErrDenied) {
				return err
			}
		}
		pause := time.NewTimer(r.q.timings.retryBeat)
		select {
		case <-ctx.Done():
			pause.Stop()
			return errors.Join(err, fmt.Errorf("give attempt back: %w", ErrShutdown))
		case <-connected:
			pause.Stop()
		case <-pause.C:
		}
		if nc.IsClosed() {
			return fmt.Errorf("give attempt back: %w", nats.ErrConnectionClosed)
		}
	}
	return err
}

// refund takes the attempt of this run off the entry, however often it is called.
// It writes only over what this run has written last, a checkpoint included whose
// answer is missing. ErrLeaseLost says that the entry is another claim's, or gone
// with its job.
func (p *progress) refund(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		next := p.entry
		next.State, next.Attempts = stateDelayed, p.attempt-1
		err := p.write(ctx, next)
		if !isConflict(err) {
			return err
		}
		mine, revision := p.entry, p.revision
		if err := p.load(ctx); err != nil {
			return err
		}
		if !p.entry.sameClaim(mine) {
			p.entry, p.revision = mine, revision
			return p.claimedByAnother()
		}
	}
}

func (p *progress) claimedByAnother() error {
	return fmt.Errorf("write progress %s: %w: another worker claimed the job", p.key, ErrLeaseLost)
}
