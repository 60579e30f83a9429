package orphans

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

func at(t testing.TB, text string) storage.Location {
	t.Helper()
	l, err := storage.Parse(text)
	require.NoError(t, err)
	return l
}

func TestAFolderWithATableOfItsOwnIsSomebodyElses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sign   string
		folder string // "" for none
		ours   bool
	}{
		{sign: "s3://w/db/t/sub/metadata/v1.metadata.json", folder: "s3://w/db/t/sub/"},
		{sign: "s3://w/db/t/a/b/metadata/00000-1.gz.metadata.json", folder: "s3://w/db/t/a/b/"},
		{sign: "s3://w/db/t/sub/metadata/v1.metadata.json.gz", folder: "s3://w/db/t/sub/"},
		{sign: "s3://w/db/t/sub/_delta_log/000.json", folder: "s3://w/db/t/sub/"},
		{sign: "s3://w/db/t/sub/_delta_log/", folder: "s3://w/db/t/sub/"},
		{sign: "s3://w/db/t/sub/.hoodie/hoodie.properties", folder: "s3://w/db/t/sub/"},
		{sign: "s3://w/db/t/sub/x_delta_log/_delta_log/0", folder: "s3://w/db/t/sub/x_delta_log/"},
		{sign: "s3://w/db/t/sub/x_delta_log/0.json"},
		{sign: "s3://w/db/t/sub/_delta_log"},
		{sign: "s3://w/db/t/sub/metadata/snap-1.avro"},
		{sign: "s3://w/db/t/_delta_log/000.json", folder: "s3://w/db/t/"}, // also Delta, as a whole
		{sign: "s3://w/db/t/metadata/old.metadata.json", ours: true},
		{sign: "s3://w/db/t/meta2/v1.metadata.json", ours: true},
		// A metadata folder of another name.
		{sign: "s3://w/db/t/sub/meta/v1.metadata.json", folder: "s3://w/db/t/sub/"},
		{sign: "s3://w/db/t/meta/v1.metadata.json", folder: "s3://w/db/t/meta/"},
		{sign: "s3://w/db/t/v1.metadata.json", folder: "s3://w/db/t/"},
		{sign: "s3://w/db/t//metadata/v1.metadata.json", folder: "s3://w/db/t//"},
	} {
		f := newForeign([]storage.Location{at(t, "s3://w/db/t/metadata"), at(t, "s3://w/db/t/meta2/")})
		p := newPlace(at(t, "s3://w/db/t"), at(t, "s3://w/db/t"))
		require.Equal(t, c.ours, f.look(at(t, c.sign), p.from) == ownMetadata, c.sign)
		var folders []string
		for folder := range f.all {
			folders = append(folders, folder.String())
		}
		if c.folder == "" {
			require.Empty(t, folders, c.sign)
			continue
		}
		require.Equal(t, []string{c.folder}, folders, c.sign)
		require.True(t, f.holds(at(t, c.folder+"data/f.parquet")))
		require.False(t, f.holds(at(t, "s3://w/db/tt/f")))
		require.False(t, f.holds(at(t, "s3://other/db/t/sub/f")))
	}
}

// A whole table's data folder may be another table.
func TestATableWhoseLocationIsABucketMayHoldOthers(t *testing.T) {
	t.Parallel()
	p := newPlace(at(t, "s3://w"), at(t, "s3://w"))
	f := newForeign([]storage.Location{at(t, "s3://w/metadata")})
	require.Equal(t, ownMetadata, f.look(at(t, "s3://w/metadata/v1.metadata.json"), p.from))
	require.False(t, f.holds(at(t, "s3://w/data/f")))
	f.look(at(t, "s3://w/_delta_log/0"), p.from)
	require.True(t, f.holds(at(t, "s3://w/data/f")))
	local := newForeign(nil)
	local.look(at(t, "file:///w/t/sub/metadata/v1.metadata.json"), newPlace(at(t, "/w/t"), at(t, "/w/t")).from)
	require.True(t, local.holds(at(t, "/w/t/sub/x/f")))
	require.False(t, local.holds(at(t, "/w/t/f")))
}
