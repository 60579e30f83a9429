package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// waiting says what a loop waits for: at once, when it changes, and then once in
// a while; not at each attempt.
type waiting struct {
	log   *slog.Logger
	every time.Duration

	mu   sync.Mutex
	text string
	said time.Time
}

func newWaiting(log *slog.Logger, every time.Duration) *waiting {
	if log == nil {
		log = slog.Default()
	}
	return &waiting{log: log, every: every}
}

// say logs err unless it was logged a moment ago.
func (w *waiting) say(ctx context.Context, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text := err.Error(); text == w.text && time.Since(w.said) < w.every {
		return
	}
	w.text, w.said = err.Error(), time.Now()
	message := "waiting for NATS"
	if errors.Is(err, ErrNoAssets) {
		message = "waiting for the streams"
	}
	w.log.LogAttrs(ctx, slog.LevelWarn, message, slog.String("reason", w.text)) //nolint:sloglint // one of two constants
}

// over logs that the wait has ended, if there was one.
func (w *waiting) over(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text != "" {
		w.log.LogAttrs(ctx, slog.LevelInfo, "wait is over", slog.String("reason", w.text))
		w.text = ""
	}
}
