package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/polaris"
	"deckhand/internal/policy"
	"deckhand/internal/scan"
	"deckhand/internal/telemetry"
	"deckhand/jobs"
)

// catalogClients are the clients of the catalogs that are maintained.
type catalogClients struct {
	catalogs []scan.Catalog
	clients  []*polaris.Client
}

// openClients makes a client for each catalog of the name ("" for all) that has a
// rest section. The error is the configuration's fault. metrics may be nil.
func openClients(s *command.Session, name string, metrics *telemetry.Metrics) (*catalogClients, error) {
	opened, limiters, without := &catalogClients{}, polaris.NewLimiters(), []string{}
	found := s.Config.CatalogsNamed(name)
	for _, catalog := range found {
		if catalog.REST == nil {
			without = append(without, catalog.Name)
			continue
		}
		cfg := catalog.ClientConfig()
		cfg.Limiters, cfg.Logger = limiters, s.Log
		if metrics != nil {
			cfg.OnRequest = metrics.CatalogRequest
		}
		client, err := polaris.New(cfg)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("catalog %s: %w", catalog.Name, err), opened.close())
		}
		opened.clients = append(opened.clients, client)
		opened.catalogs = append(opened.catalogs, scan.Catalog{Realm: catalog.Realm, Name: catalog.Name, Client: client})
	}
	switch {
	case len(opened.clients) > 0:
		return opened, nil
	case len(without) > 0:
		return nil, fmt.Errorf("no rest section: catalogs.%s has none, so nothing tells where its tables and policies are; "+
			"add rest: { uri: …, credential_file: … }", strings.Join(without, ", catalogs."))
	case name != "":
		return nil, fmt.Errorf("catalog %q is not configured", name)
	}
	return nil, errors.New("no catalog is configured; name one under catalogs: in the file of --config")
}

func (c *catalogClients) close() error {
	var errs []error
	for _, client := range c.clients {
		errs = append(errs, client.Close())
	}
	return errors.Join(errs...)
}

// scanConfig is what all scans have in common. queue is nil where NATS is not
// needed.
func (c *catalogClients) scanConfig(cfg *config.Config, log *slog.Logger) scan.Config {
	return scan.Config{
		Catalogs: c.catalogs, Rules: policy.Rules{ScheduleGrace: scheduleGrace(cfg.Producer, time.Now())}, Budget: cfg.Producer.Budget,
		PoliciesRefresh: cfg.Policies.Refresh, Logger: log,
	}
}

// scheduleGrace is for how long an instant of a policy's schedule counts: longer
// than scans are apart, so that none falls between two of them.
func scheduleGrace(cfg config.Producer, now time.Time) time.Duration {
	gap := cfg.Interval
	if times, err := cfg.Times(); err == nil && times != nil {
		gap = 0
		for at, i := times.Next(now), 0; i < manyTimes && !at.IsZero(); i++ {
			next := times.Next(at)
			gap, at = max(gap, next.Sub(at)), next
		}
	}
	return max(2*gap, leastGrace)
}

const (
	// manyTimes of a cron expression show how far apart they can be.
	manyTimes  = 400
	leastGrace = time.Hour
)

// publisher stores jobs, each in bounded time.
func publisher(js jetstream.JetStream) func(context.Context, *jobs.Job) (jobs.Publication, error) {
	return func(ctx context.Context, job *jobs.Job) (jobs.Publication, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, errTimeout)
		defer cancel()
		return jobs.Publish(ctx, js, job, jobs.PublishOptions{})
	}
}

// producerName tells the producers of a deployment apart.
func producerName(cfg *config.Config) string {
	if cfg.Producer.Name != "" {
		return cfg.Producer.Name
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}
