package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"deckhand/internal/queue"
)

const (
	// queueEvery is how long a look at the queue is good for: it costs NATS some
	// requests, and each worker of a fleet looks by itself.
	queueEvery = 30 * time.Second
	// queuePatience is how long a scrape waits for a new look; without one in time
	// it gets the last.
	queuePatience = 500 * time.Millisecond
	// queueStale is when the last look is no longer shown.
	queueStale = 5 * time.Minute
	// queueTimeout bounds one look.
	queueTimeout = 20 * time.Second
)

// unknownKind is the label of all kinds that this version does not know: whoever
// may publish can invent any number of them.
const unknownKind = "unknown"

// QueueWatch shows the state of the whole queue in the metrics, as far as
// somebody scrapes them.
type QueueWatch struct {
	look func(context.Context) (*queue.Status, error)
	log  *slog.Logger
	ask  chan struct{}

	messages, oldest, dead *prometheus.Desc

	mu     sync.Mutex
	status *queue.Status
	seen   time.Time     // when status was read
	tried  time.Time     // when a look last ended
	looked chan struct{} // closed at the end of a look
	denied bool
}

// WatchQueue adds the gauges of the queue; look is [queue.Queue.Counts]. Its
// [QueueWatch.Run] does the looking. It is called at most once.
func (m *Metrics) WatchQueue(look func(context.Context) (*queue.Status, error), log *slog.Logger) *QueueWatch {
	const fleet = " The same from each worker: do not add them up."
	w := &QueueWatch{
		look: look, log: log, ask: make(chan struct{}, 1), looked: make(chan struct{}),
		messages: prometheus.NewDesc("deckhand_queue_messages", "Jobs in the queue by state: waiting, running or delayed."+fleet, []string{"kind", "state"}, nil),
		oldest:   prometheus.NewDesc("deckhand_queue_oldest_seconds", "Age of the oldest job that waits, 0 if none does."+fleet, []string{"kind"}, nil),
		dead:     prometheus.NewDesc("deckhand_dead_letters", "Jobs that failed for good and wait for a person."+fleet, []string{"kind"}, nil),
	}
	m.registry.MustRegister(w)
	return w
}

// Run looks at the queue when a scrape asks for it, until ctx ends.
func (w *QueueWatch) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.ask:
		}
		attempt, cancel := context.WithTimeout(ctx, queueTimeout)
		status, err := w.look(attempt)
		cancel()
		if ctx.Err() != nil {
			return
		}
		w.keep(ctx, status, err)
	}
}

func (w *QueueWatch) keep(ctx context.Context, status *queue.Status, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.tried = now
	switch {
	case err == nil:
		w.status, w.seen = status, now
	case errors.Is(err, queue.ErrDenied):
		// Each further look would be one more denial in the server's log.
		w.denied = true
		w.log.WarnContext(ctx, "this connection may not look at the queue, so there are no metrics of it", slog.Any("error", err))
	default:
		w.log.DebugContext(ctx, "queue could not be looked at for the metrics", slog.Any("error", err))
	}
	close(w.looked)
	w.looked = make(chan struct{})
}

// Describe implements [prometheus.Collector].
func (w *QueueWatch) Describe(out chan<- *prometheus.Desc) {
	out <- w.messages
	out <- w.oldest
	out <- w.dead
}

// Collect implements [prometheus.Collector].
func (w *QueueWatch) Collect(out chan<- prometheus.Metric) {
	status := w.recent()
	if status == nil {
		return
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	deadUnknown := uint64(0)
	for _, kind := range status.Kinds {
		if !kind.Kind.Known() {
			deadUnknown += kind.Dead
			continue
		}
		label := string(kind.Kind)
		gauge(w.messages, float64(kind.Waiting), label, "waiting")
		gauge(w.messages, float64(kind.Running), label, "running")
		gauge(w.messages, float64(kind.Delayed), label, "delayed")
		gauge(w.oldest, kind.OldestWaiting.Seconds(), label)
		gauge(w.dead, float64(kind.Dead), label)
	}
	gauge(w.messages, float64(status.UnknownCount), unknownKind, "waiting")
	gauge(w.dead, float64(deadUnknown), unknownKind)
}

// recent is the last look, a new one if that comes in time; nil without any.
func (w *QueueWatch) recent() *queue.Status {
	w.mu.Lock()
	looked, due := w.looked, !w.denied && (w.tried.IsZero() || time.Since(w.tried) >= queueEvery)
	w.mu.Unlock()
	if due {
		select {
		case w.ask <- struct{}{}:
		default: // it was asked already
		}
		select {
		case <-looked:
		case <-time.After(queuePatience):
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == nil || time.Since(w.seen) > queueStale {
		return nil
	}
	return w.status
}

var _ prometheus.Collector = (*QueueWatch)(nil)
