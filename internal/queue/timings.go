package queue

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// timings are all the times of the protocol. They derive from AckWait alone, as
// it is read from the consumers, so that workers of one fleet agree whatever
// their configuration says. The comments give the values at 2 minutes.
type timings struct {
	ackWait time.Duration // 2m; at most the lease's time to live
	// heartbeat renews the lease and extends the delivery. 20s.
	heartbeat time.Duration
	// retryBeat is the pause before a renewal that failed is tried again. 5s.
	retryBeat time.Duration
	// fence is how long after the last confirmed renewal a run is stopped. It
	// leaves a third of the lease for the handler to stop in. 80s.
	fence time.Duration
	// pullHeartbeat shows a waiting slot that its request still stands; it is also
	// how soon the end of a pause is noticed. 5s.
	pullHeartbeat time.Duration
	// call bounds one request to NATS. 5s.
	call time.Duration
	// settle bounds the writes after a run: fence + settle stay under the lease's
	// time to live. 30s.
	settle time.Duration
	// contended is the shortest delay of a job whose lease is held; three times
	// that is the longest. 15s.
	contended time.Duration
	// retryFirst and retryMax bound the delay of a failed run. 15s and 30m.
	retryFirst, retryMax time.Duration
	// interrupted delays a job of a worker that shuts down. 1s.
	interrupted time.Duration
	// newer delays a job of a newer version, until it is newerLimit old. 5m, 24h.
	newer, newerLimit time.Duration
	// notBeforeMax bounds one delay of a job that must not run yet, so that a
	// correction of a clock takes effect. 1h.
	notBeforeMax time.Duration
	// refresh is how often the assets are looked at again. 1m.
	refresh time.Duration
}

func timingsFor(ackWait time.Duration) timings {
	return timings{
		ackWait:       ackWait,
		heartbeat:     ackWait / 6,
		retryBeat:     ackWait / 24,
		fence:         ackWait * 2 / 3,
		call:          min(5*time.Second, max(ackWait/24, min(ackWait/6, 500*time.Millisecond))),
		pullHeartbeat: min(5*time.Second, max(ackWait/24, 500*time.Millisecond)),
		settle:        ackWait / 4,
		contended:     ackWait / 8,
		retryFirst:    ackWait / 8, retryMax: ackWait * 15,
		interrupted: ackWait / 120,
		newer:       ackWait * 5 / 2, newerLimit: ackWait * 720,
		notBeforeMax: ackWait * 30,
		refresh:      ackWait / 2,
	}
}

// retryDelay is exponential with full jitter: anything up to retryFirst·2ⁿ, and
// up to retryMax. n counts from 0. A fleet that failed together does not come
// back together.
func (t timings) retryDelay(n int) time.Duration {
	ceiling := t.retryMax
	if shift := min(max(n, 0), 30); t.retryFirst<<shift < ceiling && t.retryFirst<<shift > 0 {
		ceiling = t.retryFirst << shift
	}
	return max(jitter(ceiling/2, 1), t.interrupted)
}

// outageDelay waits for something that is down: from retryFirst to retryMax,
// doubling, with a little jitter; n counts from 0.
func (t timings) outageDelay(n int) time.Duration {
	ceiling := t.retryMax
	if shift := min(max(n, 0), 30); t.retryFirst<<shift < ceiling && t.retryFirst<<shift > 0 {
		ceiling = t.retryFirst << shift
	}
	return min(max(jitter(ceiling, 0.25), t.retryFirst), t.retryMax)
}

// contendedDelay is between contended and three times that.
func (t timings) contendedDelay() time.Duration { return jitter(2*t.contended, 0.5) }

// jitter is a random duration within middle·(1±factor).
func jitter(middle time.Duration, factor float64) time.Duration {
	random := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(middle), backoff.WithRandomizationFactor(factor), backoff.WithMaxElapsedTime(0))
	return random.NextBackOff()
}
