package standin_test

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/standin"
)

// withPurge is a catalog property: the recorded server had the feature switched on.
const withPurge = "polaris.config.drop-with-purge.enabled"

var recordings = []recording{
	{file: "01-oauth", differs: map[string]string{
		"token exchange with the bearer header and Basic": "no token exchange here",
	}},
	{file: "02-config"},
	{file: "03-namespaces", before: map[string]func(*replay){
		"drop empty":             func(p *replay) { require.NoError(p, p.server.CreateNamespace("filecat", "todrop")) },
		"drop non-empty (table)": func(p *replay) { p.makeTable("filecat/a/b/c/t") },
	}},
	{
		file: "03-pagination", opts: standin.Options{Paging: true},
		namespaces: []string{"filecat/pa", "filecat/pb", "filecat/pc", "filecat/pd", "filecat/pe"},
		tables:     []string{"filecat/pa/t0", "filecat/pa/t1", "filecat/pa/t2", "filecat/pa/t3", "filecat/pa/t4"},
		differs: map[string]string{
			"tables page 2 with the older token":        "tokens count here; there they name the last one told",
			"token of a table list used for namespaces": "tokens count here; there they name the last one told",
			"token with another page size":              "tokens count here; there they name the last one told",
			"token without pageSize":                    "tokens count here; there they name the last one told",
		},
	},
	{
		file:       "04-tables",
		namespaces: []string{"s3cat/n", "s3cat/m", "s3cat/n/deep", "filecat/n", "s3static/n", "s3cat/x"},
		tables:     []string{"s3cat/n/deep/d1"},
		before: map[string]func(*replay){
			"register an already registered metadata file under a second name": func(p *replay) {
				p.makeTable("s3cat/n/reg")
				p.names["s3://lab/wh/n/reg/metadata/00000-13968ab2-6cd0-41cf-89cf-44995ae6e90e.metadata.json"] =
					p.server.MetadataLocation(p.Context(), tableAt("s3cat/n/reg"))
			},
			"load of a table with three snapshots (snapshots=all)": func(p *replay) {
				p.seed("s3cat/x/r", "04-x.r", "s3://lab/wh/x/r/metadata/00003-e5d581f9-2948-4f04-bebb-9ecf05deeeba.metadata.json")
			},
			"snapshots=refs, statistics on the current snapshot":          statistics(311243121016533426),
			"snapshots=refs, statistics on an unreferenced snapshot: 400": statistics(662180161333423584),
			"snapshots=refs, partition statistics on an unreferenced snapshot: 400": func(p *replay) {
				p.commit("s3cat/x/r", table.NewRemoveStatisticsUpdate(662180161333423584),
					table.NewSetPartitionStatisticsUpdate(table.PartitionStatisticsFile{SnapshotID: 662180161333423584, StatisticsPath: "s3://lab/p"}))
			},
			"snapshots=refs after remove-partition-statistics": func(p *replay) {
				p.commit("s3cat/x/r", table.NewRemovePartitionStatisticsUpdate(662180161333423584))
			},
		},
	},
	{
		file: "05-commits", namespaces: []string{"s3cat/c", "s3cat/x"},
		before: map[string]func(*replay){
			"x.r: branch and tag on the second snapshot": func(p *replay) {
				p.seed("s3cat/x/r", "05-x.r", "s3://lab/wh/x/r/metadata/00008-e3bb8c3c-60a7-421f-820c-baf67301fce0.metadata.json")
			},
			"load x1: the failed transaction left nothing": func(p *replay) { p.makeTable("s3cat/c/x1") },
			"commit on a table dropped and created again: uuid differs": func(p *replay) {
				p.makeTable("s3cat/c/x1")
			},
		},
		differs: map[string]string{"gzip content (Content-Encoding: gzip)": "its body was not recorded"},
	},
	{file: "05-commits-idempotency", opts: standin.Options{Idempotency: true}, namespaces: []string{"filecat/idem"}},
	{
		file: "06-drop", purge: true, namespaces: []string{"s3cat/d", "filecat/d"},
		tables: []string{
			"s3cat/d/a", "s3cat/d/b", "s3cat/d/c", "s3cat/d/e", "s3cat/d/f", "filecat/d/ff", "s3cat/d/gone",
		},
		before: map[string]func(*replay){
			"load, metadata file is missing in storage": func(p *replay) {
				location := p.server.MetadataLocation(p.Context(), tableAt("s3cat/d/gone"))
				p.store.Remove("lab", strings.TrimPrefix(location, "s3://lab/"))
			},
			"If-None-Match with the right ETag, metadata file missing": func(p *replay) {
				p.names[`W/"96d8bb83ea69f5d078726663db1e38d18c81c33149b459675729984896bb0ff6"`] = p.etag("s3cat/d/gone")
			},
			"load, metadata file is not JSON (may still be cached)": func(p *replay) {
				p.makeTable("s3cat/d/corrupt")
				location := p.server.MetadataLocation(p.Context(), tableAt("s3cat/d/corrupt"))
				p.store.Put("lab", strings.TrimPrefix(location, "s3://lab/"), []byte("no JSON"))
			},
		},
	},
	{file: "06-drop-refused", namespaces: []string{"s3cat/d"}, tables: []string{"s3cat/d/a", "s3cat/d/b"}, before: map[string]func(*replay){
		"catalog property polaris.config.drop-with-purge.enabled=true: purge allowed": func(p *replay) { p.makeTable("purgecat/d/a") },
		"catalog property polaris.config.purge-view-metadata-on-drop=false: drop view": func(p *replay) {
			require.NoError(p, p.server.AddView(tableAt("viewcat/d/v")))
		},
	}},
	{
		file:       "07-policies",
		namespaces: []string{"polcat/pol", "polcat/a/b"},
		tables:     []string{"polcat/a/b/t", "polcat/a/b/t2", "polcat/a/ta"},
		views:      []string{"polcat/a/v"}, generic: []string{"polcat/a/g"},
	},
	{file: "08-generic-tables", namespaces: []string{"s3cat/g"}, before: map[string]func(*replay){
		"load an Iceberg table as generic": func(p *replay) { p.makeTable("s3cat/g/ice") },
	}},
	{
		file: "09-views", purge: true, namespaces: []string{"s3cat/v"}, tables: []string{"s3cat/v/t"},
		differs: map[string]string{
			"replace (new version)": "views are not changed here", "replace, wrong uuid": "views are not changed here",
			"rename": "views are not renamed here", "drop": "views are not renamed here",
		},
	},
	{
		file: "10-privileges", purge: true, namespaces: []string{"privcat/n/sub"}, views: []string{"privcat/n/v"},
		before: map[string]func(*replay){
			"create principal maint": privileged,
			"drop table [TABLE_WRITE_DATA+NAMESPACE_LIST]": func(p *replay) {
				p.makeTable("privcat/n/tmp_maint")
				p.makeTable("privcat/n/tmp_maint2")
			},
		},
		differs: map[string]string{
			"get catalog (management) [full set]":        "the storage of the recorded catalog had a role",
			"rotate credentials as the principal itself": "credentials are not rotated here",
		},
	},
}

// privileged is what the recording of privileges began with.
func privileged(p *replay) {
	p.seed("privcat/n/t", "10-n.t", "s3://lab/priv/n/t/metadata/00001-46c1e1ea-aa90-4560-a60c-402375fc9662.metadata.json")
	policy := standin.Policy{
		Catalog: "privcat", Namespace: []string{"n"}, Name: "pe", Type: "system.snapshot-expiry", Content: `{"enable":true}`,
	}
	require.NoError(p, p.server.PutPolicy(policy))
	require.NoError(p, p.server.Attach(policy, standin.Target{}))
}

// seed puts a table there as it was recorded, under its own uuid and location.
func (p *replay) seed(path, file, location string) {
	data, err := os.ReadFile(filepath.Join("testdata", "exchanges", file+".metadata.json"))
	require.NoError(p, err)
	p.store.Put("lab", strings.TrimPrefix(location, "s3://lab/"), data)
	require.NoError(p, p.server.Register(p.Context(), tableAt(path), location))
	p.tick(data)
}

func (p *replay) commit(path string, updates ...table.Update) {
	require.NoError(p, p.server.Commit(p.Context(), tableAt(path), nil, updates))
}

func statistics(snapshot int64) func(*replay) {
	return func(p *replay) {
		p.commit("s3cat/x/r", table.NewSetStatisticsUpdate(table.StatisticsFile{
			SnapshotID: snapshot, StatisticsPath: "s3://lab/s", BlobMetadata: []table.BlobMetadata{},
		}))
	}
}
