package config

import "github.com/spf13/pflag"

// Connection is how to reach NATS, and how to log.
func Connection(set *pflag.FlagSet, c *Config) {
	n := &c.NATS
	set.StringVar(&n.URL, "nats-url", n.URL, "address of NATS (default nats://127.0.0.1:4222; NATS_URL works too)")
	set.StringVar(&n.Context, "nats-context", n.Context, "context of the nats tool to connect with (NATS_CONTEXT)")
	set.StringVar(&n.Creds, "nats-creds", n.Creds, "credentials file (NATS_CREDS)")
	set.StringVar(&n.NKey, "nats-nkey", n.NKey, "nkey seed file (NATS_NKEY)")
	set.StringVar(&n.User, "nats-user", n.User, "user, or a token (NATS_USER; password in NATS_PASSWORD)")
	set.StringVar(&n.PasswordFile, "nats-password-file", n.PasswordFile, "file with the password")
	set.StringVar(&n.TokenFile, "nats-token-file", n.TokenFile, "file with a token (token in NATS_TOKEN)")
	set.StringVar(&n.Cert, "nats-cert", n.Cert, "client certificate (NATS_CERT)")
	set.StringVar(&n.Key, "nats-key", n.Key, "key of the client certificate (NATS_KEY)")
	set.StringVar(&n.CA, "nats-ca", n.CA, "certificates to trust (NATS_CA)")
	set.StringVar(&n.InboxPrefix, "nats-inbox-prefix", n.InboxPrefix, "prefix of reply subjects (NATS_INBOX_PREFIX)")
	set.StringVar(&c.Log.Level, "log-level", c.Log.Level, "debug, info, warn or error")
	set.StringVar(&c.Log.Format, "log-format", c.Log.Format, "text, json, or auto: text on a terminal")
}

// Timing is the one time from which the queue's others derive.
func Timing(set *pflag.FlagSet, c *Config) {
	set.DurationVar(&c.Worker.AckWait, "ack-wait", c.Worker.AckWait, "time without a sign of life after which a job goes to another worker (default: as the streams have it, 2m for new ones)")
}

// Running is how "worker run" works.
func Running(set *pflag.FlagSet, c *Config) {
	w := &c.Worker
	set.StringVar(&w.Name, "name", w.Name, "name of this worker, unlike all others (default HOST-PID)")
	set.Var(&w.Slots, "slots", "jobs of each kind that run at once; a kind not named is left to other workers")
	set.DurationVar(&w.Drain, "drain", w.Drain, "how long jobs may go on after SIGTERM")
	set.DurationVar(&w.StallTimeout, "stall-timeout", w.StallTimeout, "stop a job without a successful request for so long")
	set.DurationVar(&w.SweepEvery, "sweep-every", w.SweepEvery, "how often the fleet clears up what a full disk or a crash left; 0: not by this worker")
	set.StringVar(&w.HTTP, "http", w.HTTP, "serve /livez, /readyz and /metrics on host:port, or off (default "+DefaultHTTP+", or off if that is in use)")
	set.BoolVar(&w.PProf, "pprof", w.PProf, "serve /debug/pprof too; --http must be a loopback address")
	set.BoolVar(&w.DryRun, "dry-run", w.DryRun, "do everything but delete")
	set.BoolVar(&w.Embedded.Enabled, "embedded", w.Embedded.Enabled, "run a NATS server with JetStream in this process, on the port of --nats-url")
	set.StringVar(&w.Embedded.StoreDir, "embedded-store", w.Embedded.StoreDir, "folder in which it keeps the queue")
}

// Producing is how "producer run" works.
func Producing(set *pflag.FlagSet, c *Config) {
	p := &c.Producer
	set.StringVar(&p.Name, "name", p.Name, "name of this producer, unlike all others (default HOST-PID)")
	set.DurationVar(&p.Interval, "interval", p.Interval, "time between the beginnings of two scans")
	set.StringVar(&p.Cron, "cron", p.Cron, "times of scans in place of --interval, five fields; CRON_TZ=Europe/Berlin before them for another zone than UTC")
	set.DurationVar(&p.Jitter, "jitter", p.Jitter, "begin each scan up to so much later")
	set.StringVar(&p.HTTP, "http", p.HTTP, "serve /livez, /readyz and /metrics on host:port")
	Scanning(set, c)
}

// Scanning is how policies are read.
func Scanning(set *pflag.FlagSet, c *Config) {
	set.DurationVar(&c.Policies.Refresh, "policies-refresh", c.Policies.Refresh, "take the policies of a table as they were for so long")
}
