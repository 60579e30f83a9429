package polaris_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/storage"
)

// In whatever way something of this package is printed, no secret shows.
func TestNothingThatIsPrintedShowsASecret(t *testing.T) {
	t.Parallel()
	keys := map[string]string{"s3.access-key-id": "id", "s3.secret-access-key": "hush", "s3.session-token": "hush"}
	credential := polaris.Credential{Prefix: "s3://lab/t", Config: keys}
	loaded := &polaris.Loaded{MetadataLocation: "s3://lab/t/metadata/1.json", Config: keys, Credentials: []polaris.Credential{credential}}
	cfg := polaris.Config{URI: "http://h", Credential: "id:hush", Warehouse: "lake"}
	client, err := polaris.New(cfg)
	require.NoError(t, err)
	type holder struct{ V any }
	for _, v := range []any{
		cfg, client, credential, &credential, []polaris.Credential{credential}, loaded, *loaded,
		storage.S3Credentials{AccessKeyID: "id", SecretAccessKey: "hush", SessionToken: "hush"},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "hush", "%T with %s", v, verb)
			require.NotContains(t, fmt.Sprintf(verb, holder{v}), "hush", "%T with %s", v, verb)
		}
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", slog.Any("v", v))
		slog.New(slog.NewTextHandler(&logged, nil)).Info("m", slog.Any("v", v))
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", slog.Any("v", []any{v}))
		require.NotContains(t, logged.String(), "hush", "%T", v)
		if _, isConfig := v.(polaris.Config); !isConfig { // functions have no JSON
			text, err := json.Marshal(holder{v})
			require.NoError(t, err)
			require.NotContains(t, string(text), "hush", "%T", v)
		}
	}
}
