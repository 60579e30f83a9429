package maintenancetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
)

// The metadata is the same each time; what the rows were read from is not.
func TestRowsAreReadAgainWhenAFileIsAnotherOne(t *testing.T) {
	t.Parallel()
	y := maintenancetest.NewYard(t)
	made := y.Write(icebergtable.Options{Files: 2, Snapshots: 2})
	var data []string
	for _, f := range made.Files {
		if f.Kind == tabletest.KindData {
			data = append(data, f.Path)
		}
	}
	was := y.Rows(made.MetadataLocation)
	require.Len(t, was, 2)
	require.Equal(t, was, y.Rows(made.MetadataLocation))
	first, second := y.Get(data[0]), y.Get(data[1])
	y.Put(data[1], first)
	require.NotEqual(t, was, y.Rows(made.MetadataLocation))
	y.Put(data[1], second)
	require.Equal(t, was, y.Rows(made.MetadataLocation))
}
