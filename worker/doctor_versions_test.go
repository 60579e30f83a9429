package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/gcstest"
	"deckhand/internal/s3test"
)

func TestDoctorSaysWhetherPurgesFreeWhatTheyDelete(t *testing.T) {
	t.Parallel()
	store := s3test.Start(t)
	s3 := store.StorageConfig()
	catalog := func(versions string) string {
		return "  cloud:\n    locations: [s3://warehouse/]\n    purge: {verify: off, versions: " + versions + "}\n" +
			"    s3: {endpoint: '" + s3.Endpoint + "', path_style: true, access_key_id: x, secret_access_key: x}\n"
	}
	doctor := func(versions string) string {
		return worker(t, "doctor", "--no-nats", "--config", newYard(t, catalog(versions)).config).Stdout
	}
	require.Regexp(t, `ok +catalog cloud +versions +bucket warehouse keeps none`, doctor("keep"))
	store.SetVersioning("warehouse", true)
	require.Regexp(t, `warn +catalog cloud +versions +.*stay billed.*purge.versions: delete`, doctor("keep"))
	require.Regexp(t, `ok +catalog cloud +versions +.*can be deleted`, doctor("delete"))
	require.Empty(t, store.Versions("warehouse"), "the marker of the probe went too")
	store.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "ListObjectVersions" || op == "GetBucketVersioning" {
			return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	})
	require.Regexp(t, `warn +catalog cloud +versions +.*unknown`, doctor("keep"))
	require.Regexp(t, `FAIL +catalog cloud +versions +.*s3:ListBucketVersions`, doctor("delete"))
}

func TestDoctorSaysWhatGoogleKeepsOfPurgedFiles(t *testing.T) {
	t.Parallel()
	for says, opts := range map[string]gcstest.Options{
		`ok +catalog cloud +versions +warehouse keeps nothing`:                                 {},
		`ok +catalog cloud +versions +warehouse keeps no versions .*soft delete for 7 days`:    {SoftDelete: 7 * 24 * time.Hour},
		`warn +catalog cloud +versions +warehouse keeps versions .*enabled.* stay billed; let`: {Versioning: true},
	} {
		store := gcstest.Start(t, opts)
		catalog := "  cloud:\n    locations: [gs://warehouse/]\n    purge: {verify: off}\n    gcs: {endpoint: '" + store.Endpoint() + "', anonymous: true}\n"
		require.Regexp(t, says, worker(t, "doctor", "--no-nats", "--config", newYard(t, catalog).config).Stdout)
	}
}
