package broker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// contexts writes contexts of the nats tool and gives the environment that finds
// them. selected may be "".
func contexts(t *testing.T, selected string, files map[string]map[string]any) func(string) string {
	t.Helper()
	parent := t.TempDir()
	folder := filepath.Join(parent, "nats", "context")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	for name, fields := range files {
		data, err := json.Marshal(fields)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".json"), data, 0o600))
	}
	if selected != "" {
		require.NoError(t, os.WriteFile(filepath.Join(parent, "nats", "context.txt"), []byte(selected+"\n"), 0o600))
	}
	return func(name string) string {
		return map[string]string{"XDG_CONFIG_HOME": parent, "HOME": "/home/somebody"}[name]
	}
}

func TestSelectedContextIsUsedWhenNothingElseIsSaid(t *testing.T) {
	t.Parallel()
	env := contexts(t, "prod", map[string]map[string]any{"prod": {
		"description": "x", "url": "nats://prod:4222", "creds": "~/prod.creds", "inbox_prefix": "_INBOX_w",
		"jetstream_domain": "hub", "tls_first": true, "ca": "/ca.pem", "color_scheme": "blue",
	}})
	got, err := Config{}.Resolve(env)
	require.NoError(t, err)
	require.Equal(t, Config{
		URL: "nats://prod:4222", Context: "prod", Creds: "/home/somebody/prod.creds", InboxPrefix: "_INBOX_w",
		JetStreamDomain: "hub", TLSFirst: true, CA: "/ca.pem",
	}, got)
}

func TestSelectedContextDoesNotLendItsPasswordToAnotherServer(t *testing.T) {
	t.Parallel()
	env := contexts(t, "prod", map[string]map[string]any{"prod": {"url": "nats://prod:4222", "user": "u", "password": "p"}})
	got, err := Config{URL: "nats://elsewhere:4222"}.Resolve(env)
	require.NoError(t, err)
	require.Equal(t, Config{URL: "nats://elsewhere:4222"}, got)
}

func TestNamedContextFillsWhatIsMissing(t *testing.T) {
	t.Parallel()
	env := contexts(t, "", map[string]map[string]any{"prod": {"url": "nats://prod:4222", "user": "u", "password": "p"}})
	got, err := Config{Context: "prod", URL: "nats://alias:4222"}.Resolve(env)
	require.NoError(t, err)
	require.Equal(t, Config{Context: "prod", URL: "nats://alias:4222", User: "u", Password: "p"}, got)

	got, err = Config{Context: "prod", Token: "t"}.Resolve(env)
	require.NoError(t, err)
	require.Equal(t, Config{Context: "prod", URL: "nats://prod:4222", Token: "t"}, got, "one way to log in replaces another")
}

func TestWithoutAnythingTheDefaultAddressIsUsed(t *testing.T) {
	t.Parallel()
	for _, env := range []func(string) string{
		contexts(t, "", nil),
		func(string) string { return "" },
	} {
		got, err := Config{}.Resolve(env)
		require.NoError(t, err)
		require.Equal(t, Config{URL: "nats://127.0.0.1:4222"}, got)
	}
}

func TestContextsThatCannotBeUsedAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	env := contexts(t, "", map[string]map[string]any{
		"nsc":     {"nsc": "nsc://op/acc/user"},
		"proxy":   {"socks_proxy": "socks5://host"},
		"onepass": {"password": "op://vault/item/topsecret", "user": "u"},
		"typed":   {"url": 7},
		"bad":     {"url": "http://u:topsecret@host"},
	})
	for name, want := range map[string]string{
		"nsc": "nsc generate creds", "proxy": "socks_proxy", "onepass": "password refers to another store",
		"typed": "not JSON as the nats tool writes it", "absent": "does not exist", "../bad": "not the name of a context",
		"bad": `scheme "http"`,
	} {
		_, err := Config{Context: name}.Resolve(env)
		require.ErrorContains(t, err, want, name)
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestEnvironmentOfTheNatsToolWinsOverTheFile(t *testing.T) {
	t.Parallel()
	config := Config{URL: "nats://file:4222", User: "file", PasswordFile: "/file", InboxPrefix: "_INBOX_file"}
	config.OverlayEnvironment(func(name string) string {
		return map[string]string{"NATS_URL": "nats://env:4222", "NATS_CREDS": "/env.creds"}[name]
	})
	require.Equal(t, Config{URL: "nats://env:4222", Creds: "/env.creds", InboxPrefix: "_INBOX_file"}, config)

	config = Config{User: "file", PasswordFile: "/file"}
	config.OverlayEnvironment(func(name string) string { return map[string]string{"NATS_PASSWORD": "env"}[name] })
	require.Equal(t, Config{User: "file", Password: "env"}, config)
}

func TestValidationNamesTheFieldAndTheFix(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{URL: "http://host:4222"}, `url: "http://host:4222" has the scheme "http"`},
		{Config{URL: "nats://u:topsecret@:4222"}, `url: "nats://u:[redacted]@:4222" is not an address`},
		{Config{URL: "nats://u:topsecret@host:bad"}, "is not an address"},
		{Config{Cert: "c.pem"}, "key: is missing"},
		{Config{Key: "k.pem"}, "cert: is missing"},
		{Config{Password: "topsecret"}, "user: is missing"},
		{Config{Creds: "a", Token: "topsecret"}, "only one way to log in, there are creds and token"},
		{Config{JetStreamDomain: "a", JetStreamAPIPrefix: "b"}, "not both"},
		{Config{InboxPrefix: "a.>"}, "inbox_prefix"},
	} {
		err := test.config.Validate()
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), "topsecret")
	}
	require.NoError(t, Config{URL: "nats://a:4222, tls://b, localhost:4222"}.Validate())
}
