package purge_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/storage"
	"deckhand/internal/storetest"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// minio is a MinIO with a bucket warehouse that keeps versions and locks them.
type minio struct {
	t        *testing.T
	endpoint string
	root     *s3.Client
}

func newMinIO(t *testing.T) *minio {
	t.Helper()
	m := &minio{t: t, endpoint: storetest.StartMinIO(t)}
	m.root = s3.New(s3.Options{
		BaseEndpoint: &m.endpoint, Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(storetest.AccessKeyID, storetest.SecretAccessKey, ""),
	})
	_, err := m.root.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("warehouse"), ObjectLockEnabledForBucket: aws.Bool(true)})
	require.NoError(t, err)
	return m
}

// Put implements [tabletest.Bucket].
func (m *minio) Put(bucket, key string, data []byte) {
	_, err := m.root.PutObject(m.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(string(data))})
	require.NoError(m.t, err)
}

// versions are the keys of all versions that do not lie beside the table.
func (m *minio) versions() []string {
	found := []string{}
	pages := s3.NewListObjectVersionsPaginator(m.root, &s3.ListObjectVersionsInput{Bucket: aws.String("warehouse"), Prefix: aws.String("db/t/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(m.t.Context())
		require.NoError(m.t, err)
		for _, v := range page.Versions {
			found = append(found, *v.Key)
		}
		for _, v := range page.DeleteMarkers {
			found = append(found, *v.Key+"!")
		}
	}
	return found
}

// lay puts a table there.
func (m *minio) lay(h tabletest.HandmadeTable) {
	require.NoError(m.t, h.Objects().Load(m))
	for _, made := range h.Manifests {
		for _, e := range made.Entries {
			bucket, key, err := tabletest.SplitS3(e.Path)
			require.NoError(m.t, err)
			m.Put(bucket, key, []byte("x"))
		}
	}
}

// yard is a catalog there that is reached with keys of a role.
func (m *minio) yard(change func(*storage.S3Config)) *yard {
	cfg := storage.Config{Name: "lake", Locations: []string{"s3://warehouse/"}, Retries: 1, S3: storetest.S3At(m.endpoint)}
	cfg.S3.Role.ARN = "arn:aws:iam::123456789012:role/deckhand"
	if change != nil {
		change(&cfg.S3)
	}
	stores, err := storage.NewStores(cfg, nil)
	require.NoError(m.t, err)
	m.t.Cleanup(func() { require.NoError(m.t, stores.Close()) })
	return &yard{t: m.t, stores: stores, locations: cfg.Locations}
}

func TestAPurgeWithKeysOfARoleDeletesAllVersionsButTheLockedOnes(t *testing.T) {
	t.Parallel()
	m := newMinIO(t)
	y := m.yard(nil)
	h := numbered(2, 3)
	m.lay(h)
	m.Put("warehouse", "db/t2/data/0-0", []byte("a neighbour's"))
	locked := strings.TrimPrefix(h.Manifests[0].Entries[1].Path, "s3://warehouse/")
	hold := func(status types.ObjectLockLegalHoldStatus) {
		_, err := m.root.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
			Bucket: aws.String("warehouse"), Key: &locked, LegalHold: &types.ObjectLockLegalHold{Status: status},
		})
		require.NoError(t, err)
	}
	hold(types.ObjectLockLegalHoldStatusOn)
	done, err := y.purge(purge.Policy{Versions: purge.VersionsDelete}, h, &jobtest.Progress{})
	require.True(t, jobs.IsPermanent(err), "%v", err)
	require.ErrorContains(t, err, "retention or a legal hold")
	require.EqualValues(t, 1, done.Kept[purge.Locked].Counts[purge.Data].Files)
	require.EqualValues(t, 5, done.Deleted[purge.Data].Files)
	require.Contains(t, m.versions(), locked)
	require.EqualValues(t, 2, done.Requests.ByOperation["AssumeRole"], "one for all that is read, one for what is deleted")

	hold(types.ObjectLockLegalHoldStatusOff)
	done, err = y.purge(purge.Policy{Versions: purge.VersionsDelete}, h, &jobtest.Progress{})
	require.NoError(t, err)
	require.Empty(t, m.versions())
	require.NotNil(t, done.Versions.Removed)
	require.Zero(t, done.Requests.ByOperation["AssumeRole"], "the keys serve the next run too")
	out, err := m.root.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("warehouse"), Key: aws.String("db/t2/data/0-0")})
	require.NoError(t, err)
	require.NoError(t, out.Body.Close())
}

func TestAJobSaysWhichRoleAndStoreOnlyWhereTheConfigurationLetsIt(t *testing.T) {
	t.Parallel()
	m := newMinIO(t)
	h := numbered(1, 2)
	m.lay(h)
	job := jobFor(tabletest.HandmadeUUID, h.Root)
	job.Storage = &jobs.Storage{
		Type: "S3", Region: "us-east-1", Endpoint: "http://127.0.0.1:1", EndpointInternal: m.endpoint, PathStyleAccess: true,
		RoleARN: "arn:aws:iam::123456789012:role/of-the-job", ExternalID: "of-the-job",
	}
	open := func(fromJob bool) *yard {
		return m.yard(func(c *storage.S3Config) {
			*c = storage.S3Config{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, FromJob: fromJob}
			if !fromJob {
				c.Endpoint = "http://127.0.0.1:1"
			}
		})
	}
	_, err := run(t, open(false).tables(purge.Policy{}), job, &jobtest.Progress{})
	require.Error(t, err)
	require.False(t, errors.Is(err, storage.ErrDenied))
	require.NotEmpty(t, m.versions())

	done, err := run(t, open(true).tables(purge.Policy{}), job, &jobtest.Progress{})
	require.NoError(t, err)
	require.EqualValues(t, 2, done.Requests.ByOperation["AssumeRole"])
	require.Equal(t, "enabled", done.Versions.Buckets["warehouse"])
}
