package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"deckhand/jobs"
)

// Running is what a worker knows of its own jobs at this moment. queue.Worker
// implements it.
type Running interface {
	// Running is how many jobs of each kind run.
	Running() map[jobs.Kind]int
	// ProgressAge is the longest time since a running job of a kind progressed.
	ProgressAge() map[jobs.Kind]time.Duration
}

// Watch adds the gauges that are read from a worker when they are asked for. It
// is called at most once.
func (m *Metrics) Watch(worker Running, kinds []jobs.Kind) {
	m.registry.MustRegister(&runningCollector{worker: worker, kinds: kinds,
		running: prometheus.NewDesc("deckhand_jobs_running", "Jobs that run now.", []string{"kind"}, nil),
		age: prometheus.NewDesc("deckhand_job_progress_age_seconds",
			"Longest time since a running job of the kind made progress.", []string{"kind"}, nil)})
}

type runningCollector struct {
	worker       Running
	kinds        []jobs.Kind
	running, age *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (c *runningCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.running
	out <- c.age
}

// Collect implements [prometheus.Collector].
func (c *runningCollector) Collect(out chan<- prometheus.Metric) {
	running, ages := c.worker.Running(), c.worker.ProgressAge()
	for _, kind := range c.kinds {
		out <- prometheus.MustNewConstMetric(c.running, prometheus.GaugeValue, float64(running[kind]), string(kind))
		out <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, ages[kind].Seconds(), string(kind))
	}
}
