package broker

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// outageAfter is how long a connection may be away before that is an error.
	outageAfter = 5 * time.Minute
	// outageEvery is how often the error is then repeated.
	outageEvery = time.Minute
	// outagePoll is how often the connection is looked at.
	outagePoll = 5 * time.Second
)

// Watch logs an error each minute while nc has been away for more than five,
// until ctx ends or nc is closed. It does not end the process: a worker that
// cannot reach NATS has nothing to lose by waiting.
func Watch(ctx context.Context, nc *nats.Conn, log *slog.Logger) {
	var away outage
	tick := time.NewTicker(outagePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if nc.IsClosed() {
				return
			}
			if since, report := away.observe(now, nc.IsConnected()); report {
				log.ErrorContext(ctx, "NATS cannot be reached", slog.Duration("for", since.Round(time.Second)), slog.Any("error", nc.LastError()))
			}
		}
	}
}

// outage decides when to report that a connection is away.
type outage struct {
	since, reported time.Time
}

// observe takes the state at a time, and says whether to report it and how long
// it has lasted.
func (o *outage) observe(now time.Time, connected bool) (time.Duration, bool) {
	if connected {
		*o = outage{}
		return 0, false
	}
	if o.since.IsZero() {
		o.since = now
	}
	lasted := now.Sub(o.since)
	if lasted < outageAfter || !o.reported.IsZero() && now.Sub(o.reported) < outageEvery {
		return lasted, false
	}
	o.reported = now
	return lasted, true
}
