package main

import (
	"errors"
	"fmt"
	"log/slog"

	"deckhand/internal/config"
	"deckhand/internal/storage"
	"deckhand/internal/telemetry"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// toolbox holds what the handlers work with: the stores of each catalog.
type toolbox struct {
	catalogs []purge.Catalog
}

// openStores opens the stores of the catalogs. They share their limiters, so
// that catalogs in one bucket do not double the load on it. metrics may be nil.
func openStores(catalogs []*config.Catalog, metrics *telemetry.Metrics) (*toolbox, error) {
	box, limiters := &toolbox{}, storage.NewLimiters()
	for _, catalog := range catalogs {
		cfg := catalog.StorageConfig()
		if metrics != nil {
			cfg.OnRequest, cfg.OnThrottle = metrics.StorageRequest, metrics.StorageThrottled
		}
		stores, err := storage.NewStores(cfg, limiters)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open storage of catalog %s: %w", catalog.Name, err), box.close())
		}
		box.catalogs = append(box.catalogs, purge.Catalog{
			Realm: catalog.Realm, Name: catalog.Name, Stores: stores, Locations: catalog.Locations,
			Policy: purge.Policy{Scope: purge.Scope(catalog.Purge.Scope), Outside: purge.Outside(catalog.Purge.Outside)},
		})
	}
	return box, nil
}

func (b *toolbox) close() error {
	var errs []error
	for _, catalog := range b.catalogs {
		errs = append(errs, catalog.Stores.Close())
	}
	return errors.Join(errs...)
}

// handlerConfig is what the handlers are told beside the catalogs.
type handlerConfig struct {
	worker string
	dryRun bool
	log    *slog.Logger
	// list is told of every path; nil: nobody is.
	list func(purge.PathRecord)
}

// handlers makes the handler of each kind. A new kind is a line here.
func (b *toolbox) handlers(cfg handlerConfig) (map[jobs.Kind]jobs.Handler, error) {
	settings := purge.Config{Catalogs: b.catalogs, Worker: cfg.worker, DryRun: cfg.dryRun, Logger: cfg.log, List: cfg.list}
	tables, err := purge.New(settings)
	if err != nil {
		return nil, fmt.Errorf("prepare purges: %w", err)
	}
	views, err := purge.NewViews(settings)
	if err != nil {
		return nil, fmt.Errorf("prepare purges of views: %w", err)
	}
	files, err := purge.NewFiles(settings)
	if err != nil {
		return nil, fmt.Errorf("prepare purges of files: %w", err)
	}
	return map[jobs.Kind]jobs.Handler{jobs.Purge: tables, jobs.PurgeView: views, jobs.PurgeFiles: files}, nil
}
