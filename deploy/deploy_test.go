// Package deploy_test checks that the files of this folder are read by what they
// are written for.
package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"deckhand/internal/config"
)

// passwords sets what accounts.conf takes from the environment.
func passwords(t *testing.T) {
	t.Helper()
	for _, user := range []string{"ADMIN", "POLARIS", "PRODUCER", "SCANNER", "WORKER"} {
		t.Setenv("DECKHAND_"+user+"_PASSWORD", "secret-"+user)
	}
}

// withAccounts is nats.conf with the accounts included, as its last line says.
func withAccounts(t *testing.T) *server.Options {
	t.Helper()
	passwords(t)
	conf, err := os.ReadFile("nats/nats.conf")
	require.NoError(t, err)
	include := regexp.MustCompile(`(?m)^# (include \./accounts\.conf)$`)
	require.Regexp(t, include, string(conf))
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "nats.conf"), include.ReplaceAll(conf, []byte("$1")), 0o600))
	accounts, err := os.ReadFile("nats/accounts.conf")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "accounts.conf"), accounts, 0o600))
	options, err := server.ProcessConfigFile(filepath.Join(folder, "nats.conf"))
	require.NoError(t, err)
	return options
}

func TestComposeConfigurationIsValid(t *testing.T) {
	loaded, err := config.Load("compose/config.yaml", func(string) string { return "" }, pflag.NewFlagSet("worker", pflag.ContinueOnError))
	require.NoError(t, err)
	require.Equal(t, []string{"file:///warehouse/"}, loaded.Catalogs["local"].Locations)
	require.Equal(t, []string{"s3://warehouse/"}, loaded.Catalogs["lake"].Locations, "the catalog that catalog.sh makes")
	require.Equal(t, "0.0.0.0:9464", loaded.Worker.HTTP)
	require.Equal(t, "root:s3cr3t", loaded.Catalogs["lake"].REST.Credential.Reveal(), "the principal that compose.yaml gives Polaris")
	for _, catalog := range loaded.Catalogs {
		require.NoError(t, catalog.CanVerify())
	}
}

func TestNATSWritesEachJobToTheDiskBeforeItAnswers(t *testing.T) {
	options, err := server.ProcessConfigFile("nats/nats.conf")
	require.NoError(t, err)
	require.True(t, options.JetStream)
	require.True(t, options.SyncAlways)
	require.Empty(t, options.Users)
}

func TestAccountsAreAddedByOneLine(t *testing.T) {
	options := withAccounts(t)
	require.True(t, options.SyncAlways)
	rights := map[string]*server.Permissions{}
	for _, user := range options.Users {
		rights[user.Username] = user.Permissions
	}
	require.Len(t, rights, 5)
	require.Equal(t, []string{"jobs.purge.>", "jobs.purge-view.>"}, rights["polaris"].Publish.Allow)
}
