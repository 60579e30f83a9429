package conformance

import (
	"testing"

	"go.uber.org/goleak"

	"deckhand/internal/s3test"
	"deckhand/internal/standin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheStandInConforms(t *testing.T) {
	t.Parallel()
	for name, paging := range map[string]bool{"all in one answer": false, "in pages": true} {
		t.Run("FILE, lists "+name, func(t *testing.T) {
			t.Parallel()
			s := standin.Start(t, standin.Options{Paging: paging})
			Run(t, Target{
				URI: s.URI(), Management: s.ManagementURI(), Root: standin.RootID + ":" + standin.RootSecret,
				Realm: standin.DefaultRealm, Warehouse: "conformance", Location: "file://" + t.TempDir(), Policies: true, ETags: true,
			})
		})
	}
	t.Run("S3 with vended credentials", func(t *testing.T) {
		t.Parallel()
		store := s3test.Start(t, s3test.Options{CheckAuth: true})
		s := standin.Start(t, standin.Options{S3: &standin.S3{
			Endpoint: store.Endpoint(), Region: "us-east-1",
			AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
		}})
		Run(t, Target{
			URI: s.URI(), Management: s.ManagementURI(), Root: standin.RootID + ":" + standin.RootSecret,
			Warehouse: "conformance", Location: "s3://" + s3test.DefaultBucket + "/lake", S3: store.StorageConfig(),
			Policies: true, ETags: true, Vending: true,
		})
	})
	t.Run("without tokens", func(t *testing.T) {
		t.Parallel()
		s := standin.Start(t, standin.Options{
			Anonymous: true, Catalogs: []standin.Catalog{{Name: "lake", Location: "file://" + t.TempDir()}},
		})
		Run(t, Target{URI: s.URI(), Warehouse: "lake", ETags: true})
	})
}
