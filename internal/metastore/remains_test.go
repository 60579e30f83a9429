package metastore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

func TestManifestPathsAreReadAsIcebergEncodesThem(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/manifest-file-data.txt")
	require.NoError(t, err)
	n := 0
	for line := range strings.Lines(string(data)) {
		name, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
		want := "s3://warehouse/db/t/metadata/" + name[1:2]
		if want += "-m1.avro"; strings.HasSuffix(name, "_data") {
			want = "s3://warehouse/db/t/metadata/größe " + name[1:2] + "-m0.avro"
		}
		path, err := manifestPath(encoded)
		require.NoError(t, err, name)
		require.Equal(t, want, path)
		n++

		raw, err := base64.StdEncoding.DecodeString(encoded)
		require.NoError(t, err)
		for cut := range bytes.Index(raw, []byte(want)) + len(want) {
			_, err := manifestPath(base64.StdEncoding.EncodeToString(raw[:cut]))
			require.ErrorIs(t, err, errManifestData, "%d of %d bytes", cut, len(raw))
		}
	}
	require.Equal(t, 5, n)
	_, err = manifestPath("no base64")
	require.ErrorIs(t, err, errManifestData)
}

func FuzzManifestPath(f *testing.F) {
	data, err := os.ReadFile("testdata/manifest-file-data.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		_, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if path, err := manifestPath(base64.StdEncoding.EncodeToString(raw)); err == nil && path == "" {
			t.Fatal("an empty path is no path")
		}
	})
}

// subTasks are rows whose properties Polaris' own classes made.
func subTasks(t *testing.T) []*Task {
	t.Helper()
	data, err := os.ReadFile("testdata/sub-task-properties.json")
	require.NoError(t, err)
	var properties []map[string]string
	require.NoError(t, json.Unmarshal(data, &properties))
	var all []*Task
	for i, p := range properties {
		all = append(all, &Task{Realm: "R", ID: int64(i + 1), Name: "entityCleanup_4711_[s3://a_b]_00000000-0000-0001-0000-000000000002", Version: 1,
			Created: time.UnixMilli(7), properties: p,
			internal: map[string]string{"storageLocation": "s3://warehouse/db/t", "gc.enabled": "false", "secret.key": "secret"}})
	}
	return all
}

func remainsOf(t *testing.T, all []*Task) []*Remains {
	t.Helper()
	var remains []*Remains
	for _, task := range all {
		r, ok := task.Content().(*Remains)
		require.True(t, ok, "%+v", task.Content())
		require.Equal(t, "4711", r.Entity)
		remains = append(remains, r)
	}
	return remains
}

func TestSubTasksBecomeOneJob(t *testing.T) {
	t.Parallel()
	rows := remainsOf(t, subTasks(t))
	batches, later, err := Batches("lake", nil, rows)
	require.NoError(t, err)
	require.Empty(t, later)
	require.Len(t, batches, 1)
	require.Len(t, batches[0].Rows, 2)
	job := batches[0].Job
	require.Equal(t, "R."+job.EntityID, job.ID)
	require.Equal(t, []string{"db", "e.u ü"}, job.Namespace)
	require.Equal(t, []string{"s3://warehouse/db/t"}, job.Locations)
	require.False(t, *job.GCEnabled)
	require.JSONEq(t, `{"manifests":["s3://warehouse/db/t/metadata/m0.avro"],
		"files":["s3://warehouse/db/t/metadata/snap-1.avro","s3://warehouse/db/t/metadata/00000-a.metadata.json"]}`, string(job.Params))
	body, err := job.Encode()
	require.NoError(t, err)
	require.NotContains(t, string(body), "secret")
	_, err = jobs.Decode(body)
	require.NoError(t, err)
}

func TestManySubTasksBecomeJobsThatFitAndKeepRowsWhole(t *testing.T) {
	t.Parallel()
	like := remainsOf(t, subTasks(t))[1]
	var rows []*Remains
	want := map[string]bool{}
	for i := range 5000 {
		row := *like
		row.Task = &Task{Realm: "R", ID: int64(i)}
		row.Files = nil
		for k := range 3 {
			file := fmt.Sprintf("s3://warehouse/db/t/metadata/<%d>-%d-%s.avro", i, k, strings.Repeat("x", 40))
			row.Files = append(row.Files, file)
			want[file] = true
		}
		rows = append(rows, &row)
	}
	batches, later, err := Batches("lake", nil, rows)
	require.NoError(t, err)
	require.Empty(t, later)
	require.Greater(t, len(batches), 4)
	subjects := map[string]bool{}
	covered := 0
	for _, batch := range batches {
		body, err := batch.Job.Encode()
		require.NoError(t, err)
		require.Less(t, len(body), jobs.MaxJobBytes)
		subjects[batch.Job.Subject()] = true
		covered += len(batch.Rows)
		var params jobs.FilesParams
		require.NoError(t, json.Unmarshal(batch.Job.Params, &params))
		require.Len(t, params.Files, 3*len(batch.Rows))
		for _, file := range params.Files {
			require.True(t, want[file])
			delete(want, file)
		}
	}
	require.Empty(t, want)
	require.Equal(t, 5000, covered)
	require.Len(t, subjects, len(batches))

	wide := *like
	wide.job.Namespace = []string{strings.Repeat("n", jobs.MaxJobBytes)}
	_, _, err = Batches("lake", nil, []*Remains{&wide})
	require.ErrorContains(t, err, "more than the queue takes")
	like.Files = []string{strings.Repeat("x", jobs.MaxJobBytes)}
	_, _, err = Batches("lake", nil, []*Remains{like})
	require.ErrorContains(t, err, "more files than a job can")
}

func TestListedFilesAreNeverInAJobThatCouldOvertakeTheirManifests(t *testing.T) {
	t.Parallel()
	like := remainsOf(t, subTasks(t))[1]
	rowsOf := func(manifests, lists int) (rows []*Remains) {
		for i := range lists + manifests { // the lists first
			row := *like
			row.Task, row.Files, row.Manifests = &Task{Realm: "R", ID: int64(i)}, nil, nil
			path := []string{fmt.Sprintf("s3://warehouse/db/t/metadata/%05d-%s.avro", i, strings.Repeat("x", 60))}
			if i < lists {
				row.Files = path
			} else {
				row.Manifests = path
			}
			rows = append(rows, &row)
		}
		return rows
	}
	for _, tt := range []struct{ manifests, lists int }{{100, 100}, {100, 5000}, {5000, 100}, {5000, 0}, {0, 5000}, {5000, 5000}} {
		rows := rowsOf(tt.manifests, tt.lists)
		batches, later, err := Batches("lake", nil, rows)
		require.NoError(t, err)
		seen := map[int64]bool{}
		for _, batch := range batches {
			var params jobs.FilesParams
			require.NoError(t, json.Unmarshal(batch.Job.Params, &params))
			require.Len(t, batch.Rows, len(params.Manifests)+len(params.Files))
			if len(params.Files) > 0 {
				require.Len(t, params.Manifests, tt.manifests, "%+v", tt)
			}
			for _, row := range batch.Rows {
				require.False(t, seen[row.ID])
				seen[row.ID] = true
			}
		}
		for _, batch := range later {
			for _, row := range batch.Rows {
				require.Less(t, row.ID, int64(tt.lists), "only lists wait")
				require.False(t, seen[row.ID])
				seen[row.ID] = true
			}
		}
		require.Len(t, seen, tt.manifests+tt.lists)
		fits := tt.manifests+tt.lists <= 200 || tt.lists == 0 || tt.manifests == 0
		require.Equal(t, fits, len(later) == 0, "%+v", tt)

		// The rows of the manifests may be deleted before those of the lists.
		var lists []*Remains
		for _, row := range rows {
			if slices.ContainsFunc(later, func(b Batch) bool { return slices.Contains(b.Rows, row.Task) }) {
				lists = append(lists, row)
			}
		}
		alone, none, err := Batches("lake", nil, lists)
		require.NoError(t, err)
		require.Empty(t, none)
		require.Equal(t, later, alone)
	}
}

func TestACatalogIsFoundByALocationOnlyIfItIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	catalogs := &Catalogs{[]catalogRow{
		{"R", 1, "lake", []string{"s3://lab/wh", "s3://lab/more/"}}, {"R", 2, "pond", []string{"s3://lab/wh2"}},
		{"R", 3, "one", []string{"s3://shared"}}, {"R", 4, "two", []string{"s3://shared/x"}}, {"S", 1, "other", []string{"s3://lab/wh"}},
	}}
	for location, want := range map[string]string{
		"s3://lab/wh/q/t": "lake", "s3://lab/more": "lake", "s3://lab/wh2/q/t": "pond", "s3://shared/y": "one",
		"s3://shared/x/t": "", "s3://elsewhere/t": "", "": "", "s3://lab/wh/../x": "",
	} {
		name, found := catalogs.At("R", location)
		require.Equal(t, want != "", found, location)
		if found {
			require.Equal(t, want, name)
		}
	}
	name, found := catalogs.Name("S", 1)
	require.True(t, found)
	require.Equal(t, "other", name)
	_, found = catalogs.Name("S", 2)
	require.False(t, found)
}
