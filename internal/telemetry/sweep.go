package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"deckhand/internal/queue"
)

// sweepMetrics count what this process swept up.
type sweepMetrics struct {
	sweeps   *prometheus.CounterVec
	findings *prometheus.CounterVec
}

func newSweepMetrics(namespace string) sweepMetrics {
	return sweepMetrics{
		sweeps: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "sweeps_total",
			Help: "Sweeps of the queue by this worker, by result: done or failed."}, []string{"result"}),
		findings: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "sweep_findings_total",
			Help: "What sweeps found, and what they did about it: reported, removed, requeued, published or failed."}, []string{"what", "action"}),
	}
}

// Swept counts a sweep; it is queue.SweeperConfig's OnSweep.
func (m *Metrics) Swept(report *queue.SweepReport, err error) {
	result := "done"
	if err != nil {
		result = "failed"
	}
	m.sweeps.WithLabelValues(result).Inc()
	if report == nil {
		return
	}
	for _, finding := range report.Findings {
		action := string(finding.Action)
		if finding.Error != "" {
			action = "failed"
		}
		m.findings.WithLabelValues(string(finding.What), action).Inc()
	}
}
