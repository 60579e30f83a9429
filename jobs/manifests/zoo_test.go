package manifests_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
)

// Tables that Spark, Iceberg's Java library and PyIceberg wrote, in a catalog that
// commits by Polaris' rules.
func TestZooTablesSayTheSameAfterwards(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.Server)
	full := y.Server.Snapshot()
	rewritten := 0
	for _, made := range zoo.Tables {
		t.Run(made.Name, func(t *testing.T) {
			y.T = t
			y.Server.Restore(full)
			c := y.AtCounter(made.MetadataLocation)
			load := func() *table.Metadata {
				loaded, err := c.Load(t.Context(), polaris.Identifier{}, polaris.LoadOptions{})
				require.NoError(t, err)
				return loaded.Metadata
			}
			before := load()
			reached, keys := y.Reach(before), y.Files()
			var was content
			if s := current(t, before); s != nil {
				was = y.contentOf(s)
			}
			var rows map[int64][]string
			if maintenancetest.UnreadableByIcebergGo[made.Name] == "" {
				rows = y.Rows(made.MetadataLocation)
			}
			r, err := y.rewriteAt(c, `{}`)
			require.NoError(t, err)
			require.Empty(t, r.Kept)
			after := load()
			require.Empty(t, y.Missing(keys), "no file is deleted")
			for _, s := range before.Snapshots {
				require.Equal(t, reached[s.ID], y.Reach(after)[s.ID])
			}
			if r.Written.Files == 0 {
				require.Equal(t, before, after)
				require.Equal(t, keys, y.Files())
				return
			}
			rewritten++
			require.Len(t, after.Snapshots, len(before.Snapshots)+1)
			now := current(t, after)
			require.Equal(t, r.SnapshotID, idText(now.ID))
			require.Equal(t, before.CurrentSnapshotID, now.ParentID)
			require.Equal(t, "replace", now.Operation)
			require.Equal(t, was, y.contentOf(now))
			require.Len(t, y.manifestsOf(now), int(r.After.Files))
			require.Less(t, r.After.Files, r.Before.Files)
			ref := before.Refs["main"]
			ref.SnapshotID = now.ID
			require.Equal(t, ref, after.Refs["main"])
			if rows != nil {
				location := c.Catalog.MetadataLocation(t.Context(), c.Table)
				rows[now.ID] = rows[before.CurrentSnapshotID]
				require.Equal(t, rows, y.Rows(location))
			}
			again, err := y.rewriteAt(c, `{}`)
			require.NoError(t, err)
			require.Zero(t, again.Written)
			require.Equal(t, after, load(), "a second run finds nothing")
		})
	}
	require.Greater(t, rewritten, 20)
	t.Log(rewritten, "rewritten")
}
