package polaris

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"deckhand/internal/secret"
)

// Format implements [fmt.Formatter], so that no verb shows a secret.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{catalog %s}", c.cfg.Name) }

// Format implements [fmt.Formatter], so that no verb shows a secret.
func (v *vended) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{keys of table %s}", v.id) }

// Format implements [fmt.Formatter], so that no verb shows a secret.
func (c Credential) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s %s}", c.Prefix, secret.Redacted)
}

// LogValue implements [slog.LogValuer].
func (c Credential) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON shows no secret.
func (c Credential) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }

// Format implements [fmt.Formatter], so that no verb shows a secret: servers tell
// keys in the configuration too.
func (l Loaded) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s %s not modified: %t}", l.MetadataLocation, l.ETag, l.NotModified)
}

// LogValue implements [slog.LogValuer].
func (l Loaded) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(l)) }

// MarshalJSON shows no secret.
func (l Loaded) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(l)) }
