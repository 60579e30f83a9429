package broker

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"deckhand/internal/secret"
)

// DefaultURL is where NATS is looked for when nothing says otherwise.
const DefaultURL = nats.DefaultURL

// Config says where NATS is and how to log in. The zero Config is a server at
// [DefaultURL] without credentials.
//
// Each setting is taken from the first of these that has it: a flag, DECKHAND_…,
// NATS_… in the environment (see [Config.OverlayEnvironment]), the configuration
// file, a context of the nats tool (see [Config.Resolve]), the default.
type Config struct {
	// URL of the server, or several separated by commas. Default
	// nats://127.0.0.1:4222.
	URL string `yaml:"url,omitempty"`
	// Context names a context of the nats tool. Default: the selected one, but
	// only where no URL is given, so that credentials never go to a server that
	// they were not meant for.
	Context string `yaml:"context,omitempty"`

	// Creds is the path of a credentials file (JWT and seed).
	Creds string `yaml:"creds,omitempty"`
	// NKey is the path of an nkey seed file.
	NKey string `yaml:"nkey,omitempty"`
	// User and Password log in by name. A user without a password is sent as a
	// token, as the nats tool does.
	User     string        `yaml:"user,omitempty"`
	Password secret.String `yaml:"password,omitempty"`
	// PasswordFile holds the password.
	PasswordFile string `yaml:"password_file,omitempty"`
	// Token logs in by token.
	Token secret.String `yaml:"token,omitempty"`
	// TokenFile holds the token.
	TokenFile string `yaml:"token_file,omitempty"`

	// Cert and Key are the paths of a client certificate and its key, CA that of
	// the certificates to trust instead of the system's.
	Cert string `yaml:"cert,omitempty"`
	Key  string `yaml:"key,omitempty"`
	CA   string `yaml:"ca,omitempty"`
	// TLSFirst starts TLS before the server's greeting.
	TLSFirst bool `yaml:"tls_first,omitempty"`

	// InboxPrefix of replies, for accounts that may not subscribe to "_INBOX.>".
	InboxPrefix string `yaml:"inbox_prefix,omitempty"`
	// JetStreamDomain and JetStreamAPIPrefix reach JetStream elsewhere than in
	// this account; at most one of them.
	JetStreamDomain    string `yaml:"jetstream_domain,omitempty"`
	JetStreamAPIPrefix string `yaml:"jetstream_api_prefix,omitempty"`

	// userJWT and userSeed come from contexts only.
	userJWT, userSeed secret.String
}

// environment lists the variables of the nats tool.
func (c *Config) environment() []struct {
	name  string
	field func(value string)
} {
	text := func(field *string) func(string) { return func(v string) { *field = v } }
	hidden := func(field *secret.String, file *string) func(string) {
		return func(v string) { *field, *file = secret.String(v), "" }
	}
	return []struct {
		name  string
		field func(value string)
	}{
		{"NATS_URL", text(&c.URL)}, {"NATS_CONTEXT", text(&c.Context)},
		{"NATS_CREDS", text(&c.Creds)}, {"NATS_NKEY", text(&c.NKey)},
		{"NATS_USER", text(&c.User)}, {"NATS_PASSWORD", hidden(&c.Password, &c.PasswordFile)},
		{"NATS_TOKEN", hidden(&c.Token, &c.TokenFile)},
		{"NATS_CERT", text(&c.Cert)}, {"NATS_KEY", text(&c.Key)}, {"NATS_CA", text(&c.CA)},
		{"NATS_INBOX_PREFIX", text(&c.InboxPrefix)},
	}
}

// OverlayEnvironment lets the variables of the nats tool win over what c holds. A
// way to log in replaces any other that c has.
func (c *Config) OverlayEnvironment(getenv func(string) string) {
	if cmp.Or(getenv("NATS_CREDS"), getenv("NATS_NKEY"), getenv("NATS_USER"), getenv("NATS_TOKEN")) != "" {
		c.ClearLogin()
	}
	for _, variable := range c.environment() {
		if value := getenv(variable.name); value != "" {
			variable.field(value)
		}
	}
}

// ClearLogin forgets how to log in.
func (c *Config) ClearLogin() {
	c.Creds, c.NKey, c.User = "", "", ""
	c.Password, c.PasswordFile, c.Token, c.TokenFile = "", "", "", ""
}

// PathsRelativeTo makes relative paths of files absolute, below folder.
func (c *Config) PathsRelativeTo(folder string) {
	for _, path := range []*string{&c.Creds, &c.NKey, &c.PasswordFile, &c.TokenFile, &c.Cert, &c.Key, &c.CA} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
}

// ReadSecrets fills Password and Token from their files.
func (c *Config) ReadSecrets() error {
	return errors.Join(
		secret.Fill("password", &c.Password, c.PasswordFile),
		secret.Fill("token", &c.Token, c.TokenFile))
}

// Validate reports every mistake at once, each with the field it is in.
func (c Config) Validate() error {
	var errs []error
	if c.URL != "" {
		if err := validateURLs(c.URL); err != nil {
			errs = append(errs, fmt.Errorf("url: %w", err))
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		errs = append(errs, fmt.Errorf("%s: is missing; a client certificate needs both cert and key", missingOf(c.Cert, "cert", "key")))
	}
	if c.Password != "" && c.User == "" {
		errs = append(errs, errors.New("user: is missing; a password needs one"))
	}
	if c.JetStreamDomain != "" && c.JetStreamAPIPrefix != "" {
		errs = append(errs, errors.New("jetstream_domain: give it or jetstream_api_prefix, not both"))
	}
	if strings.ContainsAny(c.InboxPrefix, "*> \t") || strings.HasSuffix(c.InboxPrefix, ".") {
		errs = append(errs, fmt.Errorf("inbox_prefix: %q is not a subject without wildcards, for instance _INBOX_worker", c.InboxPrefix))
	}
	var ways []string
	for _, way := range []struct{ name, value string }{
		{"creds", c.Creds}, {"nkey", c.NKey}, {"user", c.User},
		{"token", cmp.Or(c.Token.Reveal(), c.TokenFile)},
	} {
		if way.value != "" {
			ways = append(ways, way.name)
		}
	}
	if len(ways) > 1 {
		errs = append(errs, fmt.Errorf("%s: give only one way to log in, there are %s", ways[0], strings.Join(ways, " and ")))
	}
	return errors.Join(errs...)
}

// ForEmbedded is what counts of c where NATS runs inside the worker: the port of
// the first address. That server is on this machine and asks nobody to log in.
// A port that is none is an error.
func (c Config) ForEmbedded() (Config, error) {
	first, _, _ := strings.Cut(cmp.Or(c.URL, DefaultURL), ",")
	if first = strings.TrimSpace(first); !strings.Contains(first, "://") {
		first = "nats://" + first
	}
	port := defaultPort
	if parsed, err := url.Parse(first); err == nil && parsed.Port() != "" {
		port = parsed.Port()
	} else if err != nil {
		// Its message would repeat the address, password and all.
		return c, fmt.Errorf("url: %q is not an address; write nats://127.0.0.1:4222, of which only the port counts", secret.RedactURL(first))
	}
	if err := validatePort(port); err != nil {
		return c, fmt.Errorf("url: %w", err)
	}
	return Config{URL: "nats://127.0.0.1:" + port}, nil
}

// defaultPort is that of [DefaultURL].
const defaultPort = "4222"

func validatePort(port string) error {
	if number, err := strconv.Atoi(port); err != nil || number < 0 || number > 65535 {
		return fmt.Errorf("%q is not a port; write a number up to 65535", port)
	}
	return nil
}

func missingOf(value, name, other string) string {
	if value == "" {
		return name
	}
	return other
}

func validateURLs(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		shown := secret.RedactURL(part)
		if !strings.Contains(part, "://") {
			part = "nats://" + part
		}
		// The parser's own message would repeat the address, password and all.
		u, err := url.Parse(part)
		if err != nil || u.Hostname() == "" {
			return fmt.Errorf("%q is not an address; write nats://host:4222", shown)
		}
		if u.Port() != "" {
			if err := validatePort(u.Port()); err != nil {
				return err
			}
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return fmt.Errorf("%q has the scheme %q; NATS has nats, tls, ws and wss", shown, u.Scheme)
		}
	}
	return nil
}
