package tabletest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
)

func TestObjectsOfAFileLocationAreRefusedByABucket(t *testing.T) {
	t.Parallel()
	server := bucket{}
	mixed := tabletest.Objects{"s3://a/k": []byte("1"), "file:///tmp/x": []byte("2")}
	require.Error(t, mixed.Load(server))
	require.Empty(t, server)
	require.NoError(t, tabletest.Objects{"s3a://a/k//x%2F": []byte("1")}.Load(server))
	require.Equal(t, bucket{"a/k//x%2F": []byte("1")}, server)
}

func TestNeighboursLieOutsideTheTable(t *testing.T) {
	t.Parallel()
	const location = "s3://warehouse/sales/orders"
	for path := range tabletest.Neighbours(location) {
		require.False(t, strings.HasPrefix(path, location+"/"), path)
	}
	for path := range tabletest.Inside(location) {
		require.True(t, strings.HasPrefix(path, location+"/"), path)
	}
}

func TestARecreatedViewSharesNoFileWithTheOneBefore(t *testing.T) {
	t.Parallel()
	first := tabletest.NewView("s3://warehouse/v", "u1", 0, 3)
	second := tabletest.NewView("s3://warehouse/v", "u2", 1, 2)
	require.Len(t, first.MetadataLocations, 3)
	for path := range second.Objects {
		require.NotContains(t, first.Objects, path)
	}
	var metadata struct {
		UUID string `json:"view-uuid"`
	}
	require.NoError(t, json.Unmarshal(second.Objects[second.MetadataLocation()], &metadata))
	require.Equal(t, "u2", metadata.UUID)
}

func TestDamageChangesACopy(t *testing.T) {
	t.Parallel()
	whole := []byte("0123456789")
	objects := tabletest.Objects{"a": whole}
	for _, damage := range []tabletest.Damage{
		tabletest.Truncate(50), tabletest.FlipByte(99), tabletest.BreakSync, tabletest.Empty, tabletest.NotAvro,
	} {
		objects["a"] = whole
		require.True(t, objects.Damage("a", damage))
		require.NotEqual(t, whole, objects["a"])
		require.Equal(t, "0123456789", string(whole))
	}
	require.False(t, objects.Damage("b", tabletest.Empty))
}
