package tabletest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
)

func TestZooHoldsEveryFileThatItsTablesName(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	require.Len(t, zoo.Tables, 49)
	owner := map[string]string{}
	for _, table := range zoo.Tables {
		require.NotEmpty(t, table.UUID, table.Name)
		require.NotEmpty(t, table.Files, table.Name)
		for _, file := range table.Files {
			_, found := zoo.Object(file.Path)
			require.True(t, found, "%s: %s is not in the archive", table.Name, file.Path)
			require.Empty(t, owner[file.Path], "%s belongs to two tables", file.Path)
			owner[file.Path] = table.Name
		}
		for _, path := range table.Unreferenced {
			_, found := zoo.Object(path)
			require.True(t, found, "%s: %s is not in the archive", table.Name, path)
		}
		_, found := zoo.Object(table.MetadataLocation)
		require.True(t, found, table.MetadataLocation)
	}
	require.Equal(t, 21+5, zoo.Table(t, "v2_manymanifests").Count(tabletest.KindManifest))
}

func TestZooKeepsRawKeys(t *testing.T) {
	t.Parallel()
	server := bucket{}
	tabletest.LoadZoo(t).Load(server)
	require.Len(t, server, 1146)
	aliased := 0
	for name := range server {
		if contains(name, "__0x2f__") || contains(name, "%20") {
			aliased++
		}
	}
	require.NotZero(t, aliased)
}
