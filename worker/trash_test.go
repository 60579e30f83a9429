package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
)

func TestExecMovesOrphansIntoTheTrashAndEmptiesItLater(t *testing.T) {
	t.Parallel()
	lake, _ := newLake(t, "")
	table := sorted(names(t, lake.Warehouse()))
	old := plant(t, lake, "data/old.parquet", 4*24*time.Hour)
	trash := func() (all []string) {
		for _, name := range names(t, lake.Warehouse()) {
			if strings.Contains(name, "/sales/orders/.deckhand-trash/") {
				all = append(all, name)
			}
		}
		return all
	}
	got := worker(t, execOn(lake, "orphans", "--set=quarantine=14d", "--dry-run", "--list")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `(?m)^would move\t\S*\t28\tfile://`+old, got.Stdout)
	require.FileExists(t, old)

	got = worker(t, execOn(lake, "orphans", "--set=quarantine=14d")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `moved +into the trash +1 files +28 B`, got.Stdout)
	require.NoFileExists(t, old)
	require.Len(t, trash(), 1)
	require.Regexp(t, `/sales/orders/\.deckhand-trash/[0-9]{8}-[0-9]{6}/data/old\.parquet$`, trash()[0])

	// Neither a search without a quarantine nor one whose time has not come.
	for _, more := range []string{"--set=older-than=1d", "--set=quarantine=1d", "--set=quarantine=forever"} {
		got = worker(t, execOn(lake, "orphans", more)...)
		require.Equal(t, 0, got.Code, got.Stderr)
		require.Len(t, trash(), 1, more)
	}
	clitest.Eventually(t, func() bool {
		got = worker(t, execOn(lake, "orphans", "--set=quarantine=1s")...)
		require.Equal(t, 0, got.Code, got.Stderr)
		return len(trash()) == 0
	}, "the trash is not emptied")
	require.Regexp(t, `from the trash +1 files +28 B`, got.Stdout)
	require.Equal(t, table, sorted(names(t, lake.Warehouse())))
}
