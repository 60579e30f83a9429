package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"deckhand/jobs"
)

// catalogMetrics count what is asked of catalogs, and what scans of them found.
type catalogMetrics struct {
	catalogRequests *prometheus.CounterVec
	scannedTables   *prometheus.GaugeVec
	scanFailures    *prometheus.GaugeVec
	published       *prometheus.CounterVec
	scanned         prometheus.Histogram
}

func newCatalogMetrics(namespace string) catalogMetrics {
	return catalogMetrics{
		catalogRequests: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "catalog_requests_total",
			Help: "Requests to catalogs, by operation and HTTP status; 0 is no answer."}, []string{"op", "status"}),
		scannedTables: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "scan_tables",
			Help: "Tables that the last scan of a catalog saw."}, []string{"catalog"}),
		scanFailures: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "scan_failures",
			Help: "Tables that the last scan of a catalog could not look at, and policies that it could not carry out."}, []string{"catalog"}),
		published: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "jobs_published_total",
			Help: "Jobs that scans of a catalog queued, by kind."}, []string{"catalog", "kind"}),
		scanned: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "scan_seconds",
			Help: "How long a scan of all catalogs took.", Buckets: []float64{0.1, 1, 5, 10, 30, 60, 300, 600, 1800}}),
	}
}

// CatalogRequest counts a request to a catalog; status is 0 without an answer.
func (m *Metrics) CatalogRequest(op string, status int) {
	m.catalogRequests.WithLabelValues(op, strconv.Itoa(status)).Inc()
}

// Scanned notes what a scan found in a catalog.
func (m *Metrics) Scanned(catalog string, tables, failures int) {
	m.scannedTables.WithLabelValues(catalog).Set(float64(tables))
	m.scanFailures.WithLabelValues(catalog).Set(float64(failures))
}

// Published counts jobs of a kind that a scan of a catalog queued.
func (m *Metrics) Published(catalog string, kind jobs.Kind, count int) {
	m.published.WithLabelValues(catalog, string(kind)).Add(float64(count))
}

// ScanTook notes how long a scan of all catalogs took.
func (m *Metrics) ScanTook(d time.Duration) { m.scanned.Observe(d.Seconds()) }
