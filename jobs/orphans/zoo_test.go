package orphans_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
)

// Tables that Spark, Iceberg's Java library and PyIceberg wrote, all of one store
// side by side. What the zoo says that nothing refers to goes where it is not
// hidden, and what is planted; all else stays, and every snapshot reads the same.
func TestZooTablesLoseExactlyTheirOrphans(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	y.among(&town{})
	zoo.Load(y.Server)
	full := y.Server.Snapshot()
	read, lost := 0, 0
	for _, made := range zoo.Tables {
		t.Run(made.Name, func(t *testing.T) {
			y.T = t
			y.Server.Restore(full)
			y.Open(made.MetadataLocation)
			m := y.Metadata()
			if !m.GCEnabled() {
				y.refuses(quickly, "gc.enabled")
				return
			}
			gone := map[string]bool{}
			var own []storage.Location
			for _, text := range m.Locations() {
				l, err := storage.Parse(text)
				require.NoError(t, err)
				own = append(own, l)
				for _, name := range []string{"planted.parquet", "data/x/planted %20+é.parquet", "metadata/planted-m0.avro"} {
					planted := l.Join(name).String()
					y.Put(planted, []byte("planted"))
					gone[planted] = true
				}
			}
			for _, text := range made.Unreferenced {
				l, err := storage.Parse(text)
				require.NoError(t, err)
				for _, home := range own {
					if below, found := strings.CutPrefix(l.String(), home.String()); found && !strings.Contains("/"+below, "/_") && !strings.Contains("/"+below, "/.") {
						gone[l.String()] = true
					}
				}
			}
			named := y.reaches()
			keys := y.Keys()
			rows := map[int64][]string{}
			if mt.UnreadableByIcebergGo[made.Name] == "" {
				rows = y.Rows(made.MetadataLocation)
			}
			r, err := y.search(quickly)
			require.NoError(t, err)
			var want []string
			for _, key := range keys {
				if !gone[key] {
					want = append(want, key)
				} else {
					require.False(t, named[table.Identity(key)])
				}
			}
			require.Equal(t, want, y.Keys())
			require.EqualValues(t, len(keys)-len(want), r.Deleted.Total().Files)
			lost += len(keys) - len(want) - 3*len(own)
			if len(rows) > 0 {
				require.Equal(t, rows, y.Rows(made.MetadataLocation))
				read += len(rows)
			}
		})
	}
	require.Greater(t, read, 100)
	require.Positive(t, lost)
	t.Logf("%d snapshots read, %d orphans of the zoo", read, lost)
}

func TestADryRunOfAZooTableDeletesNothingAndCountsTheSame(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	y.among(&town{})
	zoo.Load(y.Server)
	for _, made := range zoo.Tables {
		if made.Properties["gc.enabled"] == "false" {
			continue
		}
		y.Open(made.MetadataLocation)
		keys := y.Keys()
		dry, err := y.search(`{"dry-run":true}`)
		require.NoError(t, err, made.Name)
		require.Equal(t, keys, y.Keys(), made.Name)
		r, err := y.search(quickly)
		require.NoError(t, err, made.Name)
		require.Equal(t, r.Deleted, dry.Deleted, made.Name)
		require.Equal(t, r.Listed, dry.Listed, made.Name)
	}
}
