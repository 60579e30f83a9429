package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/internal/pulltest"
	"deckhand/internal/queue"
	"deckhand/internal/receipt"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/expire"
	"deckhand/jobs/manifests"
	"deckhand/jobs/orphans"
)

// newLake has a table sales.orders of four snapshots, of which three name manifest
// lists that nothing else does.
func newLake(t *testing.T, more string) (*pulltest.Lake, *icebergtable.Table) {
	t.Helper()
	lake := pulltest.New(t, more)
	return lake, lake.Written(t, pulltest.In("sales", "orders"), icebergtable.Options{Files: 8, Snapshots: 4})
}

// names of all files below a folder.
func names(t *testing.T, folder string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, path)
		}
		return err
	}))
	return all
}

// expireAll are the flags of an expiry of all but the newest snapshot.
func expireAll(lake *pulltest.Lake, more ...string) []string {
	return append([]string{"exec", "expire", "--config", lake.Config, "--catalog", "lake", "--table", "sales.orders",
		"--set", "retain-last=1", "--set", "older-than=0s", "--nats-url", nowhere}, more...)
}

func TestExecExpiresByTheNamesOfPolicies(t *testing.T) {
	t.Parallel()
	lake, _ := newLake(t, "")
	before, location := names(t, lake.Warehouse()), lake.Server.MetadataLocation(t.Context(), pulltest.In("sales", "orders"))

	got := worker(t, expireAll(lake, "--dry-run", "--list")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Empty(t, got.Stderr, "a dry run needs no lock")
	require.Contains(t, got.Stdout, "would remove")
	require.Contains(t, got.Stdout, "3 snapshots")
	require.Equal(t, 3, strings.Count(got.Stdout, "would delete\tmanifest-list\t"), got.Stdout)
	require.Equal(t, before, names(t, lake.Warehouse()))
	require.Equal(t, location, lake.Server.MetadataLocation(t.Context(), pulltest.In("sales", "orders")))

	got = worker(t, expireAll(lake, "--json", "--list-file", lake.Folder+"/list.jsonl")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	result := decode[jobs.Result](t, got.Stdout)
	require.Equal(t, jobs.Completed, result.Outcome)
	require.Equal(t, jobs.Expire, result.Kind)
	did := decode[expire.Receipt](t, string(result.Receipt))
	require.Equal(t, 3, did.Removed.Snapshots)
	require.EqualValues(t, 3, did.Deleted[receipt.ManifestLists].Files)
	listed, err := os.ReadFile(lake.Folder + "/list.jsonl")
	require.NoError(t, err)
	for line := range strings.Lines(string(listed)) {
		record := decode[receipt.PathRecord](t, line)
		_, err := os.Stat(strings.TrimPrefix(record.Location, "file://"))
		require.ErrorIs(t, err, fs.ErrNotExist, record.Location)
	}

	got = worker(t, expireAll(lake)...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `removed +nothing +of 1 snapshots`, got.Stdout)
	require.Contains(t, got.Stderr, "not locked: ")
}

// In the queue such a job is done: the table was dropped since. See package expire.
func TestExecOfATableThatIsNotThereIsAMistakeOfItsName(t *testing.T) {
	t.Parallel()
	lake, made := newLake(t, "")
	for _, kind := range []string{"expire", "orphans", "manifests"} {
		exec := []string{"exec", kind, "--config", lake.Config, "--catalog", "lake", "--nats-url", nowhere}
		got := worker(t, append(exec, "--table", "sales.nothing")...)
		require.Equal(t, 2, got.Code, "%s: %s", kind, got.Stderr)
		require.Contains(t, got.Stderr, `catalog "lake" has no table sales.nothing; nothing was done, check its name`)
		require.Empty(t, got.Stdout)
		got = worker(t, append(exec, "--table", "nowhere.orders", "--dry-run")...)
		require.Equal(t, 2, got.Code, "%s: %s", kind, got.Stderr)
		require.Contains(t, got.Stderr, `has no table nowhere.orders`)
		got = worker(t, append(exec, "--table", "sales.orders", "--table-uuid", "00000000-0000-4000-8000-000000000000", "--json")...)
		require.Equal(t, 2, got.Code, "%s: %s", kind, got.Stderr)
		require.Contains(t, got.Stderr, "no table sales.orders with that UUID")
		require.Contains(t, got.Stderr, made.UUID)
		require.Contains(t, decode[map[string]string](t, got.Stdout)["error"], "no table sales.orders")
	}
}

func TestExecExpireOfNoTableFailsForGood(t *testing.T) {
	t.Parallel()
	lake, _ := newLake(t, "")
	require.NoError(t, lake.Server.AddView(pulltest.In("sales", "v")))
	require.NoError(t, lake.Server.AddGenericTable(pulltest.In("sales", "g"), "delta"))
	for name, want := range map[string]string{"v": "view", "g": "generic table"} {
		got := worker(t, "exec", "expire", "--config", lake.Config, "--catalog", "lake", "--table", "sales."+name, "--nats-url", nowhere)
		require.Equal(t, 3, got.Code, got.Stderr)
		require.Contains(t, got.Stderr, want)
	}
}

func TestExecExpireSaysWhatIsWrongWithItsInput(t *testing.T) {
	t.Parallel()
	lake, _ := newLake(t, "")
	plain := lake.Configure(t, "plain.yaml", "catalogs:\n  lake:\n    locations: [s3://w/]\n")
	before := names(t, lake.Warehouse())
	for _, test := range []struct {
		args []string
		want string
	}{
		{expireAll(lake, "--set=retain-lost=1"), `did you mean "retain-last"?`},
		{expireAll(lake, "--set=max-ref-age=often"), "max-ref-age"},
		{expireAll(lake, "--set=retain-last=2"), "is there twice"},
		{expireAll(lake, "--set=window=Mo 1-5"), "has no meaning in a job"},
		{expireAll(lake, "--metadata-location=/x"), "takes the table as the catalog has it"},
		{[]string{"exec", "expire", "--config", lake.Config, "--catalog=lake"}, "give --catalog and --table"},
		{[]string{"exec", "expire", "--config", lake.Config, "--catalog=sea", "--table=a.b"}, `catalog "sea" is not configured`},
		{[]string{"exec", "expire", "--config", plain, "--catalog=lake", "--table=a.b", "--nats-url", nowhere}, "no catalog has a rest section"},
		{[]string{"exec", "purge", "--config", lake.Config, "--catalog=lake", "--metadata-location=/x", "--nats-url", nowhere}, "no catalog has locations"},
		{[]string{"exec", "purge", "--config", plain, "--catalog=lake", "--metadata-location=/x", "--set=a=b"}, "a purge has no settings"},
		{[]string{"run", "--config", lake.Config, "--slots=purge=1", "--http=off"}, "worker.slots: purge=1: no catalog has locations"},
		{[]string{"run", "--config", plain, "--slots=expire=1", "--http=off"}, "worker.slots: expire=1: no catalog has a rest section"},
	} {
		got := worker(t, test.args...)
		require.Equal(t, 2, got.Code, "%v: %s", test.args, got.Stderr)
		require.Contains(t, got.Stderr, test.want, "%v", test.args)
		require.Equal(t, 1, strings.Count(got.Stderr, "\n"), got.Stderr)
	}
	require.Equal(t, before, names(t, lake.Warehouse()))
}

func TestExecExpireTellsARefusalFromAnOutage(t *testing.T) {
	t.Parallel()
	lake, _ := newLake(t, "")
	before := names(t, lake.Warehouse())
	rest := func(name, more string) string {
		return lake.Configure(t, name, fmt.Sprintf("catalogs:\n  lake:\n    rest: { warehouse: lake, %s }\n", more))
	}
	require.NoError(t, os.WriteFile(lake.Folder+"/wrong.txt", []byte("maint:wrong\n"), 0o600))
	weak, err := lake.Server.CreatePrincipal("weak", "lake", "TABLE_READ_DATA")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(lake.Folder+"/weak.txt", []byte(weak+"\n"), 0o600))
	for name, test := range map[string]struct {
		rest string
		code int
		want string
	}{
		"wrong secret":      {fmt.Sprintf("uri: %q, credential_file: wrong.txt", lake.Server.URI()), 3, "check the client id and the secret"},
		"missing privilege": {fmt.Sprintf("uri: %q, credential_file: weak.txt", lake.Server.URI()), 3, "TABLE_WRITE_"},
		"wrong realm":       {fmt.Sprintf("uri: %q, credential_file: credential.txt }\n    realm: OTHER\n    locations: [ \"s3://w/\" ]\n    s3: { region: us-east-1", lake.Server.URI()), 3, "realm"},
		"no such role":      {fmt.Sprintf("uri: %q, credential_file: credential.txt, scope: \"PRINCIPAL_ROLE:nobody\"", lake.Server.URI()), 3, "rest.scope may name a role"},
	} {
		config := rest(strings.ReplaceAll(name, " ", "-")+".yaml", test.rest)
		got := worker(t, "exec", "expire", "--config", config, "--catalog=lake", "--table=sales.orders", "--set=older-than=0s", "--nats-url", nowhere)
		require.Equal(t, test.code, got.Code, "%s: %s", name, got.Stderr)
		require.Contains(t, got.Stderr, test.want, name)
		require.NotContains(t, got.Stderr, "maint:wrong")
	}
	require.Equal(t, before, names(t, lake.Warehouse()))
}

func TestWorkersRunWhatTheirConfigurationAllows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		push, pull bool
	}{"push alone": {true, false}, "pull alone": {false, true}, "both": {true, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.Start(t, natstest.Config{})
			lake, made := newLake(t, "")
			yaml := "catalogs:\n  lake:\n"
			if test.pull {
				yaml += fmt.Sprintf("    rest: { uri: %q, credential_file: credential.txt }\n", lake.Server.URI())
			}
			if test.push {
				yaml += fmt.Sprintf("    locations: [\"file://%s\"]\n", lake.Warehouse())
			}
			if !test.pull {
				yaml += "    purge: { verify: off }\n"
			}
			config := lake.Configure(t, "run.yaml", yaml)
			process, health := startWorker(t, yard{folder: lake.Folder, config: config}, "--nats-url", server.URL())
			waitReady(t, process, health)
			js := server.JetStream(t)
			submit := func(job *jobs.Job) *jobs.Result {
				job.Version, job.ID, job.Realm, job.Catalog, job.Namespace, job.Table = 1, jobs.NewID(), "POLARIS", "lake", []string{"sales"}, "orders"
				job.TableUUID = made.UUID
				var published jobs.Publication
				require.Eventually(t, func() bool { // the one before leaves the queue after its result is there
					var err error
					published, err = jobs.Publish(t.Context(), js, job, jobs.PublishOptions{})
					require.NoError(t, err)
					return published.Sequence > 0
				}, 30*time.Second, 10*time.Millisecond)
				result, err := queue.WaitResult(t.Context(), js, job, published)
				require.NoError(t, err)
				return result
			}
			_, metrics := get(t, health+"/metrics")
			for _, kind := range []string{"expire", "orphans", "manifests"} {
				require.Equal(t, test.pull, strings.Contains(metrics, `deckhand_job_slots{kind="`+kind+`"}`), kind)
			}
			require.Equal(t, test.push, strings.Contains(metrics, `deckhand_job_slots{kind="purge"}`))
			if test.pull {
				result := submit(&jobs.Job{Kind: jobs.Expire, Params: json.RawMessage(`{"retain-last":1,"older-than":"0s"}`)})
				require.Equal(t, jobs.Completed, result.Outcome, result.Reason)
				require.Equal(t, 3, decode[expire.Receipt](t, string(result.Receipt)).Removed.Snapshots)
				result = submit(&jobs.Job{Kind: jobs.Manifests})
				require.Equal(t, jobs.Completed, result.Outcome, result.Reason)
				require.NotEmpty(t, decode[manifests.Receipt](t, string(result.Receipt)).SnapshotID)
				orphan := plant(t, lake, "data/old.parquet", 4*24*time.Hour)
				result = submit(&jobs.Job{Kind: jobs.Orphans})
				require.Equal(t, jobs.Completed, result.Outcome, result.Reason)
				require.EqualValues(t, 1, decode[orphans.Receipt](t, string(result.Receipt)).Deleted.Total().Files)
				require.NoFileExists(t, orphan)
				_, metrics = get(t, health+"/metrics")
				require.Contains(t, metrics, `deckhand_catalog_requests_total{op="commitTable",status="200"} 2`)
			}
			if test.push {
				root := lake.Server.MetadataLocation(t.Context(), pulltest.In("sales", "orders"))
				if test.pull {
					result := submit(&jobs.Job{Kind: jobs.Purge, MetadataLocation: root})
					require.Equal(t, jobs.Dead, result.Outcome)
					require.Contains(t, result.Reason, "the files belong to the live table sales.orders of catalog lake")
					require.NoError(t, lake.Server.Drop(t.Context(), pulltest.In("sales", "orders")))
				}
				result := submit(&jobs.Job{Kind: jobs.Purge, MetadataLocation: root})
				require.Equal(t, jobs.Completed, result.Outcome, result.Reason)
				_, err := os.Stat(strings.TrimPrefix(root, "file://"))
				require.ErrorIs(t, err, fs.ErrNotExist)
			}
			process.Signal(t, syscall.SIGTERM)
			require.Equal(t, 0, process.Wait(t), process.Output())
		})
	}
}

func TestDoctorTriesWhatMaintenanceAsksOfACatalog(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	_, err := queue.Setup(t.Context(), server.JetStream(t), queue.AssetsConfig{})
	require.NoError(t, err)
	lake, _ := newLake(t, "")
	before, location := names(t, lake.Warehouse()), lake.Server.MetadataLocation(t.Context(), pulltest.In("sales", "orders"))
	got := worker(t, "doctor", "--config", lake.Config, "--nats-url", server.URL())
	require.Equal(t, 0, got.Code, got.Stdout+got.Stderr)
	require.Contains(t, got.Stdout, "sales.orders")
	require.Contains(t, got.Stdout, "policies")
	for _, want := range []string{
		`ok +catalog lake +read a table +file://.*\.metadata\.json`, `ok +catalog lake +list a table +file://`, `ok +catalog lake +table's clock +agrees`, `ok +catalog lake +delete in a table +file://`,
		`ok +catalog lake +commit +allowed`, `ok +catalog lake +list views +allowed`,
	} {
		require.Regexp(t, want, got.Stdout)
	}
	require.Equal(t, before, names(t, lake.Warehouse()))
	require.Equal(t, location, lake.Server.MetadataLocation(t.Context(), pulltest.In("sales", "orders")))

	reader, err := lake.Server.CreatePrincipal("reader", "lake", "TABLE_READ_DATA", "NAMESPACE_LIST")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(lake.Folder+"/reader.txt", []byte(reader+"\n"), 0o600))
	config := lake.Configure(t, "reader.yaml", fmt.Sprintf("catalogs:\n  lake:\n    rest: { uri: %q, credential_file: reader.txt }\n", lake.Server.URI()))
	got = worker(t, "doctor", "--no-nats", "--config", config)
	require.Equal(t, 1, got.Code, got.Stdout)
	require.Regexp(t, `FAIL +catalog lake +commit .*grant the principal TABLE_WRITE_DATA on the catalog`, got.Stdout)
	require.Regexp(t, `warn +catalog lake +list views +not allowed, so .*; grant VIEW_READ_PROPERTIES`, got.Stdout)

	// Of a file that is gone, and of a store that is not the one of the catalog.
	root := strings.TrimPrefix(location, "file://")
	require.NoError(t, os.Rename(root, root+".away"))
	got = worker(t, "doctor", "--no-nats", "--config", lake.Config)
	require.Equal(t, 1, got.Code, got.Stdout)
	require.NoError(t, os.Rename(root+".away", root))

	lake.Server.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind != standin.LoadTable {
			return nil
		}
		return &standin.Fault{Status: http.StatusForbidden, Type: "ForbiddenException", Message: "Principal 'maint' with activated PrincipalRoles '[maint_role]' and activated grants via '[maint_cr]' is not authorized for op LOAD_TABLE_WITH_WRITE_DELEGATION"}
	})
	got = worker(t, "doctor", "--config", lake.Config, "--nats-url", server.URL())
	require.NotEqual(t, 0, got.Code, got.Stdout)
	require.Contains(t, got.Stdout+got.Stderr, "TABLE_WRITE_DATA")
}
