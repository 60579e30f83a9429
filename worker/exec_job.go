package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/policy"
	"deckhand/jobs"
)

// jobFlags describe the job of "worker exec".
type jobFlags struct {
	file, catalog, realm, table, tableUUID, metadataLocation string
	set                                                      []string
	dryRun                                                   bool
}

func (f *jobFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.catalog, "catalog", "", "name of the catalog, as in the configuration")
	flags.StringVar(&f.realm, "realm", "", "realm of the catalog, if two have the name")
	flags.StringVar(&f.metadataLocation, "metadata-location", "", "URI of the table's root metadata file")
	flags.StringVar(&f.table, "table", "", "namespace.table; a dot inside a name is written =2E")
	flags.StringVar(&f.tableUUID, "table-uuid", "", "UUID that the table must have")
	flags.StringVar(&f.file, "file", "", "read the job from this JSON file instead, - is standard input")
	flags.StringArrayVar(&f.set, "set", nil, "KEY=VALUE, a setting of the kind by its policy name; may be repeated")
	flags.BoolVar(&f.dryRun, "dry-run", false, "do everything but delete and commit")
}

// unknownName stands for a table whose name was not given.
const unknownName = "unknown"

// unnamedPrefix begins the identity of a table whose UUID was not given.
const unnamedPrefix = "metadata-"

// isUnnamed reports a job from flags whose lock no queued job takes: that one
// names the table and its UUID.
func isUnnamed(job *jobs.Job) bool {
	return isNameless(job) ||
		job.TableUUID == "" && strings.HasPrefix(job.EntityID, unnamedPrefix)
}

// isNameless reports a job from flags that do not say what the table was called.
func isNameless(job *jobs.Job) bool {
	return job.Table == unknownName && slices.Equal(job.Namespace, []string{unknownName})
}

// askAll is the catalog with purges that ask all of it: nobody knows in which
// namespace the table was.
func askAll(catalog *config.Catalog) *config.Catalog {
	asked := *catalog
	if asked.Purge.Verify == config.AskNamespace {
		asked.Purge.Verify = config.AskCatalog
	}
	return &asked
}

// build makes the job from the flags. An error is the input's fault.
func (f *jobFlags) build(cfg *config.Config, kind jobs.Kind, stdin io.Reader) (*jobs.Job, error) {
	if f.file != "" {
		return f.read(kind, stdin)
	}
	if kind == jobs.PurgeFiles {
		return nil, fmt.Errorf("a %s names its manifests and files; give the whole job with --file", kind)
	}
	if kind.Known() && !kind.PurgesDropped() {
		return f.maintenance(cfg, kind)
	}
	if f.metadataLocation == "" || f.catalog == "" {
		return nil, errors.New("give --catalog and --metadata-location, or a job with --file")
	}
	if len(f.set) > 0 {
		return nil, fmt.Errorf("--set: a %s has no settings that policies have", kind)
	}
	realm, err := realmOf(cfg, f.catalog, f.realm)
	if err != nil {
		return nil, err
	}
	job := &jobs.Job{
		Version: jobs.Version, ID: jobs.NewID(), Kind: kind, Realm: realm, Catalog: f.catalog,
		Namespace: []string{unknownName}, Table: unknownName,
		TableUUID: f.tableUUID, MetadataLocation: f.metadataLocation, DryRun: f.dryRun,
	}
	if f.table != "" {
		if job.Namespace, job.Table, err = jobs.ParseTable(f.table); err != nil {
			return nil, fmt.Errorf("--table: %w", err)
		}
	}
	if job.TableUUID == "" {
		// The same for each run on this file, so that two of them exclude each other.
		sum := sha256.Sum256([]byte(f.metadataLocation))
		job.EntityID = unnamedPrefix + hex.EncodeToString(sum[:8])
	}
	if err := job.Validate(); err != nil {
		return nil, err
	}
	return job, nil
}

// maintenance makes a job on a table that lives.
func (f *jobFlags) maintenance(cfg *config.Config, kind jobs.Kind) (*jobs.Job, error) {
	if f.catalog == "" || f.table == "" {
		return nil, errors.New("give --catalog and --table, or a job with --file")
	}
	if f.metadataLocation != "" {
		return nil, fmt.Errorf("--metadata-location: a %s takes the table as the catalog has it; leave it out", kind)
	}
	realm, err := realmOf(cfg, f.catalog, f.realm)
	if err != nil {
		return nil, err
	}
	job := &jobs.Job{
		Version: jobs.Version, ID: jobs.NewID(), Kind: kind, Realm: realm, Catalog: f.catalog, TableUUID: f.tableUUID, DryRun: f.dryRun,
	}
	if job.Namespace, job.Table, err = jobs.ParseTable(f.table); err != nil {
		return nil, fmt.Errorf("--table: %w", err)
	}
	if job.Params, err = policy.ParseSet(kind, f.set); err != nil {
		return nil, fmt.Errorf("--set: %w", err)
	}
	if err := job.Validate(); err != nil {
		return nil, err
	}
	return job, nil
}

func (f *jobFlags) read(kind jobs.Kind, stdin io.Reader) (*jobs.Job, error) {
	if given := cmp.Or(f.catalog, f.realm, f.table, f.tableUUID, f.metadataLocation); given != "" || len(f.set) > 0 {
		return nil, errors.New("--file holds the whole job; leave out --catalog, --realm, --table, --table-uuid, --metadata-location and --set")
	}
	job, err := command.ReadJob(f.file, kind, stdin)
	if err != nil {
		return nil, err
	}
	job.DryRun = job.DryRun || f.dryRun
	return job, nil
}

// realmOf is the realm of the configured catalog of a name.
func realmOf(cfg *config.Config, name, realm string) (string, error) {
	found := cfg.CatalogsNamed(name)
	switch {
	case realm != "":
		if _, ok := cfg.Catalog(realm, name); ok {
			return realm, nil
		}
		return "", unknownCatalog(cfg, realm, name)
	case len(found) == 0:
		return "", unknownCatalog(cfg, "", name)
	case len(found) > 1:
		return "", fmt.Errorf("catalog %q is in the realms %s and %s; choose with --realm", name, found[0].Realm, found[1].Realm)
	}
	return found[0].Realm, nil
}

func unknownCatalog(cfg *config.Config, realm, name string) error {
	if realm != "" {
		name = name + "\" of realm \"" + realm
	}
	var known []string
	for _, catalog := range cfg.CatalogsNamed("") {
		known = append(known, fmt.Sprintf("%s (realm %s)", catalog.Name, catalog.Realm))
	}
	if len(known) == 0 {
		return fmt.Errorf("catalog \"%s\" is not configured; name it under catalogs: in the file of --config", name)
	}
	return fmt.Errorf("catalog \"%s\" is not configured; there are %s", name, strings.Join(known, ", "))
}
