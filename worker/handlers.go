package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"

	"deckhand/internal/config"
	"deckhand/internal/maintenance"
	"deckhand/internal/ownership"
	"deckhand/internal/polaris"
	"deckhand/internal/queue"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/telemetry"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// toolbox holds what the handlers work with: the stores of each catalog whose
// dropped tables are purged, and the client of each that is maintained.
type toolbox struct {
	purged     []purge.Catalog
	maintained []maintenance.Catalog
	clients    []*polaris.Client
	// asked are the catalogs that are asked whose files are whose.
	asked map[[2]string]asked
	// unverified says which catalogs are not in purged, since their purges would have
	// nobody to ask whether the table lives on.
	unverified error
}

// asked is how a catalog is asked.
type asked struct {
	config *config.Catalog
	index  *ownership.Index
}

// openCatalogs opens the stores and makes the clients of the catalogs. Stores share
// their limiters, and so do clients, so that two catalogs in one bucket or on one
// server do not double the load on it. metrics may be nil.
func openCatalogs(catalogs []*config.Catalog, metrics *telemetry.Metrics, log *slog.Logger) (*toolbox, error) {
	box, buckets, servers := &toolbox{asked: map[[2]string]asked{}}, storage.NewLimiters(), polaris.NewLimiters()
	if metrics != nil {
		metrics.WatchStorage(buckets.Limits)
	}
	for _, catalog := range catalogs {
		err := errors.Join(box.makeClient(catalog, metrics, buckets, servers, log), box.openStores(catalog, metrics, buckets))
		if err != nil {
			return nil, errors.Join(err, box.close())
		}
	}
	return box, nil
}

func (b *toolbox) openStores(catalog *config.Catalog, metrics *telemetry.Metrics, limiters *storage.Limiters) error {
	if !catalog.Purges() {
		return nil
	}
	if err := catalog.CanVerify(); err != nil {
		b.unverified = errors.Join(b.unverified, err)
		return nil
	}
	stores, err := storage.NewStores(storageConfig(catalog, metrics), limiters)
	if err != nil {
		return fmt.Errorf("open storage of catalog %s: %w", catalog.Name, err)
	}
	purged := purge.Catalog{
		Realm: catalog.Realm, Name: catalog.Name, Stores: stores, Locations: catalog.Locations,
		Policy: purge.Policy{
			Scope: purge.Scope(catalog.Purge.Scope), Outside: purge.Outside(catalog.Purge.Outside), Versions: purge.Versions(catalog.Purge.Versions), Verify: ownership.Mode(catalog.Purge.Verify),
		},
	}
	if found, can := b.asked[identityOf(catalog)]; can {
		purged.Owners = found.index
	}
	b.purged = append(b.purged, purged)
	return nil
}

func (b *toolbox) makeClient(catalog *config.Catalog, metrics *telemetry.Metrics, buckets *storage.Limiters, servers *polaris.Limiters, log *slog.Logger) error {
	if catalog.REST == nil {
		return nil
	}
	cfg := catalog.ClientConfig()
	cfg.Limiters, cfg.Logger = servers, log
	if metrics != nil {
		cfg.OnRequest = metrics.CatalogRequest
	}
	client, err := polaris.New(cfg)
	if err != nil {
		return fmt.Errorf("make client of catalog %s: %w", catalog.Name, err)
	}
	b.clients = append(b.clients, client)
	index, err := ownership.New(ownership.Config{Client: client, Parallel: cfg.InFlight})
	if err != nil {
		return fmt.Errorf("catalog %s: %w", catalog.Name, err)
	}
	b.asked[identityOf(catalog)] = asked{config: catalog, index: index}
	b.maintained = append(b.maintained, maintenance.Catalog{
		Realm: catalog.Realm, Name: catalog.Name, Client: client, Storage: storageConfig(catalog, metrics), Limiters: buckets,
	})
	return nil
}

// identityOf is how jobs name the catalog.
func identityOf(catalog *config.Catalog) [2]string { return [2]string{catalog.Realm, catalog.Name} }

func storageConfig(catalog *config.Catalog, metrics *telemetry.Metrics) storage.Config {
	cfg := catalog.StorageConfig()
	if metrics != nil {
		cfg.OnRequest, cfg.OnThrottle = metrics.StorageRequest, metrics.StorageThrottled
	}
	return cfg
}

func (b *toolbox) close() error {
	var errs []error
	for _, catalog := range b.purged {
		errs = append(errs, catalog.Stores.Close())
	}
	for _, client := range b.clients {
		errs = append(errs, client.Close())
	}
	return errors.Join(errs...)
}

// handlerConfig is what the handlers are told beside the catalogs.
type handlerConfig struct {
	worker string
	dryRun bool
	log    *slog.Logger
	// list is told of every path; nil: nobody is.
	list func(receipt.PathRecord)
	// fleet shares large purges out; nil: each is one job.
	fleet purge.Fleet
	// sharing is how.
	sharing config.Sharing
	// slots of the worker.
	slots config.Slots
}

// lateFleet is the queue's part in large purges. Handlers are made, and found to be
// possible, before there is a connection to the queue.
type lateFleet struct{ purge.Fleet }

var _ purge.Fleet = (*queue.Shards)(nil)

// handlers makes the handlers of the kinds that some catalog allows.
func (b *toolbox) handlers(cfg handlerConfig) (map[jobs.Kind]jobs.Handler, error) {
	all := map[jobs.Kind]jobs.Handler{}
	if len(b.purged) > 0 {
		if err := b.purgeHandlers(cfg, all); err != nil {
			return nil, err
		}
	}
	if len(b.maintained) > 0 {
		if err := b.maintenanceHandlers(cfg, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (b *toolbox) purgeHandlers(cfg handlerConfig, all map[jobs.Kind]jobs.Handler) error {
	settings := purge.Config{
		Catalogs: b.purged, Worker: cfg.worker, DryRun: cfg.dryRun, Logger: cfg.log, List: cfg.list,
		Fleet: cfg.fleet, ShardAbove: cfg.sharing.ShardAbove, ShardFiles: cfg.sharing.ShardFiles,
	}
	if cfg.slots[jobs.PurgeShard] == 0 || cfg.slots[jobs.PurgeFinish] == 0 {
		// What it would plan might wait for ever. Plans of others go on.
		settings.ShardAbove = math.MaxInt64
	}
	tables, err := purge.New(settings)
	if err != nil {
		return fmt.Errorf("prepare purges: %w", err)
	}
	views, err := purge.NewViews(settings)
	if err != nil {
		return fmt.Errorf("prepare purges of views: %w", err)
	}
	files, err := purge.NewFiles(settings)
	if err != nil {
		return fmt.Errorf("prepare purges of files: %w", err)
	}
	all[jobs.Purge], all[jobs.PurgeView], all[jobs.PurgeFiles] = tables, views, files
	if cfg.fleet == nil {
		return nil
	}
	shards, err := purge.NewShards(settings)
	if err != nil {
		return fmt.Errorf("prepare shards of purges: %w", err)
	}
	finish, err := purge.NewFinish(settings)
	if err != nil {
		return fmt.Errorf("prepare ends of purges: %w", err)
	}
	all[jobs.PurgeShard], all[jobs.PurgeFinish] = shards, finish
	return nil
}

// noHandler says why jobs of a kind cannot be run with this configuration.
func (b *toolbox) noHandler(kind jobs.Kind) error {
	if kind.PurgesDropped() {
		if b.unverified != nil {
			return b.unverified
		}
		if len(b.purged) > 0 {
			return fmt.Errorf("a %s is a part of a purge that the queue shares out; run the purge itself", kind)
		}
		return fmt.Errorf("no catalog has locations, so nothing may be deleted by a %s; name them under catalogs.….locations", kind)
	}
	return fmt.Errorf("no catalog has a rest section, so %s jobs have no catalog to ask; add catalogs.….rest: { uri: … }", kind)
}

// usableSlots are the slots of the kinds that have handlers. Slots that are the
// default are for whatever can be run; others must be possible. Purges that could not
// ask whether the table lives on are refused in any case.
func (b *toolbox) usableSlots(slots config.Slots, handlers map[jobs.Kind]jobs.Handler) (config.Slots, error) {
	usable, isDefault := config.Slots{}, maps.Equal(slots, config.Default().Worker.Slots)
	for kind, count := range slots {
		switch {
		case count > 0 && kind.PurgesDropped() && b.unverified != nil:
			return nil, b.unverified
		case handlers[kind] != nil:
			usable[kind] = count
		case count > 0 && !isDefault:
			return nil, fmt.Errorf("worker.slots: %s=%d: %w", kind, count, b.noHandler(kind))
		}
	}
	return usable, nil
}
