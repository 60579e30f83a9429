package purge_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/tabletest"
	"deckhand/jobs/purge"
)

// Tables that say what no writer would: each is purged as one job and in shards of
// one manifest, and must end the same.
func TestAHandmadeTableInShardsEndsAsInOneJob(t *testing.T) {
	t.Parallel()
	add := func(h *tabletest.HandmadeTable, manifest int, entries ...tabletest.HandmadeEntry) {
		h.Manifests[manifest].Entries = append(h.Manifests[manifest].Entries, entries...)
	}
	deleted := func(path string) tabletest.HandmadeEntry {
		return tabletest.HandmadeEntry{Status: 2, Path: path, Size: 100}
	}
	existing := func(path string) tabletest.HandmadeEntry { return tabletest.HandmadeEntry{Path: path, Size: 100} }
	cases := []struct {
		name   string
		change func(h *tabletest.HandmadeTable)
		policy purge.Policy
		params string
	}{
		{name: "plain", change: func(*tabletest.HandmadeTable) {}},
		{name: "files of two shards", change: func(h *tabletest.HandmadeTable) {
			add(h, 0, existing(home+"/data/1-0"), existing(home+"/data/2-0"))
			add(h, 2, existing(home+"/data/1-0"), existing(strings.Replace(home, "s3:", "s3a:", 1)+"/data/0-0"))
		}},
		{name: "deleted here and live there", change: func(h *tabletest.HandmadeTable) {
			add(h, 0, deleted(home+"/data/2-0"), deleted(home+"/data/gone"), deleted(home+"/data/gone2"))
			add(h, 1, deleted(home+"/data/gone"), deleted(home+"/data/0-0"))
		}},
		{name: "deleted entries go too", params: `{"deleted_entries":true}`, change: func(h *tabletest.HandmadeTable) {
			add(h, 0, deleted(home+"/data/2-0"), deleted(home+"/data/gone"))
			add(h, 1, deleted(home+"/data/gone"))
		}},
		{name: "levels above", change: func(h *tabletest.HandmadeTable) {
			h.Metadata = map[string]any{
				"statistics":   []any{map[string]any{"statistics-path": home + "/metadata/s.puffin", "file-size-in-bytes": 7}},
				"metadata-log": []any{map[string]any{"metadata-file": home + "/metadata/8.metadata.json"}},
			}
			for _, path := range []string{h.Manifests[2].Path, h.Lists[0].Path, home + "/metadata/s.puffin",
				home + "/metadata/8.metadata.json", h.Root, h.Manifests[0].Path, home + "/metadata/data.parquet"} {
				add(h, 0, entry(path))
			}
		}},
		{name: "manifests in several folders", change: func(h *tabletest.HandmadeTable) {
			h.Manifests[3].Path = home + "/old/m.avro"
			h.Lists[0].Manifests[3] = h.Manifests[3].Path
			add(h, 0, entry(h.Manifests[3].Path), entry(home+"/old/x"))
		}},
		{name: "gc off", change: func(h *tabletest.HandmadeTable) {
			h.Metadata = map[string]any{"properties": map[string]string{"gc.enabled": "false"}}
			add(h, 0, existing(home+"/data/1-0"))
		}},
		{name: "outside, kept", change: func(h *tabletest.HandmadeTable) {
			add(h, 0, entry("s3://other/x"), entry("hdfs://no/where"))
			add(h, 2, existing("s3://other/x"))
		}},
		{name: "outside, forgotten", policy: purge.Policy{Outside: purge.OutsideForget}, change: func(h *tabletest.HandmadeTable) {
			add(h, 0, entry("s3://other/x"))
			add(h, 2, existing("s3://other/x"))
		}},
		{name: "outside, allowed", policy: purge.Policy{Scope: purge.ScopeCatalog}, change: func(h *tabletest.HandmadeTable) {
			add(h, 0, entry("s3://other/x"))
		}},
		{name: "a manifest is absent", change: func(h *tabletest.HandmadeTable) { h.Manifests[1].Absent = true }},
		{name: "all manifests of a list are absent", change: func(h *tabletest.HandmadeTable) {
			h.Lists = append(h.Lists, tabletest.HandmadeList{Path: home + "/metadata/l2.avro", Manifests: []string{home + "/metadata/none.avro"}, Absent: true})
			h.Manifests[0].Absent, h.Manifests[3].Absent = true, true
		}},
		{name: "a list in another spelling", change: func(h *tabletest.HandmadeTable) {
			add(h, 1, entry("s3://other/x"))
			h.Lists = append(h.Lists, tabletest.HandmadeList{
				Path: home + "/metadata/l2.avro", Manifests: []string{strings.Replace(h.Manifests[1].Path, "s3://", "s3a://", 1)},
			})
		}},
		{name: "metadata outside", change: func(h *tabletest.HandmadeTable) { h.Lists[0].Path = "s3://other/l.avro" }},
		{name: "no manifest at all", change: func(h *tabletest.HandmadeTable) { h.Manifests, h.Lists = nil, nil }},
	}
	y := newYard(t)
	empty := y.server.Snapshot()
	l := newLine(y, purge.Policy{}, 1)
	for i, c := range cases {
		h := numbered(4, 3)
		c.change(&h)
		y.server.Restore(empty)
		y.lay(h)
		if c.name == "levels above" {
			y.server.Put("warehouse", "db/t/metadata/s.puffin", []byte("1234567"))
			y.server.Put("warehouse", "db/t/metadata/8.metadata.json", []byte("{}"))
		}
		full := y.server.Snapshot()
		one := jobFor(tabletest.HandmadeUUID, h.Root)
		one.Params = []byte(c.params)
		want, wantErr := run(t, y.tables(c.policy), one, &jobtest.Progress{})
		left := y.keys()

		y.server.Restore(full)
		l.reset()
		l.cfg.Catalogs[0].Policy = y.config(c.policy).Catalogs[0].Policy
		l.rebuild()
		job := numberedJob(tabletest.HandmadeUUID, h.Root, i)
		job.Params = []byte(c.params)
		l.submit(job)
		l.drain()
		require.Equal(t, left, y.keys(), c.name)
		got, _ := l.ended(job)
		if wantErr == nil {
			require.Empty(t, l.dead, c.name)
			require.NotNil(t, got, c.name)
			sameSums(t, want, got, c.name)
			continue
		}
		require.Nil(t, got, "%s: a purge whose finish is dead has not ended", c.name)
		require.Len(t, l.dead, 1, c.name)
		for tail, err := range l.dead {
			require.True(t, strings.HasPrefix(tail, "purge-finish."), "%s: %s", c.name, tail)
			require.Equal(t, wantErr.Error(), err.Error(), c.name)
			result, _, err := l.q.LastResult(t.Context(), tail)
			require.NoError(t, err)
			sameSums(t, want, receiptOf(t, result), c.name)
		}
	}
}
