package purge_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"deckhand/internal/jobtest"
	"deckhand/internal/storage"
	"deckhand/internal/storetest"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs/purge"
)

// A table by iceberg-go is purged from its root to its last file, on servers that are
// processes of their own; what lies beside it stays.
func TestATableOnAzuriteIsPurged(t *testing.T) {
	t.Parallel()
	endpoint := storetest.StartAzurite(t)
	cfg := storage.Config{Azure: storage.AzureConfig{Endpoint: endpoint, AccountKey: storetest.AzuriteKey}}
	done := purgedOn(t, cfg, storetest.AzuriteRoot, storetest.AzuriteRoot+"db/t")
	require.Positive(t, done.Requests.ByOperation["BlobBatch"])
	require.Nil(t, done.Versions, "the account says that it keeps nothing")

	// The other spelling of the same account, which keeps now what is deleted.
	yes, days := true, int32(7)
	_, err := storetest.AzuriteClient(t, endpoint).SetProperties(t.Context(),
		&service.SetPropertiesOptions{DeleteRetentionPolicy: &service.RetentionPolicy{Enabled: &yes, Days: &days}})
	require.NoError(t, err)
	wasbs := strings.NewReplacer("abfss:", "wasbs:", ".dfs.", ".blob.").Replace(storetest.AzuriteRoot)
	done = purgedOn(t, cfg, storetest.AzuriteRoot, wasbs+"db/u")
	require.Equal(t, map[string]string{"warehouse@devstoreaccount1.dfs.core.windows.net": "off, soft delete for 7 days"}, done.Versions.Buckets)
	require.Equal(t, done.Deleted.Total(), *done.Versions.Hidden)
	require.Contains(t, printed(t, done), "stay billed until the time of the soft delete has passed")
}

func TestATableOnFakeGCSServerIsPurged(t *testing.T) {
	t.Parallel()
	cfg := storage.Config{GCS: storage.GCSConfig{Endpoint: storetest.StartFakeGCS(t), Anonymous: true}}
	done := purgedOn(t, cfg, storetest.FakeGCSRoot, storetest.FakeGCSRoot+"db/t")
	require.Positive(t, done.Requests.ByOperation["batch"])
	require.Nil(t, done.Versions, "the bucket says that it keeps nothing")
}

// purgedOn purges a table at the location, twice, and gives the first receipt.
func purgedOn(t *testing.T, cfg storage.Config, root, location string) *purge.Receipt {
	t.Helper()
	cfg.Name, cfg.Locations = "lake", []string{root}
	stores, err := storage.NewStores(cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	everything := icebergtable.Everything()
	everything.Location, everything.Files, everything.Distinct = location, 300, 3
	table, err := icebergtable.Write(t.Context(), everything)
	require.NoError(t, err)
	session := stores.Session(storage.SessionConfig{Guard: stores.Guard()})
	put := func(objects tabletest.Objects) (put []string) {
		var group errgroup.Group
		group.SetLimit(8)
		for at, data := range objects {
			l, err := storage.Parse(at)
			require.NoError(t, err)
			put = append(put, l.String())
			group.Go(func() error { return session.Write(t.Context(), l, data) })
		}
		require.NoError(t, group.Wait())
		slices.Sort(put)
		return put
	}
	beside := put(tabletest.Neighbours(location))
	put(table.Objects)

	y := &yard{t: t, stores: stores, locations: []string{root}}
	job := jobFor(table.UUID, table.MetadataLocation)
	progress := &jobtest.Progress{}
	done, err := run(t, y.tables(purge.Policy{}), job, progress)
	require.NoError(t, err)
	require.Equal(t, countsOf(table.Files), fileCounts(done.Deleted))
	require.Empty(t, done.Kept)
	var left []string
	folder, err := storage.Parse(location)
	require.NoError(t, err)
	for o, err := range session.List(t.Context(), folder.Parent()) {
		require.NoError(t, err)
		left = append(left, o.Location.String())
	}
	slices.Sort(left)
	require.Equal(t, beside, left)
	for _, r := range session.Delete(t.Context(), parsed(t, beside)) {
		require.NoError(t, r.Err)
	}

	// One whose result was not recorded ends the same.
	again, err := run(t, y.tables(purge.Policy{}), job, progress)
	require.NoError(t, err)
	require.Equal(t, fileCounts(done.Deleted), fileCounts(again.Deleted))
	return done
}

func parsed(t *testing.T, locations []string) []storage.Location {
	t.Helper()
	list := make([]storage.Location, len(locations))
	for i, text := range locations {
		var err error
		list[i], err = storage.Parse(text)
		require.NoError(t, err)
	}
	return list
}
