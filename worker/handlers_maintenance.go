package main

import (
	"fmt"

	"deckhand/internal/maintenance"
	"deckhand/jobs"
	"deckhand/jobs/expire"
	"deckhand/jobs/manifests"
	"deckhand/jobs/orphans"
)

// maintenanceHandlers makes those of the kinds that work on living tables.
func (b *toolbox) maintenanceHandlers(cfg handlerConfig, all map[jobs.Kind]jobs.Handler) error {
	settings := maintenance.Config{Catalogs: b.maintained, Worker: cfg.worker, DryRun: cfg.dryRun, Logger: cfg.log, List: cfg.list}
	expiries, err := expire.New(settings)
	if err != nil {
		return fmt.Errorf("prepare expiries: %w", err)
	}
	rewrites, err := manifests.New(manifests.Config{Config: settings})
	if err != nil {
		return fmt.Errorf("prepare rewrites of manifests: %w", err)
	}
	searches, err := orphans.New(orphans.Config{Config: settings, Neighbours: b.neighbours})
	if err != nil {
		return fmt.Errorf("prepare searches for orphans: %w", err)
	}
	all[jobs.Expire], all[jobs.Manifests], all[jobs.Orphans] = expiries, rewrites, searches
	return nil
}
