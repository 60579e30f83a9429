package main

import (
	"fmt"

	"deckhand/internal/maintenance"
	"deckhand/jobs"
	"deckhand/jobs/expire"
	"deckhand/jobs/manifests"
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
	all[jobs.Expire], all[jobs.Manifests] = expiries, rewrites
	return nil
}
