package s3test_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/s3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const bucket = s3test.DefaultBucket

// oddKeys are names that a server or a client is tempted to decode or clean.
var oddKeys = []string{
	"t/cat=%C3%BC%2520/f.parquet", "t/cat=ü ü/f.parquet", "t/a//b", "t/a b+c#d?e&f=g;h.parquet", "t/+", "t/%",
	"t/a__0x2f__b.parquet", "t/a/b.parquet", "t//", "t/", "/lead", "t/\u2028日本語\u00a0x", "t/\"quoted\"<&>'", "t/back\\slash", "t/../up", "t/./here",
}

func client(t *testing.T, srv *s3test.Server, key string) *s3.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(srv.Endpoint()), Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(key, s3test.SecretAccessKey, ""),
		Retryer:     aws.NopRetryer{}, HTTPClient: &http.Client{Transport: transport},
	})
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

// listAll lists through the client, page by page, and decodes.
func listAll(t *testing.T, c *s3.Client, prefix string, page int32, encoded bool) []string {
	t.Helper()
	var keys []string
	in := &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String(prefix), MaxKeys: aws.Int32(page)}
	if encoded {
		in.EncodingType = types.EncodingTypeUrl
	}
	for {
		out, err := c.ListObjectsV2(t.Context(), in)
		require.NoError(t, err)
		for _, o := range out.Contents {
			key := aws.ToString(o.Key)
			if encoded {
				key, err = url.QueryUnescape(key)
				require.NoError(t, err)
			}
			keys = append(keys, key)
		}
		if !aws.ToBool(out.IsTruncated) {
			return keys
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

func TestOddKeysSurvivePutListGetAndDelete(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	c := client(t, srv, s3test.AccessKeyID)
	for _, key := range oddKeys {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(key)})
		require.NoError(t, err, key)
	}
	want := append([]string(nil), oddKeys...)
	sort.Strings(want)
	require.Equal(t, want, srv.Keys(bucket))
	for page := int32(1); page < 5; page++ {
		require.Equal(t, want, listAll(t, c, "", page, true), "page %d", page)
	}
	require.Equal(t, want, listAll(t, c, "", 1000, false))
	for _, key := range oddKeys {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
		require.NoError(t, err, key)
		data, err := io.ReadAll(out.Body)
		require.NoError(t, err)
		require.Equal(t, key, string(data))
		require.NoError(t, out.Body.Close())
	}
	// Half of them one by one, the rest in one request.
	var batch []types.ObjectIdentifier
	for i, key := range oddKeys {
		if i%2 == 0 {
			_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
			require.NoError(t, err)
			require.False(t, srv.Has(bucket, key), key)
			continue
		}
		require.True(t, srv.Has(bucket, key), key)
		batch = append(batch, types.ObjectIdentifier{Key: aws.String(key)})
	}
	out, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: batch}})
	require.NoError(t, err)
	require.Empty(t, out.Errors)
	require.Empty(t, srv.Keys(bucket))
}

func TestAListingSeesExactlyWhatIsBelowItsPrefix(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	for _, key := range []string{"a", "t", "t-x", "t.b", "t/", "t/1", "t/1/a", "t/1/b", "t/2", "t0", "z"} {
		srv.Put(bucket, key, nil)
	}
	c := client(t, srv, s3test.AccessKeyID)
	for page := int32(1); page < 7; page++ {
		require.Equal(t, []string{"t/", "t/1", "t/1/a", "t/1/b", "t/2"}, listAll(t, c, "t/", page, false))
	}
	srv.ResetCounts()
	listAll(t, c, "t/", 5, false)
	require.EqualValues(t, 1, srv.Counts()["ListObjectsV2"], "a page that is just full is the last one")
}

func TestCommonPrefixesDoNotRepeatFromPageToPage(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	for i := range 30 {
		srv.Put(bucket, fmt.Sprintf("t/%d/%d", i/10, i), nil)
	}
	srv.Put(bucket, "t/file", nil)
	c := client(t, srv, s3test.AccessKeyID)
	for page := int32(1); page < 5; page++ {
		var got []string
		in := &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("t/"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(page)}
		for {
			out, err := c.ListObjectsV2(t.Context(), in)
			require.NoError(t, err)
			for _, o := range out.CommonPrefixes {
				got = append(got, aws.ToString(o.Prefix))
			}
			for _, o := range out.Contents {
				got = append(got, aws.ToString(o.Key))
			}
			if !aws.ToBool(out.IsTruncated) {
				break
			}
			in.ContinuationToken = out.NextContinuationToken
		}
		require.Equal(t, []string{"t/0/", "t/1/", "t/2/", "t/file"}, got, "page %d", page)
	}
}

func TestMoreThanAThousandKeysInOneDeleteAreMalformed(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	c := client(t, srv, s3test.AccessKeyID)
	var batch []types.ObjectIdentifier
	for i := range 1001 {
		key := fmt.Sprintf("k%d", i)
		srv.Put(bucket, key, nil)
		batch = append(batch, types.ObjectIdentifier{Key: aws.String(key)})
	}
	send := func(batch []types.ObjectIdentifier) error {
		_, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: batch, Quiet: aws.Bool(true)}})
		return err
	}
	require.Equal(t, "MalformedXML", code(send(batch)))
	require.Len(t, srv.Keys(bucket), 1001)
	require.NoError(t, send(batch[:1000]))
	require.Equal(t, []string{"k1000"}, srv.Keys(bucket))
}

func TestAWrongAccessKeyIsRefusedWhenAsked(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t, s3test.Options{CheckAuth: true})
	in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("x")}
	_, err := client(t, srv, "nobody").PutObject(t.Context(), in)
	require.Equal(t, "InvalidAccessKeyId", code(err))
	in.Body = strings.NewReader("x")
	_, err = client(t, srv, s3test.AccessKeyID).PutObject(t.Context(), in)
	require.NoError(t, err)
}

func TestFaultsAnswerBreakAndHang(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	srv.Put(bucket, "k", bytes.Repeat([]byte("x"), 100_000))
	c := client(t, srv, s3test.AccessKeyID)
	get := func(ctx context.Context) error {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		_, err = io.Copy(io.Discard, out.Body)
		return err
	}
	always := func(f s3test.Fault) {
		srv.Fault(func(int64, string, *http.Request) *s3test.Fault { return &f })
	}
	require.NoError(t, get(t.Context()))
	always(s3test.Fault{Status: 503, Code: "SlowDown"})
	require.Equal(t, "SlowDown", code(get(t.Context())))
	always(s3test.Fault{Drop: true})
	require.ErrorContains(t, get(t.Context()), "reset")
	always(s3test.Fault{BreakAfter: 1000})
	require.Error(t, get(t.Context()))
	always(s3test.Fault{Raw: []byte("HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n")})
	require.ErrorContains(t, get(t.Context()), "418")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	always(s3test.Fault{Hang: true})
	require.ErrorIs(t, get(ctx), context.DeadlineExceeded)
	srv.Fault(nil)
	require.NoError(t, get(t.Context()))
	// Go's transport may repeat a GET whose reused connection was reset.
	require.GreaterOrEqual(t, srv.Counts()["GetObject"], int64(6))

	// The answer is lost, the deed is done.
	always(s3test.Fault{Drop: true, Serve: true})
	_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	require.Error(t, err)
	require.False(t, srv.Has(bucket, "k"))
}

func TestAnAnswerInChunksDoesNotTellItsLength(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	srv.Put(bucket, "k", []byte("0123456789"))
	c := client(t, srv, s3test.AccessKeyID)
	for _, chunked := range []bool{false, true} {
		srv.Fault(func(int64, string, *http.Request) *s3test.Fault { return &s3test.Fault{Chunked: chunked} })
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		require.NoError(t, err)
		data, err := io.ReadAll(out.Body)
		require.NoError(t, err)
		require.NoError(t, out.Body.Close())
		require.Equal(t, "0123456789", string(data))
		require.Equal(t, chunked, out.ContentLength == nil)
	}
}

func TestSingleKeysOfADeleteCanFail(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	srv.Put(bucket, "good", nil)
	srv.Put(bucket, "bad", nil)
	srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Key: func(key string) string {
			if key == "bad" {
				return "AccessDenied"
			}
			return ""
		}}
	})
	out, err := client(t, srv, s3test.AccessKeyID).DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("good")}, {Key: aws.String("bad")}}},
	})
	require.NoError(t, err)
	require.Len(t, out.Errors, 1)
	require.Equal(t, "bad", aws.ToString(out.Errors[0].Key))
	require.Equal(t, []string{"bad"}, srv.Keys(bucket))
}

func TestARestoreBringsBackExactlyTheSnapshot(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]func(*s3test.Server){
		"as it is":       func(*s3test.Server) {},
		"another bucket": func(srv *s3test.Server) { srv.Put("another", "k", nil) },
		"a bucket less":  func(srv *s3test.Server) { srv.Restore(&s3test.Snapshot{}) },
		"versions": func(srv *s3test.Server) {
			srv.SetVersioning(bucket, true)
			srv.Put(bucket, oddKeys[1], []byte("newer"))
		},
	} {
		srv := s3test.Start(t)
		for _, key := range oddKeys {
			srv.Put(bucket, key, []byte("old "+key))
		}
		snapshot := srv.Snapshot()
		for _, key := range oddKeys[3:] {
			srv.Remove(bucket, key)
		}
		srv.Put(bucket, oddKeys[0], []byte("new"))
		srv.Put(bucket, "more", nil)
		more(srv)
		srv.Restore(snapshot)
		require.Equal(t, []string{bucket}, srv.Buckets(), name)
		require.Len(t, srv.Keys(bucket), len(oddKeys), name)
		require.Len(t, srv.Versions(bucket), len(oddKeys), name)
		for _, key := range oddKeys {
			data, ok := srv.Get(bucket, key)
			require.True(t, ok)
			require.Equal(t, "old "+key, string(data), name)
		}
		srv.Remove(bucket, oddKeys[0])
		require.Len(t, srv.Versions(bucket), len(oddKeys)-1, name)
	}
}

func TestTheZooLoadsWithItsRawNames(t *testing.T) {
	t.Parallel()
	archive, err := os.Open("../tabletest/testdata/zoo.tar.gz")
	require.NoError(t, err)
	defer archive.Close()
	srv := s3test.Start(t)
	require.NoError(t, srv.LoadTar(archive))
	require.Contains(t, srv.Buckets(), "other")
	percent := 0
	for _, key := range srv.Keys(bucket) {
		if strings.Contains(key, "%") {
			percent++
		}
	}
	require.Positive(t, percent, "names with percent signs are kept as they are")
	require.Error(t, srv.LoadTar(strings.NewReader("not an archive, but long enough to be looked at")))
}

func TestControlCharactersAreListedAsReferencesOrEncoded(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	srv.Put(bucket, "t/\x01", nil)
	c := client(t, srv, s3test.AccessKeyID)
	require.Equal(t, []string{"t/\x01"}, listAll(t, c, "t/", 10, true))
	_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	require.Error(t, err, "as with S3, a plain listing cannot be decoded")
}

func BenchmarkDeleteObjectsAnswer(b *testing.B) {
	srv := s3test.Start(b, s3test.Options{DeleteAlwaysOK: true})
	type object struct{ Key string }
	request := struct {
		XMLName xml.Name `xml:"Delete"`
		Quiet   bool
		Object  []object
	}{Quiet: true}
	for i := range 1000 {
		request.Object = append(request.Object, object{fmt.Sprintf("zoo/table/data/part=%d/00000-%d-4a9f9d35-a825-4d5e-8d53.parquet", i%7, i)})
	}
	body, err := xml.Marshal(request)
	require.NoError(b, err)
	defer http.DefaultClient.CloseIdleConnections()
	for b.Loop() {
		r, err := http.Post(srv.Endpoint()+"/"+bucket+"?delete", "application/xml", bytes.NewReader(body))
		require.NoError(b, err)
		_, _ = io.Copy(io.Discard, r.Body)
		require.NoError(b, r.Body.Close())
		require.Equal(b, 200, r.StatusCode)
	}
}
