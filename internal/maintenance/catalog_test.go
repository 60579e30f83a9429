package maintenance_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/jobs"
)

func TestCatalogsAreFoundByRealmAndNameAndNamedInErrors(t *testing.T) {
	t.Parallel()
	client := &maintenancetest.Ledger{}
	catalogs, err := maintenance.NewCatalogs([]maintenance.Catalog{{Realm: "a", Name: "lake", Client: client}, {Realm: "b", Name: "lake", Client: client}})
	require.NoError(t, err)
	for _, realm := range []string{"a", "b"} {
		found, err := catalogs.Of(&jobs.Job{Realm: realm, Catalog: "lake"})
		require.NoError(t, err)
		require.Equal(t, realm, found.Realm)
		require.NotNil(t, found.Limiters)
	}
	_, err = catalogs.Of(&jobs.Job{Realm: "c", Catalog: "lake"})
	require.True(t, jobs.IsPermanent(err))

	_, err = maintenance.NewCatalogs([]maintenance.Catalog{{Name: "pond"}})
	require.ErrorContains(t, err, "pond")
	_, err = maintenance.NewCatalogs([]maintenance.Catalog{{Name: "pond", Client: client}, {Name: "pond", Client: client}})
	require.ErrorContains(t, err, "twice")
}
