package queue

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// lateRenewal has a renewal on its way when whoever asked for it gives up.
type lateRenewal struct {
	jetstream.JetStream
	sent  chan struct{}
	store chan func()
}

func (l *lateRenewal) PublishMsg(ctx context.Context, msg *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if msg.Header.Get("KV-Operation") != "" {
		return l.JetStream.PublishMsg(ctx, msg, options...)
	}
	select {
	case l.sent <- struct{}{}:
		<-ctx.Done()
		l.store <- func() { _, _ = l.JetStream.PublishMsg(context.Background(), msg, options...) }
		return nil, ctx.Err()
	default:
		return l.JetStream.PublishMsg(ctx, msg, options...)
	}
}

// storedLater stores it after the next look at the lease.
type storedLater struct {
	jetstream.Stream
	store chan func()
}

func (l storedLater) GetLastMsgForSubject(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	msg, err := l.Stream.GetLastMsgForSubject(ctx, subject)
	select {
	case store := <-l.store:
		store()
	default:
	}
	return msg, err
}

func TestALeaseIsReleasedThoughARenewalIsOnItsWay(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	late := &lateRenewal{JetStream: b.js, sent: make(chan struct{}), store: make(chan func(), 1)}
	q := b.open(b.js)
	q.locks.js, q.locks.stream = late, storedLater{q.locks.stream, late.store}
	q.timings.heartbeat = 10 * time.Millisecond
	q.timings.call = patience
	lease, err := q.Acquire(t.Context(), "producer", Holder{Worker: "w1"})
	require.NoError(t, err)
	waitFor(t, "a renewal", late.sent)
	require.NoError(t, lease.Release(t.Context()))
	require.Nil(t, b.lease("producer").value, "else nobody could take it for a while")
	_, err = b.q.takeLease(t.Context(), "producer", Holder{Worker: "w2"})
	require.NoError(t, err)
}
