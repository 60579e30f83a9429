package broker

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"deckhand/internal/secret"
)

// contextFile is a context of the nats tool, as its library
// github.com/nats-io/jsm.go/natscontext stores it.
type contextFile struct {
	URL                string        `json:"url"`
	Creds              string        `json:"creds"`
	NKey               string        `json:"nkey"`
	User               string        `json:"user"`
	Password           secret.String `json:"password"`
	Token              secret.String `json:"token"`
	UserJWT            secret.String `json:"user_jwt"`
	UserSeed           secret.String `json:"user_seed"`
	Cert               string        `json:"cert"`
	Key                string        `json:"key"`
	CA                 string        `json:"ca"`
	TLSFirst           bool          `json:"tls_first"`
	JetStreamDomain    string        `json:"jetstream_domain"`
	JetStreamAPIPrefix string        `json:"jetstream_api_prefix"`
	InboxPrefix        string        `json:"inbox_prefix"`

	// Known to the nats tool, not to us.
	NSC         string `json:"nsc"`
	SocksProxy  string `json:"socks_proxy"`
	WinCertType string `json:"windows_cert_store"`
}

// Resolve fills what c lacks from a context of the nats tool, and then the
// default address. Contexts are looked for in $XDG_CONFIG_HOME/nats, else in
// ~/.config/nats. The selected context counts only where c names neither a
// context nor a URL. getenv is os.Getenv outside of tests.
func (c Config) Resolve(getenv func(string) string) (Config, error) {
	folder := contextFolder(getenv)
	name := c.Context
	if name == "" && c.URL == "" && folder != "" {
		selected, err := os.ReadFile(filepath.Join(folder, "context.txt"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c, fmt.Errorf("read the selected nats context: %w", err)
		}
		name = strings.TrimSpace(string(selected))
	}
	if name != "" {
		if err := c.fillFromContext(folder, name, getenv); err != nil {
			return c, fmt.Errorf("nats context %q: %w", name, err)
		}
		c.Context = name
	}
	c.URL = cmp.Or(c.URL, DefaultURL)
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("nats: %w", err)
	}
	return c, nil
}

func contextFolder(getenv func(string) string) string {
	if parent := getenv("XDG_CONFIG_HOME"); parent != "" {
		return filepath.Join(parent, "nats")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".config", "nats")
	}
	return ""
}

func (c *Config) fillFromContext(folder, name string, getenv func(string) string) error {
	if folder == "" {
		return errors.New("neither XDG_CONFIG_HOME nor HOME is set, so contexts cannot be found")
	}
	if strings.ContainsAny(name, `/\`) || strings.Contains(name, "..") {
		return errors.New("is not the name of a context; see \"nats context ls\"")
	}
	path := filepath.Join(folder, "context", name+".json")
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("does not exist, there is no %s; see \"nats context ls\"", path)
	case err != nil:
		return fmt.Errorf("read context: %w", err)
	}
	var file contextFile
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("%s is not JSON as the nats tool writes it: %w", path, err)
	}
	if err := file.check(); err != nil {
		return err
	}
	c.fill(file, getenv("HOME"))
	return nil
}

// check refuses what would be needed to connect but is not supported here,
// rather than connecting without it.
func (f contextFile) check() error {
	for _, unsupported := range []struct{ field, value, instead string }{
		{"nsc", f.NSC, "export the credentials with \"nsc generate creds\" and set creds"},
		{"socks_proxy", f.SocksProxy, "connect without a proxy"},
		{"windows_cert_store", f.WinCertType, "set cert and key to files"},
	} {
		if unsupported.value != "" {
			return fmt.Errorf("field %s is not supported here; %s", unsupported.field, unsupported.instead)
		}
	}
	for _, setting := range []struct{ field, value string }{
		{"creds", f.Creds}, {"nkey", f.NKey}, {"user", f.User}, {"password", f.Password.Reveal()},
		{"token", f.Token.Reveal()}, {"user_jwt", f.UserJWT.Reveal()}, {"user_seed", f.UserSeed.Reveal()},
	} {
		for _, scheme := range []string{"op://", "env://", "nsc://"} {
			if strings.HasPrefix(setting.value, scheme) {
				return fmt.Errorf("field %s refers to another store of secrets (%s…), which is not supported here; put the secret into a file", setting.field, scheme)
			}
		}
	}
	return nil
}

// fill takes each setting that c lacks. Credentials go together: when c has any,
// the context's are left out.
func (c *Config) fill(f contextFile, home string) {
	expand := func(path string) string {
		if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
			return filepath.Join(home, rest)
		}
		return path
	}
	c.URL = cmp.Or(c.URL, f.URL)
	if c.Creds == "" && c.NKey == "" && c.User == "" && c.Token == "" && c.TokenFile == "" {
		c.fillCredentials(f, expand)
	}
	if c.Cert == "" && c.Key == "" {
		c.Cert, c.Key = expand(f.Cert), expand(f.Key)
	}
	c.CA = cmp.Or(c.CA, expand(f.CA))
	c.TLSFirst = c.TLSFirst || f.TLSFirst
	c.InboxPrefix = cmp.Or(c.InboxPrefix, f.InboxPrefix)
	if c.JetStreamDomain == "" && c.JetStreamAPIPrefix == "" {
		c.JetStreamDomain, c.JetStreamAPIPrefix = f.JetStreamDomain, f.JetStreamAPIPrefix
	}
}

// fillCredentials takes one way to log in, in the order in which the nats tool
// looks at them.
func (c *Config) fillCredentials(f contextFile, expand func(string) string) {
	switch {
	case f.User != "":
		c.User, c.Password = f.User, cmp.Or(c.Password, f.Password)
	case f.Creds != "":
		c.Creds = expand(f.Creds)
	case f.NKey != "":
		c.NKey = expand(f.NKey)
	case f.Token != "":
		c.Token = f.Token
	case f.UserJWT != "":
		c.userJWT, c.userSeed = f.UserJWT, f.UserSeed
	}
}
