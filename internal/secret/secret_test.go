package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestNoWayOfPrintingShowsASecret(t *testing.T) {
	t.Parallel()
	type holder struct {
		Token String `json:"token" yaml:"token"`
	}
	held := holder{Token: "hunter2"}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", held)
		fmt.Fprintf(&out, verb+"\n", held.Token)
		fmt.Fprintf(&out, verb+"\n", &held)
	}
	asJSON, err := json.Marshal(held)
	require.NoError(t, err)
	asYAML, err := yaml.Marshal(held)
	require.NoError(t, err)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "holder", held, "token", held.Token)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "holder", held, "token", held.Token)
	out.Write(asJSON)
	out.Write(asYAML)
	out.Write(logged.Bytes())
	require.NotContains(t, out.String(), "hunter2")
	require.NotContains(t, out.String(), fmt.Sprintf("%x", "hunter2"))
	require.Contains(t, string(asYAML), Redacted)
	require.Equal(t, "hunter2", held.Token.Reveal())
}

func TestSecretFilesLoseTheirLineBreakAndNothingElse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.txt")
	require.NoError(t, os.WriteFile(path, []byte(" a b \r\n"), 0o600))
	got, err := ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, " a b ", got.Reveal())
}

func TestSecretFilesThatHoldNothingAreErrorsThatNameThePath(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for path, want := range map[string]string{
		empty:                                "is empty",
		filepath.Join(t.TempDir(), "absent"): "does not exist",
		t.TempDir():                          "directory",
	} {
		_, err := ReadFile(path)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
	}
}

func TestPasswordsInAddressesAreHidden(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"nats://host:4222":            "nats://host:4222",
		"nats://u:p@host:4222":        "nats://u:[redacted]@host:4222",
		"nats://token@host":           "nats://[redacted]@host",
		"nats://u:p@a,tls://v:q@b":    "nats://u:[redacted]@a,tls://v:[redacted]@b",
		"u:p@host":                    "u:[redacted]@host",
		"nats://u:p%zz@host:bad":      "nats://u:[redacted]@host:bad",
		"nats://u:with@sign@host":     "nats://u:[redacted]@host",
		"":                            "",
		"nats://a:4222,nats://b:4222": "nats://a:4222,nats://b:4222",
		"nats://u:p/with/slashes@host:4222/ignored": "nats://u:[redacted]@host:4222/ignored",
	} {
		require.Equal(t, want, RedactURL(in), in)
	}
}
