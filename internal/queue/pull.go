package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

const (
	// pullExpiry is how long one request for a job waits at the server.
	pullExpiry = 30 * time.Second
	// idleTouch is how often a slot that waits for a job shows that it lives.
	idleTouch = 10 * time.Second
)

// pull is the life of one slot: one job at a time, asked for only when the slot
// is free, so that no job waits in the hands of a busy worker.
func (w *Worker) pull(fetch, work context.Context, s *slot) {
	var owned sync.WaitGroup
	owned.Go(s.work)
	defer owned.Wait()
	defer close(s.rests)
	for w.unblocked(fetch) {
		s.touch()
		consumer, err := w.consumer(fetch, s.kind)
		if err == nil {
			err = w.pullFrom(fetch, work, s, consumer)
		}
		if fetch.Err() != nil {
			return
		}
		w.waiting.say(fetch, err)
		if !sleep(fetch, w.q.timings.retryBeat) {
			return
		}
	}
}

func (w *Worker) consumer(ctx context.Context, kind jobs.Kind) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, w.q.timings.call)
	defer cancel()
	consumer, err := w.q.js.Consumer(ctx, jobs.StreamName, string(kind))
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("%w: consumer %s; create it with \"worker setup\"", ErrNoAssets, consumerName(kind))
	}
	if err != nil {
		return nil, explain(w.q.js.Conn(), "look at consumer "+consumerName(kind), "$JS.API.CONSUMER.INFO."+jobs.StreamName+"."+string(kind), err)
	}
	return consumer, nil
}

// pullFrom takes jobs from a consumer until it fails or fetch ends.
func (w *Worker) pullFrom(fetch, work context.Context, s *slot, consumer jetstream.Consumer) error {
	// An iterator with room for one message asks for the next job only when it is
	// asked itself. The client's default of 500 would let one worker hoard what
	// the fleet should share.
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(w.q.timings.pullHeartbeat), jetstream.WithMessagesErrOnMissingHeartbeat(false))
	if err != nil {
		return fmt.Errorf("pull %s: %w", s.kind, err)
	}
	defer w.handBack(messages)
	for w.unblocked(fetch) {
		s.touch()
		msg, err := next(fetch, messages)
		if errors.Is(err, context.DeadlineExceeded) && fetch.Err() == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("pull %s: %w", s.kind, err)
		}
		if fetch.Err() != nil {
			_ = msg.Nak()
			return nil
		}
		if w.isBlocked() != nil && w.q.js.Conn().IsConnected() {
			// Something became wrong while the request waited.
			_ = msg.NakWithDelay(w.q.timings.contended)
			continue
		}
		d, err := w.q.readDelivery(msg)
		if err != nil {
			w.log.LogAttrs(fetch, slog.LevelError, "message has no delivery", slog.Any("error", err))
			continue
		}
		w.handle(work, s, d)
	}
	return nil
}

func next(ctx context.Context, messages jetstream.MessagesContext) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, idleTouch)
	defer cancel()
	return messages.Next(jetstream.NextContext(ctx))
}

// handBack ends the iterator. A job that the server sent a moment ago goes back
// at once instead of after its wait for an answer.
func (w *Worker) handBack(messages jetstream.MessagesContext) {
	defer messages.Stop()
	if !w.q.js.Conn().IsConnected() {
		return
	}
	messages.Drain()
	for {
		msg, err := messages.Next(jetstream.NextMaxWait(w.q.timings.call))
		if err != nil {
			if !errors.Is(err, jetstream.ErrMsgIteratorClosed) && !errors.Is(err, nats.ErrTimeout) {
				w.log.LogAttrs(context.Background(), slog.LevelDebug, "pull did not end well", slog.Any("error", err))
			}
			return
		}
		_ = msg.Nak()
	}
}
