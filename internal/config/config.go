package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"deckhand/internal/broker"
	"deckhand/jobs"
)

// Config is the whole configuration.
type Config struct {
	// NATS says where the queue is.
	NATS broker.Config `yaml:"nats"`
	// Catalogs by key; the key is the name unless the catalog says otherwise.
	Catalogs map[string]*Catalog `yaml:"catalogs,omitempty"`
	// Worker is how "worker run" works.
	Worker Worker `yaml:"worker"`
	// Producer is how "producer run" works.
	Producer Producer `yaml:"producer"`
	// Policies is how Polaris' policies are read.
	Policies Policies `yaml:"policies"`
	// Log is how both binaries log.
	Log Log `yaml:"log"`
}

// Worker is how "worker run" works.
type Worker struct {
	// Name in leases, results and logs. It must differ between the workers of a
	// fleet. Default: the host's name and the process id.
	Name string `yaml:"name,omitempty"`
	// Slots is how many jobs of a kind run at once; a kind that is not named, or
	// has 0, is left to other workers. Default
	// purge=4,purge-shard=2,purge-finish=2,purge-view=2,purge-files=2,expire=2,orphans=1,manifests=1.
	Slots Slots `yaml:"slots"`
	// Drain is how long running jobs may go on after SIGTERM before they are
	// stopped; they resume elsewhere. Default 25s.
	Drain time.Duration `yaml:"drain"`
	// StallTimeout stops a job that made no successful request for so long; it is
	// tried again. Default 15m.
	StallTimeout time.Duration `yaml:"stall_timeout"`
	// AckWait is how long a job may go without a sign of life of its worker
	// before another gets it. It counts when the streams are made; later it must
	// be what they have. Default 0: what they have, 2m when they are made.
	AckWait time.Duration `yaml:"ack_wait"`
	// SweepEvery is how often one of the fleet's workers clears up what a full disk
	// or a crash left in the queue; 0 leaves that to others, and to "worker sweep".
	// Default 1h.
	SweepEvery time.Duration `yaml:"sweep_every"`
	// HTTP is where /livez, /readyz and /metrics are served, host:port, or "off".
	// Default "": 127.0.0.1:9464, or nowhere if another process has that.
	HTTP string `yaml:"http,omitempty"`
	// PProf serves /debug/pprof too, if HTTP is a loopback address. Default false.
	PProf bool `yaml:"pprof"`
	// DryRun does everything but delete, for every job. Default false.
	DryRun bool `yaml:"dry_run"`
	// Purge is how purges of large tables are shared out.
	Purge Sharing `yaml:"purge"`
	// Embedded is the NATS server inside the worker.
	Embedded Embedded `yaml:"embedded"`
}

// Sharing is how purges of large tables are shared out among the workers. A worker
// without slots for purge-shard or purge-finish shares none out.
type Sharing struct {
	// ShardAbove is the number of files above which a purge is shared out, as far as
	// the table's manifest lists tell it. Default 200000.
	ShardAbove int64 `yaml:"shard_above"`
	// ShardFiles is how many files a shard has at most, unless one manifest names
	// more. Shards are smaller, down to 10,000 files, where there would be fewer than
	// 64 of them. A purge under way keeps what it began with. Default 100000.
	ShardFiles int64 `yaml:"shard_files"`
}

func (s Sharing) validate() error {
	var errs []error
	if s.ShardAbove < 1 {
		errs = append(errs, fmt.Errorf("purge.shard_above: %d is not a number of files; write 1 or more", s.ShardAbove))
	}
	if s.ShardFiles < 1 {
		errs = append(errs, fmt.Errorf("purge.shard_files: %d is not a number of files; write 1 or more", s.ShardFiles))
	}
	return errors.Join(errs...)
}

// Embedded is the NATS server inside a worker, for one machine.
type Embedded struct {
	// Enabled starts it; of nats.url only the port then counts. Default false.
	Enabled bool `yaml:"enabled"`
	// StoreDir keeps the queue. Default deckhand-nats in the working folder.
	StoreDir string `yaml:"store_dir"`
	// SyncAlways writes each job to the disk before it is accepted. Default true.
	SyncAlways bool `yaml:"sync_always"`
}

// Log is how a binary logs, always to standard error.
type Log struct {
	// Level is debug, info, warn or error. Default info.
	Level string `yaml:"level"`
	// Format is text, json or auto: text on a terminal, else json. Default auto.
	Format string `yaml:"format"`
}

// DefaultHTTP is where a worker serves its health and metrics by default. It is
// also what a second worker on the same machine does without.
const DefaultHTTP = "127.0.0.1:9464"

// HTTPOff switches the HTTP server off.
const HTTPOff = "off"

// Default is the configuration that an empty file gives.
func Default() *Config {
	return &Config{
		Worker: Worker{
			Slots: Slots{
				jobs.Purge: 4, jobs.PurgeShard: 2, jobs.PurgeFinish: 2, jobs.PurgeView: 2, jobs.PurgeFiles: 2,
				jobs.Expire: 2, jobs.Orphans: 1, jobs.Manifests: 1,
			},
			Purge: Sharing{ShardAbove: 200_000, ShardFiles: 100_000},
			Drain: 25 * time.Second, StallTimeout: 15 * time.Minute, SweepEvery: time.Hour,
			Embedded: Embedded{StoreDir: "deckhand-nats", SyncAlways: true},
		},
		Producer: Producer{Interval: 5 * time.Minute, Jitter: 10 * time.Second, HTTP: HTTPOff},
		Policies: Policies{Refresh: time.Hour},
		Log:      Log{Level: "info", Format: "auto"},
	}
}

// Validate reports every mistake at once, each with its field and what to write.
func (c *Config) Validate() error {
	errs := []error{prefix("nats", c.NATS.Validate())}
	errs = append(errs, c.validateCatalogs()...)
	errs = append(errs, prefix("worker", c.Worker.validate()), prefix("producer", c.Producer.validate()),
		prefix("policies", c.Policies.validate()), prefix("log", c.Log.validate()))
	return errors.Join(errs...)
}

func (w Worker) validate() error {
	var errs []error
	if err := w.Slots.validate(); err != nil {
		errs = append(errs, fmt.Errorf("slots: %w", err))
	}
	for _, d := range []struct {
		field string
		value time.Duration
		least time.Duration
	}{
		{"drain", w.Drain, 0}, {"stall_timeout", w.StallTimeout, time.Second}, {"ack_wait", w.AckWait, 0}, {"sweep_every", w.SweepEvery, 0},
	} {
		if d.value < d.least {
			errs = append(errs, fmt.Errorf("%s: %s is too short; write at least %s", d.field, d.value, d.least))
		}
	}
	if w.AckWait != 0 && w.AckWait < time.Second {
		errs = append(errs, fmt.Errorf("ack_wait: %s is too short; write at least 1s, or 0 for what the streams have", w.AckWait))
	}
	errs = append(errs, w.Purge.validate())
	host, err := checkHTTP(cmp.Or(w.HTTP, DefaultHTTP))
	if err != nil {
		errs = append(errs, err)
	} else if w.PProf && w.HTTP != HTTPOff && !isLoopback(host) {
		errs = append(errs, fmt.Errorf("pprof: it shows memory to whoever asks, so http must be a loopback address; %q is not", w.HTTP))
	}
	if w.Embedded.StoreDir == "" {
		errs = append(errs, errors.New("embedded.store_dir: is empty; name a folder for the queue"))
	}
	return errors.Join(errs...)
}

// checkHTTP gives the host of an address to serve on; "" for none.
func checkHTTP(address string) (host string, err error) {
	if address == HTTPOff {
		return "", nil
	}
	host, port, err := net.SplitHostPort(address)
	if number, bad := strconv.Atoi(port); err != nil || bad != nil || number < 0 || number > 65535 {
		return "", fmt.Errorf("http: %q is not host:port; write for instance :9464, or off", address)
	}
	return host, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (l Log) validate() error {
	var errs []error
	if _, err := l.SlogLevel(); err != nil {
		errs = append(errs, err)
	}
	switch l.Format {
	case "auto", "text", "json":
	default:
		errs = append(errs, fmt.Errorf("format: %q is none of auto, text, json", l.Format))
	}
	return errors.Join(errs...)
}

// SlogLevel is Level as slog has it.
func (l Log) SlogLevel() (slog.Level, error) {
	switch l.Level {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("level: %q is none of debug, info, warn, error", l.Level)
}

// prefix puts the section's name before each of the joined errors.
func prefix(section string, err error) error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s.%w", section, err)
	}
	var errs []error
	for _, each := range joined.Unwrap() {
		errs = append(errs, prefix(section, each))
	}
	return errors.Join(errs...)
}
