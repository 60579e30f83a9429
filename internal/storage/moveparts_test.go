package storage_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// openLarge has an orphan that is copied in four parts.
func openLarge(t testing.TB, opts s3test.Options) lab {
	t.Helper()
	l := open(t, opts, func(c *storage.Config, s *storage.SessionConfig) {
		quick(c, s)
		c.CopyLimit = 3
	})
	l.srv.Put(bucket, orphan.Key, []byte("some bytes"))
	return l
}

func (l lab) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(l.srv.Endpoint()), Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s3test.AccessKeyID, s3test.SecretAccessKey, ""),
	})
}

func TestALargeObjectIsMovedInPartsWithItsMetadata(t *testing.T) {
	t.Parallel()
	l := openLarge(t, s3test.Options{})
	_, err := l.client().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: &orphan.Key, Body: strings.NewReader("some bytes"),
		ContentType: aws.String("application/parquet"), Metadata: map[string]string{"writer": "somebody"},
	})
	require.NoError(t, err)
	l.srv.ResetCounts()
	require.NoError(t, l.Move(t.Context(), orphan, trash))
	l.requireMoved(t)
	require.Equal(t, map[string]int64{
		"HeadObject": 4, "CreateMultipartUpload": 1, "UploadPartCopy": 4, "CompleteMultipartUpload": 1, "DeleteObject": 1,
	}, l.srv.Counts())
	head, err := l.client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: &trash.Key})
	require.NoError(t, err)
	require.Equal(t, "application/parquet", aws.ToString(head.ContentType))
	require.Equal(t, "somebody", head.Metadata["writer"])
}

func TestALargeMoveThatFailsLeavesNoPartsAndNoLoss(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"UploadPartCopy", "CompleteMultipartUpload"} {
		for reason, fault := range map[error]s3test.Fault{
			storage.ErrDenied:      {Status: 403, Code: "AccessDenied"},
			storage.ErrUnavailable: {Status: 200, Body: []byte(`<Error><Code>InternalError</Code></Error>`)},
		} {
			l := openLarge(t, s3test.Options{})
			l.srv.Fault(always(op, fault))
			require.ErrorIs(t, l.Move(t.Context(), orphan, trash), reason, op)
			l.requireKept(t)
			require.False(t, l.srv.Has(bucket, trash.Key))
			require.EqualValues(t, 1, l.srv.Counts()["AbortMultipartUpload"])
		}
		l := openLarge(t, s3test.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		l.srv.Fault(func(_ int64, got string, _ *http.Request) *s3test.Fault {
			if got != op {
				return nil
			}
			cancel()
			return &s3test.Fault{Hang: true}
		})
		require.ErrorIs(t, l.Move(ctx, orphan, trash), context.Canceled)
		l.requireKept(t)
		require.EqualValues(t, 1, l.srv.Counts()["AbortMultipartUpload"], "it is aborted although its context has ended")
		cancel()
	}
}

func TestALargeObjectThatChangesOrFindsAnotherStays(t *testing.T) {
	t.Parallel()
	l := openLarge(t, s3test.Options{})
	l.srv.Fault(before("UploadPartCopy", 2, func() { l.srv.Put(bucket, orphan.Key, []byte("live bytes")) }))
	require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrChanged)
	require.Equal(t, "live bytes", readAll(t, l.Session, orphan))

	l = openLarge(t, s3test.Options{})
	l.srv.Fault(before("CompleteMultipartUpload", 1, func() { l.srv.Put(bucket, trash.Key, []byte("newcomer!!")) }))
	require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrExists)
	l.requireKept(t)
	require.Equal(t, "newcomer!!", readAll(t, l.Session, trash))
}

func TestTheLostAnswerToTheEndOfALargeCopyIsFoundOut(t *testing.T) {
	t.Parallel()
	for _, etags := range []s3test.ETagsFunc{nil, encrypted} {
		// Without its condition the repeated request hears that the upload is unknown.
		l := openLarge(t, s3test.Options{IgnoreConditions: true})
		l.srv.SetETags(etags)
		var once atomic.Bool
		l.srv.Fault(func(_ int64, got string, _ *http.Request) *s3test.Fault {
			if got != "CompleteMultipartUpload" || once.Swap(true) {
				return nil
			}
			return &s3test.Fault{Drop: true, Serve: true}
		})
		require.NoError(t, l.Move(t.Context(), orphan, trash))
		l.requireMoved(t)
	}
}
