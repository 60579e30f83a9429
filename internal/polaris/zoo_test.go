package polaris_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
)

// Tables of every engine load as a whole, and what is vended for them opens all of
// their files.
func TestEveryTableOfTheZooLoads(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	store := s3test.Start(t, s3test.Options{Buckets: zoo.Buckets})
	zoo.Load(store)
	server := standin.Start(t, standin.Options{Anonymous: true, Catalogs: []standin.Catalog{{Name: "zoo", Location: "s3://warehouse", S3: &standin.S3{
		Endpoint: store.Endpoint(), AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
	}}}})
	c := connect(t, &tape{url: strings.TrimSuffix(server.URI(), "/api/catalog")}, "zoo", func(cfg *polaris.Config) { cfg.Credential = "" })
	for _, z := range zoo.Tables {
		t.Run(z.Name, func(t *testing.T) {
			require.NoError(t, server.Register(t.Context(), standin.Table{Catalog: "zoo", Namespace: []string{"z"}, Name: z.Name}, z.MetadataLocation))
			t.Parallel()
			loaded, err := c.Load(t.Context(), in(z.Name, "z"), polaris.LoadOptions{Vend: true})
			require.NoError(t, err)
			require.Equal(t, z.MetadataLocation, loaded.MetadataLocation)
			require.Equal(t, z.UUID, loaded.Metadata.UUID)
			has := map[int64]bool{}
			for _, snapshot := range loaded.Metadata.Snapshots {
				has[snapshot.ID] = true
			}
			for _, snapshot := range z.Snapshots {
				require.True(t, has[snapshot.ID])
			}
			stores, err := c.Stores(t.Context(), in(z.Name, "z"), loaded, storage.Config{Locations: append(z.Locations, loaded.Metadata.Locations()...)}, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, stores.Close()) })
			session := stores.Session(storage.SessionConfig{})
			for _, file := range z.Files {
				require.NoError(t, read(t, session, file.Path), file.Path)
			}
		})
	}
}
