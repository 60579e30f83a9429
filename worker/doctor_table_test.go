package main

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest/icebergtable"
)

func TestDoctorNamesThePrivilegeThatTheVendedKeysLack(t *testing.T) {
	t.Parallel()
	store := s3test.Start(t, s3test.Options{Buckets: []string{"warehouse"}, CheckAuth: true})
	catalog := standin.Start(t, standin.Options{Catalogs: []standin.Catalog{{
		Name: "lake", Location: "s3://warehouse",
		S3: &standin.S3{Endpoint: store.Endpoint(), AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey},
	}}})
	written, err := icebergtable.Write(t.Context(), icebergtable.Options{Location: "s3://warehouse/sales/orders", Files: 2, Snapshots: 1})
	require.NoError(t, err)
	require.NoError(t, written.Objects.Load(store))
	require.NoError(t, catalog.Register(t.Context(), standin.Table{Catalog: "lake", Namespace: []string{"sales"}, Name: "orders"}, written.MetadataLocation))
	// Keys that were vended for reading do not delete.
	store.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		session, vended := catalog.Session(r.Header.Get("X-Amz-Security-Token"))
		if vended && !session.Write && op != "GetObject" && op != "HeadObject" && op != "ListObjectsV2" {
			return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	})
	before := store.Snapshot()
	for name, test := range map[string]struct {
		grants []string
		code   int
		want   []string
	}{
		"reader": {[]string{"TABLE_READ_DATA", "NAMESPACE_LIST"}, 1, []string{
			`ok +catalog lake +read a table +s3://warehouse/sales/orders/metadata/`, `ok +catalog lake +credentials +vended for 1 locations`,
			`FAIL +catalog lake +delete in a table +the vended keys may not delete below s3://warehouse/sales/orders; .*grant the principal TABLE_WRITE_DATA`,
			`FAIL +catalog lake +commit +.*grant the principal TABLE_WRITE_DATA`, `warn +catalog lake +list views`,
		}},
		"maintainer": {standin.MaintenanceGrants, 0, []string{
			`ok +catalog lake +delete in a table +s3://warehouse/sales/orders`, `ok +catalog lake +commit +allowed`,
			`ok +catalog lake +table's clock +agrees with the store of s3://warehouse/sales/orders`, `ok +catalog lake +list views`,
		}},
	} {
		credential, err := catalog.CreatePrincipal(name, "lake", test.grants...)
		require.NoError(t, err)
		folder := t.TempDir()
		require.NoError(t, os.WriteFile(folder+"/credential.txt", []byte(credential+"\n"), 0o600))
		require.NoError(t, os.WriteFile(folder+"/deckhand.yaml",
			fmt.Appendf(nil, "catalogs:\n  lake:\n    rest: { uri: %q, credential_file: credential.txt }\n", catalog.URI()), 0o600))
		got := worker(t, "doctor", "--no-nats", "--config", folder+"/deckhand.yaml")
		require.Equal(t, test.code, got.Code, "%s: %s%s", name, got.Stdout, got.Stderr)
		for _, want := range test.want {
			require.Regexp(t, want, got.Stdout, name)
		}
		require.NotContains(t, got.Stdout+got.Stderr, s3test.SecretAccessKey)
	}
	require.Equal(t, before, store.Snapshot())
}
