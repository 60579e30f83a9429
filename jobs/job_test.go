package jobs

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden are the jobs whose bytes other languages are held to.
func golden() map[string]*Job {
	no := false
	full := purgeJob()
	full.Locations = []string{"s3://lake/sales/eu/orders", "s3://data/orders"}
	full.GCEnabled = &no
	full.Storage = &Storage{
		Type: "S3", Region: "us-west-2", Endpoint: "https://s3.example", EndpointInternal: "http://minio:9000",
		STSEndpoint: "https://sts.example", STSUnavailable: true, PathStyleAccess: true,
		RoleARN: "arn:aws:iam::123456789012:role/purge", ExternalID: "x<y>&z",
		TenantID: "tenant", GCPServiceAccount: "purge@example.iam",
	}
	full.RequestedBy = "alice <alice@example.com>"
	full.RequestedAt = At(time.Date(2026, 11, 22, 9, 40, 0, 123456789, time.UTC))
	full.NotBefore = At(time.Date(2026, 11, 22, 10, 40, 0, 0, time.FixedZone("CET", 3600)))
	full.DryRun = true
	full.Params = json.RawMessage(`{"deleted_entries":true}`)

	minimal := purgeJob()
	polaris := purgeJob()
	polaris.ID = "POLARIS.8126405347123456789"

	odd := purgeJob()
	odd.Namespace = []string{"a.b", "c d", "e/f", "größe", "*", ">"}
	odd.Table = "quote\" back\\slash tab\t\u0001 \u2028\u2029 <&> 😀"

	long := purgeJob()
	long.Namespace, long.Table = []string{strings.Repeat("n", 600), "b"}, strings.Repeat("ü", 300)

	view := purgeJob()
	view.Kind, view.TableUUID, view.EntityID = PurgeView, "", "8126405347123456790"

	shard := purgeJob()
	shard.ID, shard.Kind, shard.Shard = "01JD8ZK3W9QJ5V7B2N4M6P8R0V", PurgeShard, 42
	shard.Params = json.RawMessage(`{"plan":"0123456789abcdef","manifests":[{"path":"s3://lake/sales/eu/orders/metadata/a-m0.avro","length":8000}]}`)
	finish := purgeJob()
	finish.ID, finish.Kind = "01JD8ZK3W9QJ5V7B2N4M6P8R0W", PurgeFinish
	finish.Params = json.RawMessage(`{"plan":"0123456789abcdef","shards":42}`)
	longShard := purgeJob()
	longShard.Kind, longShard.Shard = PurgeShard, MaxShards
	longShard.Table = strings.Repeat("t", maxTail-len(longShard.measuredTail())+len(longShard.Table))

	files := purgeJob()
	files.Namespace, files.MetadataLocation = []string{"größe"}, ""
	files.Locations = []string{"s3://lake/sales/eu/orders"}
	if err := files.SetFiles("8126405347123456790", FilesParams{
		Manifests: []string{"s3://lake/sales/eu/orders/metadata/a <&> ü-m0.avro", "s3://lake/sales/eu/orders/metadata/b-m0.avro"},
		Files:     []string{"s3://lake/sales/eu/orders/metadata/snap-1.avro"},
	}); err != nil {
		panic(err)
	}
	files.ID = files.Realm + "." + files.EntityID

	expire := purgeJob()
	expire.Kind, expire.MetadataLocation = Expire, ""
	expire.Params = json.RawMessage(`{"retain-last":10,"older-than":"7d","clean-expired-metadata":true}`)
	orphans := purgeJob()
	orphans.Kind, orphans.MetadataLocation = Orphans, ""
	orphans.Params = json.RawMessage(`{"older-than":"5d","quarantine":"14d","max-files":100000}`)
	manifests := purgeJob()
	manifests.Kind, manifests.MetadataLocation, manifests.TableUUID = Manifests, "", ""
	manifests.Params = json.RawMessage(`{"target-size-bytes":8388608,"min-commits":100}`)
	return map[string]*Job{
		"purge-full": full, "purge-minimal": minimal, "purge-from-polaris": polaris, "purge-odd-names": odd,
		"purge-long-names": long, "purge-view": view,
		"shards/purge-shard": shard, "shards/purge-finish": finish, "shards/purge-shard-long-name": longShard,
		"rescue/purge-files": files, "maintenance/expire": expire,
		"maintenance/orphans": orphans, "maintenance/manifests": manifests,
	}
}

func TestGoldenFilesHoldTheCanonicalBytesAndSubjects(t *testing.T) {
	t.Parallel()
	for name, job := range golden() {
		body, err := job.Encode()
		require.NoError(t, err)
		file := filepath.Join("testdata", name+".json")
		subjectFile := filepath.Join("testdata", name+".subject")
		if *update {
			require.NoError(t, os.WriteFile(file, body, 0o644))
			require.NoError(t, os.WriteFile(subjectFile, []byte(job.Subject()), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), string(body), name)
		subject, err := os.ReadFile(subjectFile)
		require.NoError(t, err)
		require.Equal(t, string(subject), job.Subject(), name)

		back, err := Decode(want)
		require.NoError(t, err, name)
		again, err := back.Encode()
		require.NoError(t, err)
		require.Equal(t, string(want), string(again), name)
	}
}

func TestEncodingEscapesOnlyWhatJSONDemands(t *testing.T) {
	t.Parallel()
	job := purgeJob()
	job.Table = "\\u2028 \u2028 <>&"
	body, err := job.Encode()
	require.NoError(t, err)
	require.Contains(t, string(body), `"table":"\\u2028 `+"\u2028"+` <>&"`)
}

func TestMalformedJobsNameTheirField(t *testing.T) {
	t.Parallel()
	valid, err := purgeJob().Encode()
	require.NoError(t, err)
	change := func(change func(map[string]any)) string {
		var m map[string]any
		require.NoError(t, json.Unmarshal(valid, &m))
		change(m)
		body, err := json.Marshal(m)
		require.NoError(t, err)
		return string(body)
	}
	without := func(key string) string { return change(func(m map[string]any) { delete(m, key) }) }
	with := func(key string, value any) string { return change(func(m map[string]any) { m[key] = value }) }

	for body, field := range map[string]string{
		"":                                   "body",
		"purge it":                           "body",
		"[]":                                 "body",
		string(valid[:20]):                   "body",
		without("v"):                         "v",
		without("id"):                        "id",
		without("kind"):                      "kind",
		without("realm"):                     "realm",
		without("catalog"):                   "catalog",
		without("namespace"):                 "namespace",
		without("table"):                     "table",
		without("table_uuid"):                "table_uuid",
		without("metadata_location"):         "metadata_location",
		with("v", "1"):                       "v",
		with("v", 0):                         "v",
		with("kind", "purgee"):               "kind",
		with("kind", 7):                      "kind",
		with("namespace", "sales"):           "namespace",
		with("namespace", []string{}):        "namespace",
		with("namespace", []string{"a", ""}): "namespace",
		with("locations", []string{""}):      "locations",
		with("locations", "s3://x"):          "locations",
		with("gc_enabled", "no"):             "gc_enabled",
		with("dry_run", "yes"):               "dry_run",
		with("storage", "S3"):                "storage",
		with("requested_at", "yesterday"):    "requested_at",
		with("params", []int{1}):             "params",
		with("kind", "purge-files"):          "entity_id",
		with("kind", "purge-shard"):          "shard",
		with("shard", 1):                     "shard",
		with("shard", "1"):                   "shard",
	} {
		_, err := Decode([]byte(body))
		var fieldErr *FieldError
		require.ErrorAs(t, err, &fieldErr, body)
		require.Equal(t, field, fieldErr.Field, "%s: %v", body, err)
	}
}

func TestKeysThatCanBeReadInTwoWaysAreRefused(t *testing.T) {
	t.Parallel()
	valid, err := purgeJob().Encode()
	require.NoError(t, err)
	for more, message := range map[string]string{
		`"Dry_Run":true`:                   "field Dry_Run: is written dry_run",
		`"dry_run":true,"dry_run":false`:   "field dry_run: appears twice",
		`"id":"another"`:                   "field id: appears twice",
		`"dry_run":true,"DRY_RUN":false`:   "field DRY_RUN: is written dry_run",
		`"colour":"blue","colour":"green"`: "",
	} {
		_, err := Decode([]byte(`{` + more + `,` + string(valid[1:])))
		if message == "" {
			require.NoError(t, err, more)
			continue
		}
		require.EqualError(t, err, message)
	}
}

// A second job with other files must never be taken for the first one, or its
// files would be forgotten.
func TestPurgesOfFilesAreOneJobOnlyWithTheSameFiles(t *testing.T) {
	t.Parallel()
	subject := func(params FilesParams) string {
		job := purgeJob()
		job.MetadataLocation = ""
		require.NoError(t, job.SetFiles("4711", params))
		require.NoError(t, job.Validate())
		return job.Subject()
	}
	one := subject(FilesParams{Manifests: []string{"s3://a"}})
	require.Regexp(t, `^jobs\.purge-files\..*\.4711-[0-9a-f]{32}$`, one)
	require.Equal(t, one, subject(FilesParams{Manifests: []string{"s3://a"}}))
	for _, other := range []FilesParams{
		{Files: []string{"s3://a"}}, {Manifests: []string{"s3://b"}}, {Manifests: []string{"s3://a"}, Files: []string{"s3://b"}},
	} {
		require.NotEqual(t, one, subject(other))
	}
}

func TestUnknownFieldsAreIgnoredAndHigherVersionsWait(t *testing.T) {
	t.Parallel()
	valid, err := purgeJob().Encode()
	require.NoError(t, err)
	_, err = Decode([]byte(strings.Replace(string(valid), `{"v":1`, `{"colour":"blue","v":1`, 1)))
	require.NoError(t, err)

	newer := strings.Replace(string(valid), `"v":1`, `"v":2`, 1)
	job, err := Decode([]byte(strings.Replace(newer, `"table":"orders"`, `"table":{"name":"orders"}`, 1)))
	require.ErrorIs(t, err, ErrNewerVersion)
	require.Equal(t, "POLARIS", job.Realm)
}

func TestSubjectsThatDifferFromTheBodyNameTheToken(t *testing.T) {
	t.Parallel()
	job := purgeJob()
	for subject, token := range map[string]string{
		"jobs.purge-view.POLARIS.lake.sales/eu.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b": "kind",
		"jobs.purge.OTHER.lake.sales/eu.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b":        "realm",
		"jobs.purge.POLARIS.pond.sales/eu.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b":      "catalog",
		"jobs.purge.POLARIS.lake.sales.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b":         "namespace",
		"jobs.purge.POLARIS.lake.sales/eu.order.6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b":       "table",
		"jobs.purge.POLARIS.lake.sales/eu.orders.other":                                     "table_uuid",
		"jobs.purge.POLARIS.lake.sales/eu.orders":                                           "table_uuid",
		job.Subject() + ".more": "more",
		job.Subject() + ".0001": "0001",
	} {
		err := job.CheckSubject(subject)
		require.ErrorContains(t, err, "field subject")
		require.ErrorContains(t, err, token)
	}
}

func FuzzDecode(f *testing.F) {
	for _, job := range golden() {
		body, err := job.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"v":9}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		job, err := Decode(body)
		if err != nil {
			return
		}
		canonical, err := job.Encode()
		if err != nil {
			t.Fatalf("a decoded job does not encode: %v", err)
		}
		if _, err := Decode(canonical); err != nil {
			t.Fatalf("the canonical form does not decode: %v\n%s", err, canonical)
		}
	})
}
