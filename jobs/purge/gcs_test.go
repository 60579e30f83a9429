package purge_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/gcstest"
	"deckhand/internal/jobtest"
	sums "deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
	"deckhand/jobs/purge"
)

// A bucket of Google Cloud Storage is purged as one of S3 is, in either way to delete.
func TestATableOnGoogleCloudStorageIsPurged(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]gcstest.Options{"multi-delete": {SoftDelete: 7 * 24 * time.Hour}, "batch": {NoMultiDelete: true}, "versions": {Versioning: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const home = "gs://" + gcstest.DefaultBucket + "/"
			server := gcstest.Start(t, opts)
			put := func(location string, data []byte) { server.Put(strings.TrimPrefix(location, home), data) }
			table, err := tabletest.Synthetic(
				tabletest.SyntheticOptions{Location: home + "db/t", Files: 1500, Manifests: 3, Snapshots: 2},
				func(location string, write func(io.Writer) error) error {
					var data bytes.Buffer
					err := write(&data)
					put(location, data.Bytes())
					return err
				})
			require.NoError(t, err)
			for path := range table.Paths() {
				put(path, nil)
			}
			put(home+"db/t2/data/00000.parquet", nil)
			put(home+"db/t-x", nil)

			stores, err := storage.NewStores(storage.Config{Name: "lake", Locations: []string{home}, GCS: server.StorageConfig()}, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, stores.Close()) })
			y := &yard{t: t, stores: stores, locations: []string{home}}
			progress := &jobtest.Progress{}
			receipt, err := run(t, y.tables(purge.Policy{Versions: purge.VersionsDelete}), jobFor(table.UUID, table.MetadataLocation), progress)
			require.NoError(t, err)
			require.EqualValues(t, 1500, receipt.Deleted[purge.Data].Files)
			if name == "batch" {
				require.Nil(t, receipt.Versions)
			} else {
				says, words := "off, soft delete for 7 days", "stay billed until"
				if opts.Versioning {
					says, words = "enabled", "a lifecycle rule for noncurrent versions"
				}
				// Versions of S3 alone are deleted.
				require.Equal(t, &sums.Versions{
					Buckets: map[string]string{gcstest.DefaultBucket: says}, Hidden: hidden(receipt), ByThemselves: !opts.Versioning,
				}, receipt.Versions)
				require.Contains(t, printed(t, receipt), words)
			}
			require.Equal(t, []string{"db/t-x", "db/t2/data/00000.parquet"}, server.Keys())
		})
	}
}

func hidden(receipt *purge.Receipt) *sums.Count {
	all := receipt.Deleted.Total()
	return &all
}
