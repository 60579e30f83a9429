package storage_test

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
	"deckhand/internal/storetest"
)

// serversWithVersions are those that keep versions and lock them.
var serversWithVersions = map[string]func(testing.TB) string{"MinIO": storetest.StartMinIO, "versitygw": storetest.StartVersityGW}

// eachVersioned runs a test on a bucket of each of them that keeps versions, and
// with keys of a role where there is a token service.
func eachVersioned(t *testing.T, test func(t *testing.T, root *s3.Client, stores *storage.Stores)) {
	for name, start := range serversWithVersions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint := start(t)
			root := rootClient(endpoint)
			_, err := root.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lake"), ObjectLockEnabledForBucket: aws.Bool(true)})
			require.NoError(t, err)
			cfg := storage.Config{Name: "lake", Locations: []string{"s3://lake/"}, Retries: -1, S3: storetest.S3At(endpoint)}
			if name == "MinIO" {
				cfg = minioRole(endpoint)
			}
			test(t, root, openStores(t, cfg))
		})
	}
}

func eraserOfVersions(t *testing.T, stores *storage.Stores) *storage.Session {
	t.Helper()
	guard, err := stores.Guard().Narrow("s3://lake/t")
	require.NoError(t, err)
	return stores.Session(storage.SessionConfig{Guard: guard, ReadGuard: guard, Versions: true, Logger: slog.New(slog.DiscardHandler)})
}

// versionsLeft are the keys of the versions of a bucket, with a "!" for each marker.
func versionsLeft(t *testing.T, root *s3.Client) []string {
	t.Helper()
	found, seen := []string{}, map[string]bool{} // versitygw lists one twice where a page ends
	pages := s3.NewListObjectVersionsPaginator(root, &s3.ListObjectVersionsInput{Bucket: aws.String("lake")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, v := range page.Versions {
			if id := *v.Key + "@" + *v.VersionId; !seen[id] {
				seen[id] = true
				found = append(found, *v.Key)
			}
		}
		for _, m := range page.DeleteMarkers {
			found = append(found, *m.Key+"!")
		}
	}
	slices.Sort(found)
	return found
}

func hide(t *testing.T, root *s3.Client, key string) {
	t.Helper()
	_, err := root.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("lake"), Key: &key})
	require.NoError(t, err)
}

func TestServersDeleteTheVersionsOfWhatIsNamed(t *testing.T) {
	t.Parallel()
	eachVersioned(t, func(t *testing.T, root *s3.Client, stores *storage.Stores) {
		eraser := eraserOfVersions(t, stores)
		found, err := eraser.Versioning(t.Context(), keysIn("lake", "t")[0])
		require.NoError(t, err)
		require.Equal(t, storage.VersioningOn, found)
		var asked []storage.Location
		for i := range 40 {
			k := fmt.Sprintf("t/data/p=%d/%02d.parquet", i%3, i)
			putObject(t, root, "lake", k)
			putObject(t, root, "lake", k)
			putObject(t, root, "lake", k+".longer")
			if i%4 == 0 {
				hide(t, root, k)
			}
			asked = append(asked, storage.Location{Scheme: "s3", Bucket: "lake", Key: k})
		}
		putObject(t, root, "lake", "t2/a")
		requireDeleted(t, eraser.Delete(t.Context(), asked), asked)
		left := versionsLeft(t, root)
		require.Len(t, left, 41)
		for _, k := range left {
			require.Regexp(t, `\.longer$|^t2/a$`, k)
		}
		requireDeleted(t, eraser.Delete(t.Context(), asked), asked)
		require.Len(t, versionsLeft(t, root), 41)
		require.Equal(t, []int64{80, 10}, []int64{eraser.Usage().Versions, eraser.Usage().Markers})
	})
}

func TestServersListVersionsOverManyPages(t *testing.T) {
	t.Parallel()
	eachVersioned(t, func(t *testing.T, root *s3.Client, stores *storage.Stores) {
		for i := range 1100 {
			putObject(t, root, "lake", fmt.Sprintf("t/%04d", i))
		}
		asked := []storage.Location{}
		for _, k := range []string{"t/0000", "t/0500", "t/1050", "t/1099"} {
			putObject(t, root, "lake", k)
			asked = append(asked, storage.Location{Scheme: "s3", Bucket: "lake", Key: k})
		}
		eraser := eraserOfVersions(t, stores)
		requireDeleted(t, eraser.Delete(t.Context(), asked), asked)
		require.Len(t, versionsLeft(t, root), 1096)
		require.EqualValues(t, 8, eraser.Usage().Versions)
	})
}

func TestServersKeepWhatIsLockedAndItIsSaid(t *testing.T) {
	t.Parallel()
	eachVersioned(t, func(t *testing.T, root *s3.Client, stores *storage.Stores) {
		lake := aws.String("lake")
		for _, k := range []string{"t/free", "t/held", "t/hidden", "t/retained"} {
			putObject(t, root, "lake", k)
		}
		for _, k := range []string{"t/held", "t/hidden"} {
			_, err := root.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
				Bucket: lake, Key: &k, LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn},
			})
			require.NoError(t, err)
		}
		_, err := root.PutObjectRetention(t.Context(), &s3.PutObjectRetentionInput{
			Bucket: lake, Key: aws.String("t/retained"),
			Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeGovernance, RetainUntilDate: aws.Time(time.Now().Add(time.Hour))},
		})
		require.NoError(t, err)
		hide(t, root, "t/hidden")
		eraser := eraserOfVersions(t, stores)
		for _, d := range eraser.Delete(t.Context(), keysIn("lake", "t/free", "t/held", "t/hidden", "t/retained")) {
			if d.Location.Key == "t/free" {
				require.NoError(t, d.Err)
				continue
			}
			require.ErrorIs(t, d.Err, storage.ErrLocked, d.Location.Key)
			require.ErrorContains(t, d.Err, "retention or a legal hold")
		}
		require.Equal(t, []string{"t/held", "t/hidden", "t/hidden!", "t/retained"}, versionsLeft(t, root))
	})
}

func TestAServersVersionsFromBeforeItKeptAnyAndAfterGoToo(t *testing.T) {
	t.Parallel()
	endpoint, root := startMinIO(t)
	lake := aws.String("lake")
	keeping := func(status types.BucketVersioningStatus) {
		_, err := root.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
			Bucket: lake, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
		})
		require.NoError(t, err)
	}
	makeBucket(t, root, "lake", "t/a", "t/b", "t/c", "t/c2")
	keeping(types.BucketVersioningStatusEnabled)
	putObject(t, root, "lake", "t/a")
	hide(t, root, "t/b")
	keeping(types.BucketVersioningStatusSuspended)
	putObject(t, root, "lake", "t/a") // takes the place of the first one
	hide(t, root, "t/c")              // the marker does
	require.Equal(t, []string{"t/a", "t/a", "t/b", "t/b!", "t/c!", "t/c2"}, versionsLeft(t, root))

	stores := openStores(t, minioRole(endpoint))
	eraser := eraserOfVersions(t, stores)
	found, err := eraser.Versioning(t.Context(), keysIn("lake", "t")[0])
	require.NoError(t, err)
	require.Equal(t, storage.VersioningSuspended, found)
	asked := keysIn("lake", "t/a", "t/b", "t/c")
	requireDeleted(t, eraser.Delete(t.Context(), asked), asked)
	require.Equal(t, []string{"t/c2"}, versionsLeft(t, root))
	require.Equal(t, []int64{3, 2}, []int64{eraser.Usage().Versions, eraser.Usage().Markers})
}

func keysIn(bucket string, names ...string) []storage.Location {
	list := keys(names...)
	for i := range list {
		list[i].Bucket = bucket
	}
	return list
}
