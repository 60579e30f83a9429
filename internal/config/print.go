package config

import (
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"deckhand/internal/secret"
)

// Print writes the configuration as YAML, without any secret: one that came from
// a file shows as the file's path, another as [secret.Redacted].
func (c *Config) Print(w io.Writer) error {
	shown := *c
	shown.NATS.URL = secret.RedactURL(c.NATS.URL)
	hide(&shown.NATS.Password, c.NATS.PasswordFile)
	hide(&shown.NATS.Token, c.NATS.TokenFile)
	if c.NATS.User != "" && c.NATS.Password == "" {
		shown.NATS.User = secret.Redacted // a user alone is a token
	}
	shown.Catalogs = map[string]*Catalog{}
	for key, catalog := range c.Catalogs {
		copied := *catalog
		hide(&copied.S3.SecretAccessKey, copied.S3.SecretAccessKeyFile)
		hide(&copied.S3.SessionToken, copied.S3.SessionTokenFile)
		copied.GCS.hideSecrets()
		copied.Azure.hideSecrets()
		shown.Catalogs[key] = &copied
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(&shown); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// hide drops a secret that a file holds; the path says enough.
func hide(value *secret.String, file string) {
	if file != "" {
		*value = ""
	}
}
