package expire_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/maintenance/maintenancetest/rival"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
)

// manySnapshots is a table of 200 snapshots over 20,000 files. The last one has
// rewritten the manifests of all before it: 10 of its own name 9,970 of the files
// and 50 new ones, so that an expiry of all others deletes 9,980 files, 190
// manifests and 199 lists.
func manySnapshots() tabletest.HandmadeTable {
	const appends, each, rewritten = 190, 105, 997
	h := tabletest.HandmadeTable{Location: "s3://warehouse/db/t", Root: "s3://warehouse/db/t/metadata/v200.metadata.json"}
	path := func(n int) string { return fmt.Sprintf("%s/data/bucket=%d/%05d-6f1c2c1e.parquet", h.Location, n%16, n) }
	var named []string
	for m := range appends {
		made := tabletest.HandmadeManifest{Path: fmt.Sprintf("%s/metadata/m%03d.avro", h.Location, m)}
		for f := range each {
			made.Entries = append(made.Entries, tabletest.HandmadeEntry{Status: 1, Path: path(m*each + f), Size: 1000})
		}
		h.Manifests, named = append(h.Manifests, made), append(named, made.Path)
	}
	var last []string
	for m := range 10 {
		made := tabletest.HandmadeManifest{Path: fmt.Sprintf("%s/metadata/r%03d.avro", h.Location, m)}
		for f := range rewritten + 5 {
			n := 9_980 + m*rewritten + f
			if f >= rewritten {
				n = 19_950 + m*5 + f - rewritten
			}
			made.Entries = append(made.Entries, tabletest.HandmadeEntry{Path: path(n), Size: 1000})
		}
		h.Manifests, last = append(h.Manifests, made), append(last, made.Path)
	}
	var snapshots []object
	for s := range 200 {
		list := tabletest.HandmadeList{Path: fmt.Sprintf("%s/metadata/snap-%03d.avro", h.Location, s), Manifests: named[:min(s+1, len(named))]}
		if s == 199 {
			list.Manifests = last
		}
		h.Lists = append(h.Lists, list)
		snapshot := object{"snapshot-id": s + 1, "sequence-number": s + 1, "timestamp-ms": 1_700_000_000_000 + s*1000, "schema-id": 0,
			"manifest-list": list.Path, "summary": object{"operation": "append"}}
		if s > 0 {
			snapshot["parent-snapshot-id"] = s
		}
		snapshots = append(snapshots, snapshot)
	}
	h.Metadata = maintenancetest.CompleteMetadata(snapshots)
	return h
}

// compare measures one expiry by both, from an S3 server that adds latency to each
// request. check looks at what is left.
func compare(b *testing.B, server *s3test.Server, location, params string, retain int, latency time.Duration, check func(tb testing.TB)) {
	full := server.Snapshot()
	b.Run("deckhand", func(b *testing.B) {
		y := newYardOn(b, server)
		rival.Measure(b, server, latency, func() {
			y.Open(location)
			_, err := y.expire(params)
			require.NoError(b, err)
		}, func() { check(b) })
	})
	server.Restore(full)
	b.Run("iceberg-go", func(b *testing.B) {
		rival.Measure(b, server, latency, func() {
			rival.Commit(b, server, location, func(_ context.Context, tx *table.Transaction) error {
				return tx.ExpireSnapshots(table.WithOlderThan(time.Millisecond), table.WithRetainLast(retain))
			})
		}, func() { check(b) })
	})
}

func BenchmarkExpire(b *testing.B) {
	b.Run("many-snapshots", func(b *testing.B) {
		h := manySnapshots()
		server := s3test.Start(b, s3test.Options{Buckets: []string{"warehouse", "other"}})
		require.NoError(b, h.Objects().Load(server))
		for _, m := range h.Manifests {
			for _, e := range m.Entries {
				server.Put("warehouse", strings.TrimPrefix(e.Path, "s3://warehouse/"), []byte("x"))
			}
		}
		compare(b, server, h.Root, expireAll, 1, 20*time.Millisecond, func(tb testing.TB) {
			data := 0
			for _, key := range server.Keys("warehouse") {
				if strings.HasPrefix(key, "db/t/data/") {
					data++
				}
			}
			require.Equal(tb, 20_000-9_980, data)
		})
	})
	b.Run("many-entries", func(b *testing.B) {
		server := s3test.Start(b, s3test.Options{Buckets: []string{"warehouse", "other"}})
		made, err := tabletest.Synthetic(tabletest.SyntheticOptions{
			Location: "s3://warehouse/db/t", Files: 1_000_000, Manifests: 200, Snapshots: 10, Columns: 20,
		}, tabletest.ToBucket(server))
		require.NoError(b, err)
		compare(b, server, made.MetadataLocation, `{"older-than":"0s","retain-last":5}`, 5, 0, func(tb testing.TB) {
			for i, list := range made.ManifestLists {
				_, key, err := tabletest.SplitS3(list)
				require.NoError(tb, err)
				require.Equal(tb, i >= 5, server.Has("warehouse", key), list)
			}
		})
	})
}
