package expire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/tabletest"
)

func TestZooTablesReadTheSameRowsAfterwards(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.Server)
	full := y.Server.Snapshot()
	read := 0
	for _, made := range zoo.Tables {
		if maintenancetest.UnreadableByIcebergGo[made.Name] != "" || made.Properties["gc.enabled"] == "false" {
			continue
		}
		t.Run(made.Name, func(t *testing.T) {
			y.T = t
			y.Server.Restore(full)
			y.Open(made.MetadataLocation)
			before := y.Rows(made.MetadataLocation)
			for _, s := range made.Snapshots {
				require.Len(t, before[s.ID], int(s.Rows), s.ID)
			}
			_, err := y.expire(expireAll)
			require.NoError(t, err)
			after := y.Rows(y.Ledger.Location)
			require.Len(t, after, len(y.Metadata().Snapshots))
			for id, rows := range after {
				require.Equal(t, before[id], rows, id)
				read++
			}
		})
	}
	require.Greater(t, read, 40)
}
