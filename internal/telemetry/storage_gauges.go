package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"deckhand/internal/storage"
)

// WatchStorage adds the state of the limiters of all buckets, read from limits
// when it is asked for. It is called at most once.
func (m *Metrics) WatchStorage(limits func() []storage.Limit) {
	bucket := []string{"endpoint", "bucket"}
	kind := []string{"endpoint", "bucket", "requests"}
	m.registry.MustRegister(&limitsCollector{limits: limits,
		window: prometheus.NewDesc("deckhand_storage_window", "Requests that may be in flight to a bucket.", bucket, nil),
		waiting: prometheus.NewDesc("deckhand_storage_waiting",
			"Requests to a bucket that wait for the others in flight or for their moment.", bucket, nil),
		rate: prometheus.NewDesc("deckhand_storage_rate",
			"Requests a second that are sent at most since the bucket asked to slow down; there is none where nothing is paced.", kind, nil),
		sent:    prometheus.NewDesc("deckhand_storage_sent_total", "Requests that were sent to a bucket.", kind, nil),
		refused: prometheus.NewDesc("deckhand_storage_refused_total", "Requests of these that were asked to slow down.", kind, nil),
	})
}

type limitsCollector struct {
	limits                               func() []storage.Limit
	window, waiting, rate, sent, refused *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (c *limitsCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.window, c.waiting, c.rate, c.sent, c.refused} {
		out <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c *limitsCollector) Collect(out chan<- prometheus.Metric) {
	for _, l := range c.limits() {
		out <- prometheus.MustNewConstMetric(c.window, prometheus.GaugeValue, l.Window, l.Endpoint, l.Bucket)
		out <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(l.Waiting), l.Endpoint, l.Bucket)
		for _, p := range []struct {
			requests string
			pace     storage.Pace
		}{{"reads", l.Reads}, {"writes", l.Writes}, {"batches", l.Batches}} {
			out <- prometheus.MustNewConstMetric(c.sent, prometheus.CounterValue, float64(p.pace.Sent), l.Endpoint, l.Bucket, p.requests)
			out <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(p.pace.Refused), l.Endpoint, l.Bucket, p.requests)
			if p.pace.Rate > 0 {
				out <- prometheus.MustNewConstMetric(c.rate, prometheus.GaugeValue, p.pace.Rate, l.Endpoint, l.Bucket, p.requests)
			}
		}
	}
}
