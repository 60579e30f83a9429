package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"deckhand/internal/queue"
	"deckhand/jobs"
)

// Metrics counts what a worker does. Its methods are safe for many goroutines
// and never block.
type Metrics struct {
	registry *prometheus.Registry

	settled  *prometheus.CounterVec
	duration *prometheus.HistogramVec
	queued   *prometheus.HistogramVec
	attempts *prometheus.HistogramVec
	slots    *prometheus.GaugeVec

	leaseLost prometheus.Counter
	heartbeat prometheus.Histogram

	filesDeleted prometheus.Counter
	bytesDeleted prometheus.Counter
	filesMoved   prometheus.Counter
	requests     *prometheus.CounterVec
	throttled    prometheus.Counter

	catalogMetrics
	sweepMetrics
}

var _ queue.Observer = (*Metrics)(nil)

// NewMetrics makes the metrics of a process, in a registry of their own.
func NewMetrics(build Build) *Metrics {
	const namespace = "deckhand"
	// A purge takes from a second to hours.
	long := []float64{1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "jobs_settled_total",
			Help: "Deliveries that ended, by kind and by how."}, []string{"kind", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "job_duration_seconds",
			Help: "How long a run took.", Buckets: long}, []string{"kind", "outcome"}),
		queued: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "job_queue_seconds",
			Help: "Time from publishing a job to the start of a run.", Buckets: append([]float64{0.01, 0.1}, long...)}, []string{"kind"}),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "job_attempts",
			Help: "Attempts that a job had spent when it ended for good.", Buckets: []float64{1, 2, 3, 5, 8, 13, 25}}, []string{"kind"}),
		slots: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "job_slots",
			Help: "Jobs of a kind that may run at once."}, []string{"kind"}),
		leaseLost: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "lease_lost_total",
			Help: "Runs that were stopped because their lease could not be renewed."}),
		heartbeat: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "heartbeat_seconds",
			Help: "How long the renewal of a lease took.", Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12)}),
		filesDeleted: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "files_deleted_total",
			Help: "Files deleted."}),
		bytesDeleted: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "bytes_deleted_total",
			Help: "Bytes of deleted files whose size was known."}),
		filesMoved: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "files_moved_total",
			Help: "Orphan files moved into the trash of their table."}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "storage_requests_total",
			Help: "Requests to object stores, by operation and outcome."}, []string{"op", "code"}),
		throttled: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "storage_throttled_total",
			Help: "Answers of object stores that asked to slow down."}),
	}
	m.catalogMetrics = newCatalogMetrics(namespace)
	m.sweepMetrics = newSweepMetrics(namespace)
	info := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "What is running; always 1.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "goversion": build.Go}})
	info.Set(1)
	m.registry.MustRegister(m.settled, m.duration, m.queued, m.attempts, m.slots, m.leaseLost, m.heartbeat,
		m.filesDeleted, m.bytesDeleted, m.filesMoved, m.requests, m.throttled, info,
		m.catalogRequests, m.scannedTables, m.scanFailures, m.published, m.scanned, m.sweeps, m.findings,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Slots notes how many jobs of a kind may run at once.
func (m *Metrics) Slots(kind jobs.Kind, slots int) {
	m.slots.WithLabelValues(string(kind)).Set(float64(slots))
}

// JobStarted implements [queue.Observer].
func (m *Metrics) JobStarted(kind jobs.Kind, queued time.Duration) {
	m.queued.WithLabelValues(string(kind)).Observe(queued.Seconds())
}

// JobSettled implements [queue.Observer].
func (m *Metrics) JobSettled(kind jobs.Kind, ending queue.Ending, ran time.Duration, attempt int) {
	m.settled.WithLabelValues(string(kind), string(ending)).Inc()
	if attempt == 0 {
		return // the handler did not run
	}
	m.duration.WithLabelValues(string(kind), string(ending)).Observe(ran.Seconds())
	if ending == queue.EndCompleted || ending == queue.EndDead {
		m.attempts.WithLabelValues(string(kind)).Observe(float64(attempt))
	}
}

// Heartbeat implements [queue.Observer].
func (m *Metrics) Heartbeat(took time.Duration) { m.heartbeat.Observe(took.Seconds()) }

// LeaseLost implements [queue.Observer].
func (m *Metrics) LeaseLost() { m.leaseLost.Inc() }

// StorageRequest counts a request to a store; it is storage.Config's OnRequest.
func (m *Metrics) StorageRequest(op, code string) { m.requests.WithLabelValues(op, code).Inc() }

// StorageThrottled counts an answer that asks to slow down; it is
// storage.Config's OnThrottle.
func (m *Metrics) StorageThrottled(string) { m.throttled.Inc() }

// FileDeleted counts a deleted file; bytes is 0 if its size is not known.
func (m *Metrics) FileDeleted(bytes int64) {
	m.filesDeleted.Inc()
	m.bytesDeleted.Add(float64(max(bytes, 0)))
}

// FileMoved counts a file that was moved into a trash.
func (m *Metrics) FileMoved() { m.filesMoved.Inc() }

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
