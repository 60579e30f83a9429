package storage_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
	"deckhand/internal/storetest"
)

// startMinIO gives the address of a MinIO, which has a token service, and a client
// with all rights.
func startMinIO(t *testing.T) (endpoint string, root *s3.Client) {
	t.Helper()
	endpoint = storetest.StartMinIO(t)
	return endpoint, rootClient(endpoint)
}

func rootClient(endpoint string) *s3.Client {
	return rawClient(endpoint, storage.S3Credentials{AccessKeyID: storetest.AccessKeyID, SecretAccessKey: storetest.SecretAccessKey})
}

func rawClient(endpoint string, keys storage.S3Credentials) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", UsePathStyle: true, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken),
	})
}

func makeBucket(t *testing.T, client *s3.Client, name string, objects ...string) {
	t.Helper()
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
	require.NoError(t, err)
	for _, key := range objects {
		putObject(t, client, name, key)
	}
}

func putObject(t *testing.T, client *s3.Client, bucket, key string) {
	t.Helper()
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(key)})
	require.NoError(t, err)
}

// minioRole is a configuration that assumes a role.
func minioRole(endpoint string) storage.Config {
	cfg := storage.Config{Name: "lake", Locations: []string{"s3://lake/"}, Retries: -1, S3: storetest.S3At(endpoint)}
	cfg.S3.Role = storage.S3Role{ARN: "arn:aws:iam::123456789012:role/deckhand", ExternalID: "deckhand-test"}
	return cfg
}

func openStores(t *testing.T, cfg storage.Config) *storage.Stores {
	t.Helper()
	stores, err := storage.NewStores(cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	return stores
}

func requireDenied(t *testing.T, err error, what string) {
	t.Helper()
	var api smithy.APIError
	require.Truef(t, errors.As(err, &api), "%s: %v", what, err)
	require.Equal(t, "AccessDenied", api.ErrorCode(), what)
}

func TestTheKeysOfARoleMayDoWhatTheSessionMayAndNoMore(t *testing.T) {
	t.Parallel()
	endpoint, root := startMinIO(t)
	makeBucket(t, root, "lake", "sales/orders/a", "sales/orders/b", "sales/orders2/a", "hr/people/a")
	makeBucket(t, root, "other", "x")
	stores := openStores(t, minioRole(endpoint))
	guard, err := stores.Guard().Narrow("s3://lake/sales/orders")
	require.NoError(t, err)
	orders := storage.Location{Scheme: "s3", Bucket: "lake", Key: "sales/orders"}

	eraser := stores.Session(storage.SessionConfig{Guard: guard, ReadGuard: guard, Logger: slog.New(slog.DiscardHandler)})
	for _, d := range eraser.Delete(t.Context(), []storage.Location{orders.Join("a"), orders.Join("absent")}) {
		require.NoError(t, d.Err)
	}
	require.Equal(t, []string{"sales/orders/b"}, listed(t, eraser, orders))
	require.Equal(t, "sales/orders/b", readAll(t, eraser, orders.Join("b")))
	require.EqualValues(t, 1, eraser.Usage().Requests["AssumeRole"])

	keys, err := eraser.RoleKeys(t.Context(), "lake")
	require.NoError(t, err)
	requireNarrow(t, rawClient(endpoint, keys))

	reader := stores.Session(storage.SessionConfig{Logger: slog.New(slog.DiscardHandler)})
	require.Equal(t, "hr/people/a", readAll(t, reader, storage.Location{Scheme: "s3", Bucket: "lake", Key: "hr/people/a"}))
	keys, err = reader.RoleKeys(t.Context(), "lake")
	require.NoError(t, err)
	_, err = rawClient(endpoint, keys).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("lake"), Key: aws.String("sales/orders/b")})
	requireDenied(t, err, "a reader deletes")

	writer := stores.Session(storage.SessionConfig{Guard: guard, Writes: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, writer.Write(t.Context(), orders.Join("c"), []byte("c")))
	for o, err := range writer.List(t.Context(), orders) {
		require.NoError(t, err)
		require.NoError(t, writer.MoveListed(t.Context(), o, orders.Join("trash").Join(o.Location.Base())))
	}
	require.Equal(t, []string{"sales/orders/trash/b", "sales/orders/trash/c"}, listed(t, writer, orders))
}

// requireNarrow asks for what lies outside of s3://lake/sales/orders with keys that
// may delete there.
func requireNarrow(t *testing.T, client *s3.Client) {
	t.Helper()
	ctx, lake := t.Context(), aws.String("lake")
	for _, key := range []string{"sales/orders2/a", "hr/people/a"} {
		_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: lake, Key: &key})
		requireDenied(t, err, "read "+key)
		_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: lake, Key: &key})
		requireDenied(t, err, "delete "+key)
		out, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: lake, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &key}}}})
		require.NoError(t, err)
		require.Len(t, out.Errors, 1)
		require.Equal(t, "AccessDenied", *out.Errors[0].Code)
	}
	for _, prefix := range []string{"", "sales/", "sales/orders2/", "hr/"} {
		_, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: lake, Prefix: &prefix})
		requireDenied(t, err, "list "+prefix)
	}
	_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: lake, Key: aws.String("sales/orders/new"), Body: strings.NewReader("x")})
	requireDenied(t, err, "write")
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("other"), Key: aws.String("x")})
	requireDenied(t, err, "read another bucket")
}

func TestSessionsThatMayDoTheSameShareTheirKeys(t *testing.T) {
	t.Parallel()
	endpoint, root := startMinIO(t)
	makeBucket(t, root, "lake", "t/a")
	stores := openStores(t, minioRole(endpoint))
	asked := int64(0)
	for range 3 {
		reader := stores.Session(storage.SessionConfig{Logger: slog.New(slog.DiscardHandler)})
		require.Equal(t, "t/a", readAll(t, reader, storage.Location{Scheme: "s3", Bucket: "lake", Key: "t/a"}))
		asked += reader.Usage().Requests["AssumeRole"]
	}
	require.EqualValues(t, 1, asked)
}

func TestATokenServiceThatRefusesIsNamedWithoutASecret(t *testing.T) {
	t.Parallel()
	endpoint, root := startMinIO(t)
	makeBucket(t, root, "lake", "t/a")
	cfg := minioRole(endpoint)
	cfg.S3.SecretAccessKey = "wrong-secret-of-minio"
	reader := openStores(t, cfg).Session(storage.SessionConfig{Logger: slog.New(slog.DiscardHandler)})
	_, _, err := reader.Open(context.Background(), storage.Location{Scheme: "s3", Bucket: "lake", Key: "t/a"})
	require.ErrorIs(t, err, storage.ErrDenied)
	require.ErrorContains(t, err, "assume role arn:aws:iam::123456789012:role/deckhand")
	require.ErrorContains(t, err, "own keys must be right")
	require.NotContains(t, err.Error(), "wrong-secret")
	require.NotContains(t, err.Error(), "s3:ListBucket")
}
