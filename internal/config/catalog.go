package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"deckhand/internal/storage"
)

// DefaultRealm is Polaris' own.
const DefaultRealm = "POLARIS"

// Catalog is one catalog whose tables the worker may touch. Jobs of other
// catalogs are refused for good.
type Catalog struct {
	// Name as the catalog is called in Polaris. Default: the key of the entry.
	Name string `yaml:"name,omitempty"`
	// Realm of Polaris that the catalog is in. Default POLARIS.
	Realm string `yaml:"realm"`
	// Locations that the worker may read and delete in, with all that is below
	// them. A job can only narrow them. Required for purges; with a rest section
	// alone, each table's own locations are what its jobs may touch.
	Locations []string `yaml:"locations,omitempty"`
	// REST is how the catalog is reached for maintenance. Without it only purges
	// are run.
	REST *REST `yaml:"rest,omitempty"`
	// S3 is how s3:// locations are reached.
	S3 S3 `yaml:"s3"`
	// GCS is how gs:// locations are reached.
	GCS GCS `yaml:"gcs,omitempty"`
	// Azure is how abfss:// locations are reached.
	Azure Azure `yaml:"azure,omitempty"`
	// MaxRequestsPerSecond is the most requests a second that one worker sends to a
	// bucket of the catalog. Default: as many as the store takes.
	MaxRequestsPerSecond float64 `yaml:"max_requests_per_second,omitempty"`
	// MaxDeletesPerSecond is the most keys a second that it deletes in a bucket,
	// however many there are in one request. Default: as many as the store takes.
	MaxDeletesPerSecond float64 `yaml:"max_deletes_per_second,omitempty"`
	// Purge is how far a purge may reach, and whom it asks before.
	Purge Purge `yaml:"purge"`
	// Orphans is whom a removal of orphans asks.
	Orphans Orphans `yaml:"orphans"`
	// Key of the entry, as messages name it.
	Key string `yaml:"-"`
}

// Values of [Purge].
const (
	ScopeTable    = "table"
	ScopeCatalog  = "catalog"
	OutsideKeep   = "keep"
	OutsideForget = "forget"

	VersionsKeep   = "keep"
	VersionsDelete = "delete"
)

// Values of [Purge].Verify and [Orphans].Neighbours: how far the catalog is asked.
const (
	AskNamespace = "namespace"
	AskCatalog   = "catalog"
	AskOff       = "off"
)

// Purge is how far a purge may reach. Whoever may commit to a table can name
// another table's files in it, so the default is narrow.
type Purge struct {
	// Scope is table (its location, write.data.path and write.metadata.path) or
	// catalog (all of the catalog's locations). Default table.
	Scope string `yaml:"scope"`
	// Outside says what becomes of the metadata that names files outside of the
	// scope: keep (the job ends dead and can be requeued) or forget. Such files
	// themselves are always kept. Default keep.
	Outside string `yaml:"outside"`
	// Verify says where the catalog is asked, before anything is deleted, whether the
	// dropped table lives on: namespace (its own), catalog (every namespace), or off.
	// All but off need the rest section. Default namespace.
	Verify string `yaml:"verify"`
	// Versions says what becomes of the versions that a bucket keeps of purged
	// files: keep (a delete only hides a file behind a marker) or delete (all of
	// them, by their ids). Default keep.
	Versions string `yaml:"versions"`
}

// Orphans is whom a removal of orphans asks, besides the listing, which others keep
// files inside the table's location.
type Orphans struct {
	// Neighbours says where the catalog is asked for tables and views: namespace (the
	// table's own), catalog (every namespace), or off. Default namespace.
	Neighbours string `yaml:"neighbours"`
}

// StorageConfig is what the catalog's stores need. Its hooks are unset.
func (c *Catalog) StorageConfig() storage.Config {
	return storage.Config{
		Name: c.Name, Locations: c.Locations,
		MaxRequestsPerSecond: c.MaxRequestsPerSecond, MaxDeletesPerSecond: c.MaxDeletesPerSecond,
		S3: c.S3.config(), GCS: c.GCS.config(), Azure: c.Azure.config(),
	}.WithDefaults()
}

// Catalog finds a catalog as jobs name it.
func (c *Config) Catalog(realm, name string) (*Catalog, bool) {
	for _, catalog := range c.Catalogs {
		if catalog.Realm == realm && catalog.Name == name {
			return catalog, true
		}
	}
	return nil, false
}

// CatalogsNamed lists the catalogs of a name, at most one in each realm, or all
// of them for the name "". They are in the order of realm and name.
func (c *Config) CatalogsNamed(name string) []*Catalog {
	var found []*Catalog
	for _, catalog := range c.Catalogs {
		if name == "" || catalog.Name == name {
			found = append(found, catalog)
		}
	}
	slices.SortFunc(found, func(a, b *Catalog) int {
		return cmp.Or(cmp.Compare(a.Realm, b.Realm), cmp.Compare(a.Name, b.Name))
	})
	return found
}

// fillCatalogs applies the defaults that depend on the entry.
func (c *Config) fillCatalogs() {
	for key, catalog := range c.Catalogs {
		if catalog == nil { // "lake:" with nothing behind it
			catalog = &Catalog{}
			c.Catalogs[key] = catalog
		}
		catalog.Key = key
		catalog.Name = cmp.Or(catalog.Name, key)
		catalog.Realm = cmp.Or(catalog.Realm, DefaultRealm)
		if catalog.REST != nil {
			catalog.REST.fill(catalog.Name)
		}
		catalog.Purge.Scope = cmp.Or(catalog.Purge.Scope, ScopeTable)
		catalog.Purge.Outside = cmp.Or(catalog.Purge.Outside, OutsideKeep)
		catalog.Purge.Verify = cmp.Or(catalog.Purge.Verify, AskNamespace)
		catalog.Purge.Versions = cmp.Or(catalog.Purge.Versions, VersionsKeep)
		catalog.Orphans.Neighbours = cmp.Or(catalog.Orphans.Neighbours, AskNamespace)
	}
}

func (c *Config) validateCatalogs() (errs []error) {
	keyOf := map[[2]string]string{}
	for _, key := range slices.Sorted(maps.Keys(c.Catalogs)) {
		catalog := c.Catalogs[key]
		section := "catalogs." + key
		errs = append(errs, prefix(section, catalog.validateStorage()), prefix(section+".purge", catalog.Purge.validate()),
			prefix(section+".orphans", checkAsk("neighbours", catalog.Orphans.Neighbours)))
		if catalog.REST != nil {
			errs = append(errs, prefix(section+".rest", catalog.REST.validate()))
		}
		identity := [2]string{catalog.Realm, catalog.Name}
		if other, twice := keyOf[identity]; twice {
			errs = append(errs, fmt.Errorf("%s: catalog %q of realm %q is there already, as catalogs.%s; jobs are matched by realm and name, so remove one", section, catalog.Name, catalog.Realm, other))
		}
		keyOf[identity] = key
	}
	return errs
}

// Purges says whether dropped tables of the catalog may be purged: only where the
// configuration says what may be deleted.
func (c *Catalog) Purges() bool { return len(c.Locations) > 0 }

// validateStorage asks for locations unless the catalog is there for maintenance
// alone.
func (c *Catalog) validateStorage() error {
	stores := c.StorageConfig()
	if !c.Purges() && c.REST != nil {
		return errors.Join(prefix("s3", stores.S3.Validate()), prefix("gcs", stores.GCS.Validate()),
			prefix("azure", stores.Azure.Validate()), stores.ValidateCeilings())
	}
	return stores.Validate()
}

func (p Purge) validate() error {
	var errs []error
	if p.Scope != ScopeTable && p.Scope != ScopeCatalog {
		errs = append(errs, fmt.Errorf("scope: %q is neither %s nor %s", p.Scope, ScopeTable, ScopeCatalog))
	}
	if p.Outside != OutsideKeep && p.Outside != OutsideForget {
		errs = append(errs, fmt.Errorf("outside: %q is neither %s nor %s", p.Outside, OutsideKeep, OutsideForget))
	}
	if p.Versions != VersionsKeep && p.Versions != VersionsDelete {
		errs = append(errs, fmt.Errorf("versions: %q is neither %s nor %s", p.Versions, VersionsKeep, VersionsDelete))
	}
	return errors.Join(append(errs, checkAsk("verify", p.Verify))...)
}

func checkAsk(field, value string) error {
	if value == AskNamespace || value == AskCatalog || value == AskOff {
		return nil
	}
	return fmt.Errorf("%s: %q is none of %s, %s, %s", field, value, AskNamespace, AskCatalog, AskOff)
}

// CanVerify says why purges of the catalog could not ask whether the table lives on;
// nil where they can, or need not.
func (c *Catalog) CanVerify() error {
	if c.REST != nil || c.Purge.Verify == AskOff {
		return nil
	}
	return fmt.Errorf("catalogs.%s.purge.verify: before it deletes anything a purge asks the catalog whether the table lives on, and there is no way to ask it; "+
		"give the catalog a rest section, catalogs.%s.rest: { uri: … }, or write catalogs.%s.purge: { verify: off } to purge without asking",
		c.Key, c.Key, c.Key)
}
