package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"deckhand/jobs"
)

// Producer is how "producer run" works.
type Producer struct {
	// Name in the lease, and in logs. Default: the host's name and the process id.
	Name string `yaml:"name,omitempty"`
	// Interval between the beginnings of two scans. Default 5m.
	Interval time.Duration `yaml:"interval"`
	// Cron in place of the interval: five fields, with CRON_TZ=Europe/Berlin before
	// them for a time zone other than UTC. Default: none.
	Cron string `yaml:"cron,omitempty"`
	// Jitter is at most how much later a scan begins, so that many producers do not
	// ask at once. Default 10s.
	Jitter time.Duration `yaml:"jitter"`
	// Budget is how many jobs of a kind one scan of a catalog may publish; a kind
	// that is not named has 100. Default: none named.
	Budget map[jobs.Kind]int `yaml:"budget,omitempty"`
	// HTTP is where /livez, /readyz and /metrics are served, host:port, or "off".
	// Default off.
	HTTP string `yaml:"http"`
}

// Policies is how Polaris' policies are read.
type Policies struct {
	// Refresh is for how long at least the policies of a table are taken as they
	// were; before a job is published they are always asked for. Default 1h.
	Refresh time.Duration `yaml:"refresh"`
}

func (p Producer) validate() error {
	var errs []error
	if p.Interval < time.Second {
		errs = append(errs, fmt.Errorf("interval: %s is too short; write at least 1s", p.Interval))
	}
	if _, err := p.Times(); err != nil {
		errs = append(errs, err)
	}
	if p.Jitter < 0 {
		errs = append(errs, fmt.Errorf("jitter: %s is negative", p.Jitter))
	}
	for _, kind := range slices.Sorted(maps.Keys(p.Budget)) {
		switch {
		case !kind.Known() || kind.PurgesDropped():
			errs = append(errs, fmt.Errorf("budget: %q is no kind that a policy asks for; write for instance expire: 50", kind))
		case p.Budget[kind] < 0:
			errs = append(errs, fmt.Errorf("budget.%s: %d is negative; write 0 to publish none", kind, p.Budget[kind]))
		}
	}
	if _, err := checkHTTP(p.HTTP); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Times at which scans begin; nil: the interval says it.
func (p Producer) Times() (cron.Schedule, error) {
	if p.Cron == "" {
		return nil, nil
	}
	text := p.Cron
	if !strings.HasPrefix(text, "CRON_TZ=") && !strings.HasPrefix(text, "TZ=") {
		text = "CRON_TZ=UTC " + text
	}
	times, err := cron.ParseStandard(text)
	if err != nil {
		return nil, fmt.Errorf("cron: %q is not five fields such as \"0 */2 * * *\": %w", p.Cron, err)
	}
	return times, nil
}

func (p Policies) validate() error {
	if p.Refresh < time.Second {
		return fmt.Errorf("refresh: %s is too short; write at least 1s", p.Refresh)
	}
	return nil
}
