package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/internal/pulltest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestPurgesThatCouldNotAskAreRefused(t *testing.T) {
	t.Parallel()
	lake, written := newLake(t, "")
	require.NoError(t, lake.Server.Drop(t.Context(), pulltest.In("sales", "orders")))
	before := names(t, lake.Warehouse())
	bay := fmt.Sprintf("  bay:\n    name: lake\n    realm: OTHER\n    locations: [\"file://%s\"]\n", lake.Warehouse())
	config := lake.Configure(t, "bay.yaml", "catalogs:\n"+bay)
	says := "catalogs.bay.purge.verify: before it deletes anything a purge asks the catalog whether the table lives on, and there is no way to ask it; " +
		"give the catalog a rest section, catalogs.bay.rest: { uri: … }, or write catalogs.bay.purge: { verify: off }"

	for name, args := range map[string][]string{
		"default slots": {"run", "--config", config, "--nats-url", nowhere},
		"purge slots":   {"run", "--config", config, "--nats-url", nowhere, "--slots", "purge-view=1"},
		"exec":          {"exec", "purge", "--config", config, "--catalog", "lake", "--metadata-location", written.MetadataLocation, "--nats-url", nowhere},
	} {
		got := worker(t, args...)
		require.Equal(t, 2, got.Code, name)
		require.Contains(t, got.Stderr, says, name)
	}
	require.Equal(t, before, names(t, lake.Warehouse()))
	got := worker(t, "doctor", "--no-nats", "--config", config)
	require.Equal(t, 1, got.Code)
	require.Regexp(t, `FAIL +catalog lake of OTHER +verify purges +catalogs.bay.purge.verify: before it deletes`, got.Stdout)

	// Whoever is there for other kinds runs.
	server := natstest.Start(t, natstest.Config{})
	both := lake.Configure(t, "both.yaml", fmt.Sprintf("catalogs:\n  lake:\n    rest: { uri: %q, credential_file: credential.txt }\n%s", lake.Server.URI(), bay))
	process, health := startWorker(t, yard{folder: lake.Folder, config: both}, "--nats-url", server.URL(), "--slots", "expire=1")
	waitReady(t, process, health)
	maintain := lake.Configure(t, "maintain.yaml", fmt.Sprintf("worker: { slots: { expire: 1, purge: 0 } }\ncatalogs:\n  lake:\n    rest: { uri: %q, credential_file: credential.txt }\n%s", lake.Server.URI(), bay))
	got = worker(t, "doctor", "--no-nats", "--config", maintain)
	require.Equal(t, 0, got.Code, got.Stdout)
	require.NotContains(t, got.Stdout, "verify purges")

	got = worker(t, "exec", "purge", "--config", lake.Configure(t, "off.yaml", "catalogs:\n"+bay+"    purge: { verify: off }\n"), "--catalog", "lake",
		"--metadata-location", written.MetadataLocation, "--nats-url", nowhere, "--json")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, purge.VerifiedOff, decode[purge.Receipt](t, string(decode[jobs.Result](t, got.Stdout).Receipt)).Verified)
}

// Without --table nobody knows in which namespace it was.
func TestExecPurgeAsksAllOfTheCatalogWhereItIsNotToldTheName(t *testing.T) {
	t.Parallel()
	lake, written := newLake(t, "")
	require.NoError(t, lake.Server.Rename(t.Context(), pulltest.In("sales", "orders"), pulltest.In("sales", "rescued")))
	config := lake.Configure(t, "purge.yaml", fmt.Sprintf("catalogs:\n  lake:\n    locations: [\"file://%s\"]\n    rest: { uri: %q, credential_file: credential.txt }\n",
		lake.Warehouse(), lake.Server.URI()))
	exec := func(more ...string) (int, string, purge.Verified) {
		got := worker(t, append([]string{"exec", "purge", "--config", config, "--catalog", "lake", "--metadata-location", written.MetadataLocation,
			"--dry-run", "--json", "--nats-url", nowhere}, more...)...)
		return got.Code, got.Stderr, decode[purge.Receipt](t, string(decode[jobs.Result](t, got.Stdout).Receipt)).Verified
	}
	code, said, verified := exec()
	require.Equal(t, 3, code)
	require.Contains(t, said, "the files belong to the live table sales.rescued of catalog lake: it has the same UUID")
	require.Equal(t, purge.VerifiedCatalog, verified)
	code, said, verified = exec("--table", "sales.orders")
	require.Equal(t, 3, code, said)
	require.Equal(t, purge.VerifiedNamespace, verified)
	code, said, verified = exec("--table", "elsewhere.orders")
	require.Equal(t, 0, code, said)
	require.Equal(t, purge.VerifiedNamespace, verified)
	require.NoError(t, lake.Server.Drop(t.Context(), pulltest.In("sales", "rescued")))
	code, said, verified = exec()
	require.Equal(t, 0, code, said)
	require.Equal(t, purge.VerifiedCatalog, verified)
}

func TestDoctorSaysWhatAPurgeMayNotAsk(t *testing.T) {
	t.Parallel()
	lake, _ := newLake(t, "")
	require.NoError(t, lake.Server.AddView(pulltest.In("sales", "v")))
	examine := func(slots string, privileges ...string) (int, string) {
		name := strings.Join(append([]string{"p"}, privileges...), "-")
		credential, err := lake.Server.CreatePrincipal(name+slots, "lake", privileges...)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(lake.Folder, name+".txt"), []byte(credential+"\n"), 0o600))
		got := worker(t, "doctor", "--no-nats", "--config", lake.Configure(t, name+".yaml", fmt.Sprintf(
			"worker: { slots: { %s } }\ncatalogs:\n  lake:\n    locations: [\"file://%s\"]\n    rest: { uri: %q, credential_file: %s.txt }\n",
			slots, lake.Warehouse(), lake.Server.URI(), name)))
		return got.Code, got.Stdout
	}
	code, said := examine("purge: 1, purge-view: 1", "TABLE_READ_PROPERTIES", "NAMESPACE_LIST", "VIEW_READ_PROPERTIES")
	require.Equal(t, 0, code, said)
	require.Regexp(t, `ok +catalog lake +verify purges +the catalog tells`, said)
	require.Regexp(t, `ok +catalog lake +verify purges of views +the catalog tells`, said)

	code, said = examine("purge: 1, purge-view: 1", "TABLE_LIST", "NAMESPACE_LIST", "VIEW_LIST")
	require.Equal(t, 1, code, said)
	require.Regexp(t, `FAIL +catalog lake +verify purges +such a purge deletes nothing .*grant the principal TABLE_READ_PROPERTIES`, said)
	require.Regexp(t, `FAIL +catalog lake +verify purges of views .*grant the principal VIEW_READ_PROPERTIES`, said)

	code, said = examine("purge: 1", "TABLE_READ_PROPERTIES", "NAMESPACE_LIST")
	require.Equal(t, 0, code, said)
	require.NotContains(t, said, "views")

	code, said = examine("purge-view: 1", "TABLE_LIST", "NAMESPACE_LIST", "VIEW_READ_PROPERTIES")
	require.Equal(t, 0, code, said)
	require.NotRegexp(t, `verify purges +`+"(the|such)", said)
}
