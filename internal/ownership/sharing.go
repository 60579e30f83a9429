package ownership

import (
	"context"
	"sync/atomic"
	"time"
)

// waiting is how often a caller that waits for another one's look says that it is
// alive, if anything was answered since.
const waiting = 10 * time.Second

// sharing lets one caller at a time look, and the others have what it saw.
type sharing struct {
	turn chan struct{} // holds one element while nobody looks
	// heard counts answers, so that those who wait can tell that it goes on.
	heard atomic.Int64

	// last look that ended. Only who has the turn may touch it.
	last look
}

// look is one that ended.
type look struct {
	// began is when the oldest of what it saw was asked for.
	began, ended time.Time
	// err says why it saw only a part, which is of no use.
	err error
}

// answers says whether a question may be answered by the look: a good one while it
// is fresh, and if all that it saw was seen after some time (zero: whenever); a
// failure only for those who asked before it ended, so that each of them need not
// fail by itself.
func (l look) answers(asked, after time.Time, maxAge time.Duration) bool {
	if l.ended.IsZero() {
		return false
	}
	if l.err != nil {
		return l.ended.After(asked)
	}
	return asked.Sub(l.ended) <= maxAge && l.began.After(after)
}

func newSharing() *sharing {
	s := &sharing{turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// do looks, unless the last look answers. It gives when the look began, or what see
// says if that is not zero. A look that was broken off since its caller went counts
// for nobody else.
func (s *sharing) do(ctx context.Context, cfg Config, alive func(), after time.Time, see func(ctx context.Context, alive func()) (time.Time, error)) (time.Time, error) {
	asked := cfg.Now()
	if err := s.wait(ctx, alive); err != nil {
		return time.Time{}, err
	}
	defer func() { s.turn <- struct{}{} }()
	if s.last.answers(asked, after, cfg.MaxAge) {
		return s.last.began, s.last.err
	}
	began := cfg.Now()
	since, err := see(ctx, func() {
		s.heard.Add(1)
		alive()
	})
	if !since.IsZero() {
		began = since
	}
	if ctx.Err() != nil {
		return time.Time{}, context.Cause(ctx)
	}
	s.last = look{began: began, ended: cfg.Now(), err: err}
	return began, err
}

// wait for the turn.
func (s *sharing) wait(ctx context.Context, alive func()) error {
	select {
	case <-s.turn:
		return nil
	default:
	}
	ticker := time.NewTicker(waiting)
	defer ticker.Stop()
	for heard := s.heard.Load(); ; {
		select {
		case <-s.turn:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			if now := s.heard.Load(); now != heard {
				heard = now
				alive()
			}
		}
	}
}
