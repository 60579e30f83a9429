package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/pflag"

	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/policy"
	"deckhand/jobs"
)

// jobFlags describe the job to submit.
type jobFlags struct {
	file, catalog, realm, table, tableUUID, metadataLocation string
	locations, set                                           []string
	notBefore, params                                        string
	dryRun                                                   bool
}

func (f *jobFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.catalog, "catalog", "", "name of the catalog")
	flags.StringVar(&f.table, "table", "", "namespace.table, levels joined by dots; a dot inside a name is written =2E")
	flags.StringVar(&f.tableUUID, "table-uuid", "", "UUID of the table or view; jobs on tables that live may do without")
	flags.StringVar(&f.metadataLocation, "metadata-location", "", "URI of the root metadata file of a dropped table or view")
	flags.StringArrayVar(&f.locations, "location", nil, "narrow the job to this location; may be repeated")
	flags.StringVar(&f.realm, "realm", "", "realm of the catalog (default: as configured, else "+config.DefaultRealm+")")
	flags.StringVar(&f.notBefore, "not-before", "", "do not run it before this time (RFC 3339), or for so long (24h)")
	flags.StringVar(&f.params, "params", "", "settings of the kind, a JSON object")
	flags.StringArrayVar(&f.set, "set", nil, "KEY=VALUE, a setting of the kind by its policy name; may be repeated")
	flags.BoolVar(&f.dryRun, "dry-run", false, "do everything but delete and commit")
	flags.StringVar(&f.file, "file", "", "read the whole job from this JSON file instead, - is standard input")
}

// build makes the job. An error is the input's fault.
func (f *jobFlags) build(cfg *config.Config, kind jobs.Kind, stdin io.Reader, now time.Time) (*jobs.Job, error) {
	job, err := f.base(cfg, kind, stdin)
	if err != nil {
		return nil, err
	}
	job.DryRun = job.DryRun || f.dryRun
	if f.notBefore != "" {
		if job.NotBefore, err = parseTime(f.notBefore, now); err != nil {
			return nil, fmt.Errorf("--not-before: %w", err)
		}
	}
	if err := f.setParams(job); err != nil {
		return nil, err
	}
	if err := job.Validate(); err != nil {
		return nil, err
	}
	return job, nil
}

// setParams from what was given. Those of maintenance are read strictly here, so
// that a misspelt key is found before the job is queued.
func (f *jobFlags) setParams(job *jobs.Job) (err error) {
	maintains := job.Kind.Known() && !job.Kind.PurgesDropped()
	switch {
	case f.params != "" && len(f.set) > 0:
		return errors.New("--params and --set: give one of them")
	case f.params != "":
		if !json.Valid([]byte(f.params)) {
			return errors.New("--params: is not JSON")
		}
		job.Params = json.RawMessage(f.params)
	case len(f.set) > 0 && f.file != "":
		return errors.New("--file holds the whole job; leave out --set")
	case len(f.set) > 0 && !maintains:
		return fmt.Errorf("--set: a %s has no settings that policies have", job.Kind)
	case len(f.set) > 0:
		if job.Params, err = policy.ParseSet(job.Kind, f.set); err != nil {
			return fmt.Errorf("--set: %w", err)
		}
		return nil
	}
	if maintains {
		if _, err := policy.Read(job.Kind, job.Params); err != nil {
			return fmt.Errorf("settings of the job: %w", err)
		}
	}
	return nil
}

func (f *jobFlags) base(cfg *config.Config, kind jobs.Kind, stdin io.Reader) (*jobs.Job, error) {
	if f.file != "" {
		return f.read(kind, stdin)
	}
	if kind == jobs.PurgeFiles {
		return nil, fmt.Errorf("a %s names its manifests and files; give the whole job with --file", kind)
	}
	if f.catalog == "" || f.table == "" {
		return nil, errors.New("give --catalog and --table, or a whole job with --file")
	}
	if kind.Known() && !kind.PurgesDropped() && f.metadataLocation != "" {
		return nil, fmt.Errorf("--metadata-location: a %s takes the table as the catalog has it; leave it out", kind)
	}
	if kind.PurgesDropped() && (f.tableUUID == "" || f.metadataLocation == "") {
		return nil, fmt.Errorf("a %s needs --table-uuid and --metadata-location, which tell this table from others of its name", kind)
	}
	namespace, table, err := jobs.ParseTable(f.table)
	if err != nil {
		return nil, fmt.Errorf("--table: %w", err)
	}
	realm, err := f.chooseRealm(cfg)
	if err != nil {
		return nil, err
	}
	return &jobs.Job{
		Version: jobs.Version, ID: jobs.NewID(), Kind: kind, Realm: realm, Catalog: f.catalog,
		Namespace: namespace, Table: table, TableUUID: f.tableUUID,
		MetadataLocation: f.metadataLocation, Locations: f.locations,
		RequestedAt: jobs.At(time.Now()),
	}, nil
}

// chooseRealm is the flag's, else that of the configured catalog of the name,
// else the default: a producer need not know the catalogs.
func (f *jobFlags) chooseRealm(cfg *config.Config) (string, error) {
	if f.realm != "" {
		return f.realm, nil
	}
	switch found := cfg.CatalogsNamed(f.catalog); len(found) {
	case 0:
		return config.DefaultRealm, nil
	case 1:
		return found[0].Realm, nil
	default:
		return "", fmt.Errorf("catalog %q is in the realms %s and %s; choose with --realm", f.catalog, found[0].Realm, found[1].Realm)
	}
}

func (f *jobFlags) read(kind jobs.Kind, stdin io.Reader) (*jobs.Job, error) {
	if cmp.Or(f.catalog, f.realm, f.table, f.tableUUID, f.metadataLocation) != "" || len(f.locations) > 0 {
		return nil, errors.New("--file holds the whole job; leave out --catalog, --realm, --table, --table-uuid, --metadata-location and --location")
	}
	return command.ReadJob(f.file, kind, stdin)
}

// parseTime reads a time, or a duration from now.
func parseTime(text string, now time.Time) (jobs.Timestamp, error) {
	if duration, err := time.ParseDuration(text); err == nil {
		return jobs.At(now.Add(duration)), nil
	}
	parsed, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return jobs.Timestamp{}, fmt.Errorf("%q is neither a time such as 2026-11-25T08:00:00Z nor a duration such as 24h", text)
	}
	return jobs.At(parsed), nil
}

// lastResult reads the newest record of a job's tail.
func lastResult(ctx context.Context, js jetstream.JetStream, job *jobs.Job) (*jobs.Result, error) {
	stream, err := js.Stream(ctx, "RESULTS")
	if err != nil {
		return nil, fmt.Errorf("look at stream RESULTS: %w", err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, jobs.ResultSubjectPrefix+job.Tail())
	if err != nil {
		return nil, fmt.Errorf("read last result: %w", err)
	}
	var result jobs.Result
	if err := json.Unmarshal(msg.Data, &result); err != nil {
		return nil, fmt.Errorf("read last result: %w", err)
	}
	return &result, nil
}
