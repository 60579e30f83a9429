package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

func copyAll(w io.Writer, r io.Reader) (int64, error) { return io.Copy(w, r) }

func TestWhatAnErrorIsCanBeTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   error
	}{
		{404, "NoSuchKey", storage.ErrNotFound},
		{404, "NoSuchBucket", storage.ErrNoBucket},
		{403, "AccessDenied", storage.ErrDenied},
		{403, "InvalidAccessKeyId", storage.ErrDenied},
		{403, "SignatureDoesNotMatch", storage.ErrDenied},
		{401, "Whatever", storage.ErrDenied},
		{400, "InvalidToken", storage.ErrDenied},
		{400, "ExpiredToken", storage.ErrExpired},
		{400, "ExpiredToken", storage.ErrUnavailable},
		{403, "RequestTimeTooSkewed", storage.ErrUnavailable},
		{403, "InvalidObjectState", storage.ErrRejected},
		{400, "RequestTimeout", storage.ErrUnavailable},
		{500, "InternalError", storage.ErrUnavailable},
		{502, "Whatever", storage.ErrUnavailable},
		{501, "NotImplemented", storage.ErrRejected},
		{400, "InvalidArgument", storage.ErrRejected},
		{301, "PermanentRedirect", storage.ErrRejected},
		{307, "TemporaryRedirect", storage.ErrUnavailable},
		{302, "Whatever", storage.ErrUnavailable},
		{404, "Whatever", storage.ErrUnavailable},
	} {
		l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = -1 })
		l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
			return &s3test.Fault{Status: c.status, Code: c.code, Message: "because"}
		})
		name := fmt.Sprintf("%d %s", c.status, c.code)
		_, _, err := l.Open(t.Context(), key("t/x"))
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, "read s3://warehouse/t/x", name)
		require.ErrorContains(t, err, c.code, name)
		require.ErrorContains(t, err, "request id S3TEST", name)
		require.NotContains(t, err.Error(), s3test.SecretAccessKey)
		var typed *storage.Error
		require.ErrorAs(t, err, &typed)
		require.Equal(t, c.status, typed.Status)
		require.Equal(t, c.code, typed.Code)
		for _, err := range l.List(t.Context(), key("t")) {
			require.ErrorIs(t, err, c.want, name)
		}
		if c.status != 404 || c.code != "NoSuchKey" {
			require.ErrorIs(t, l.Write(t.Context(), key("t/x"), nil), c.want, name)
			require.ErrorIs(t, l.Delete(t.Context(), keys("t/\x01"))[0].Err, c.want, name)
			if c.status != 501 {
				require.ErrorIs(t, l.Delete(t.Context(), keys("t/x"))[0].Err, c.want, name)
			}
		}
		if c.status/100 == 4 && !errors.Is(c.want, storage.ErrUnavailable) && !errors.Is(c.want, storage.ErrExpired) {
			require.NotErrorIs(t, err, storage.ErrUnavailable, name)
		}
		if c.code == "NoSuchBucket" {
			require.NotErrorIs(t, err, storage.ErrNotFound, "a missing bucket is not a missing object")
		}
	}
}

func TestAMissingBucketIsNotTakenForMissingObjects(t *testing.T) {
	t.Parallel()
	guard, err := storage.NewGuard("s3://nowhere")
	require.NoError(t, err)
	l := open(t, s3test.Options{}, func(c *storage.Config, s *storage.SessionConfig) {
		c.Locations = append(c.Locations, "s3://nowhere")
		s.Guard = guard
	})
	at := storage.Location{Scheme: "s3", Bucket: "nowhere", Key: "x"}
	control := at.Join("\x01")
	for _, r := range l.Delete(t.Context(), []storage.Location{at, control}) {
		require.ErrorIs(t, r.Err, storage.ErrNoBucket)
	}
	_, _, err = l.Open(t.Context(), at)
	require.ErrorIs(t, err, storage.ErrNoBucket)
	for _, err := range l.List(t.Context(), at) {
		require.ErrorIs(t, err, storage.ErrNoBucket)
	}
}

func TestA404ThatIsNotS3sSaysNothingAboutTheObject(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"<html><h1>Not Found</h1></html>", "404 page not found", "default backend - 404", ""} {
		l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = -1 })
		files := l.fill(2)
		l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
			return &s3test.Fault{Status: 404, Body: []byte(body)}
		})
		passes := func(err error) {
			t.Helper()
			require.ErrorIs(t, err, storage.ErrUnavailable, "%q", body)
			require.ErrorContains(t, err, "check the endpoint", "%q", body)
			require.NotErrorIs(t, err, storage.ErrNotFound)
		}
		_, _, err := l.Open(t.Context(), files[0])
		passes(err)
		for _, err := range l.List(t.Context(), key("t")) {
			passes(err)
		}
		passes(l.Write(t.Context(), files[0], nil))
		for _, r := range l.Delete(t.Context(), append(files, key("t/\x01"))) {
			passes(r.Err)
		}
		require.Len(t, l.srv.Keys(bucket), 2)
	}
}

func TestAPageOfAProxyIsNoSuccess(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = -1 })
	l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Status: 200, Body: []byte("<html>Please log in</html>")}
	})
	require.ErrorIs(t, l.Write(t.Context(), key("t/x"), nil), storage.ErrUnavailable)
	for _, r := range l.Delete(t.Context(), keys("t/x", "t/\x01")) {
		require.ErrorIs(t, r.Err, storage.ErrUnavailable)
	}
	n := 0
	for _, err := range l.List(t.Context(), key("t")) {
		n++
		require.ErrorIs(t, err, storage.ErrUnavailable)
	}
	require.Equal(t, 1, n)
}

func TestA200ThatIsNotADeleteResultDeletesNothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"<html>Welcome to the hotel</html>", "", "<Error><Code>InternalError</Code></Error>", "{}"} {
		l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = -1 })
		files := l.fill(3)
		l.srv.Fault(always("DeleteObjects", s3test.Fault{Status: 200, Body: []byte(body)}))
		for _, r := range l.Delete(t.Context(), files) {
			require.ErrorIs(t, r.Err, storage.ErrUnavailable, "%q", body)
		}
	}
	// Blanks before the document keep a slow answer alive and are none of it.
	l := open(t, s3test.Options{}, nil)
	l.srv.Fault(always("DeleteObjects", s3test.Fault{Status: 200, Body: []byte(strings.Repeat(" \n", 2000) + `<?xml version="1.0"?><DeleteResult/>`)}))
	require.NoError(t, l.Delete(t.Context(), keys("t/x"))[0].Err)
}

func TestWithoutTheRightToListA403SaysThatTheObjectMayBeMissing(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	l.srv.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "ListObjectsV2" || op == "GetObject" {
			return &s3test.Fault{Status: 403, Code: "AccessDenied", Message: "Access Denied"}
		}
		return nil
	})
	_, _, err := l.Open(t.Context(), key("t/missing"))
	require.ErrorIs(t, err, storage.ErrDenied)
	require.ErrorContains(t, err, "without the right to list")
	require.ErrorContains(t, err, "S3 answers 403 for an object that does not exist")
	n := 0
	for _, err := range l.List(t.Context(), key("t")) {
		n++
		require.ErrorIs(t, err, storage.ErrDenied)
		require.NotContains(t, err.Error(), "without the right")
	}
	require.Equal(t, 1, n)
}

func TestAWrongKeyIsDeniedAndNotRetried(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{CheckAuth: true}, func(c *storage.Config, _ *storage.SessionConfig) { c.S3.AccessKeyID = "nobody" })
	files := l.fill(3)
	for _, r := range l.Delete(t.Context(), files) {
		require.ErrorIs(t, r.Err, storage.ErrDenied)
		require.NotErrorIs(t, r.Err, storage.ErrUnavailable)
	}
	require.EqualValues(t, 1, l.srv.Total())
	right := open(t, s3test.Options{CheckAuth: true}, nil)
	require.NoError(t, right.Delete(t.Context(), keys("t/x"))[0].Err)
}

func TestPassingFailuresAreRetriedAndThenUnavailable(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]s3test.Fault{
		"server error": {Status: 500, Code: "InternalError"},
		"bad gateway":  {Status: 502, Body: []byte("<html>bad gateway</html>")},
		"reset":        {Drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, s3test.Options{}, quick)
			files := l.fill(1500)
			// Each operation fails once, then goes well.
			var seen counter
			l.srv.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
				if seen.add(op); seen.get(op) == 1 {
					f := fault
					return &f
				}
				return nil
			})
			require.NoError(t, l.Write(t.Context(), key("t/x"), []byte("abc")))
			require.Equal(t, "abc", readAll(t, l.Session, key("t/x")))
			require.Len(t, listed(t, l.Session, key("t")), 1501)
			requireDeleted(t, l.Delete(t.Context(), files), files)
			require.Positive(t, l.Usage().Retries)
			require.Zero(t, l.Usage().Throttled)

			l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault { f := fault; return &f })
			_, _, err := l.Open(t.Context(), key("t/x"))
			require.ErrorIs(t, err, storage.ErrUnavailable)
		})
	}
}

func TestARefusedConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) {
		c.S3.Endpoint, c.Retries = "http://"+address, 1
	})
	_, _, err = l.Open(t.Context(), key("t/x"))
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorContains(t, err, "connection refused")
	require.ErrorIs(t, l.Delete(t.Context(), keys("t/x"))[0].Err, storage.ErrUnavailable)
}

func TestARequestWithoutAnAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) {
		c.RequestTimeout, c.Retries = 50*time.Millisecond, -1
	})
	l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault { return &s3test.Fault{Hang: true} })
	_, _, err := l.Open(t.Context(), key("t/x"))
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorContains(t, err, "no answer in time")
	require.ErrorIs(t, l.Delete(t.Context(), keys("t/x"))[0].Err, storage.ErrUnavailable)
	for _, err := range l.List(t.Context(), key("t")) {
		require.ErrorIs(t, err, storage.ErrUnavailable)
	}
}

func TestABrokenOrStalledReadGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]s3test.Fault{"broken": {BreakAfter: 150_000}, "stalled": {Stall: 150_000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.IdleTimeout = 50 * time.Millisecond })
			content := strings.Repeat("0123456789", 100_000)
			l.srv.Put(bucket, "t/big", []byte(content))
			l.srv.Fault(func(n int64, _ string, _ *http.Request) *s3test.Fault {
				if n <= 4 {
					f := fault
					return &f
				}
				return nil
			})
			require.Equal(t, content, readAll(t, l.Session, key("t/big")))
			require.EqualValues(t, len(content), l.Usage().BytesRead)
			require.EqualValues(t, 4, l.Usage().Retries)
			body, err := l.OpenRange(t.Context(), key("t/big"), 5, 500_000)
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Equal(t, content[5:500_005], string(data))
		})
	}
}

func TestAReadThatKeepsBreakingIsUnavailable(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, quick)
	l.srv.Put(bucket, "t/big", make([]byte, 1_000_000))
	l.srv.Fault(func(n int64, _ string, _ *http.Request) *s3test.Fault {
		if n == 1 {
			return &s3test.Fault{BreakAfter: 1000}
		}
		return &s3test.Fault{Drop: true}
	})
	_, err := l.ReadAll(t.Context(), key("t/big"), 0)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorContains(t, err, "read s3://warehouse/t/big")
}

func TestAnObjectThatChangesWhileItIsReadIsNotPatchedTogether(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	l.srv.Put(bucket, "t/big", make([]byte, 1_000_000))
	l.srv.Fault(func(n int64, _ string, _ *http.Request) *s3test.Fault {
		if n == 1 {
			return &s3test.Fault{BreakAfter: 1000}
		}
		l.srv.Put(bucket, "t/big", make([]byte, 2_000_000))
		return nil
	})
	_, err := l.ReadAll(t.Context(), key("t/big"), 0)
	require.ErrorContains(t, err, "changed while it was read")
}

func TestCancelingStopsEverythingAndSaysWhy(t *testing.T) {
	t.Parallel()
	why := errors.New("the lease was lost")
	for _, fault := range []s3test.Fault{{Hang: true}, {Status: 503, Code: "SlowDown"}, {Status: 500, Code: "InternalError"}} {
		l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.MaxInFlight = 2 })
		files := l.fill(3000)
		ctx, cancel := context.WithCancelCause(t.Context())
		var once sync.Once
		l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
			once.Do(func() { cancel(why) })
			f := fault
			return &f
		})
		var got atomic.Int64
		d := l.NewDeleter(ctx, storage.DeleterConfig{BatchSize: 10, InFlight: 4, OnResult: func(r storage.Deletion) {
			got.Add(1)
			if !errors.Is(r.Err, why) || !errors.Is(r.Err, context.Canceled) {
				t.Errorf("%s: %v", r.Location, r.Err)
			}
		}})
		var refused error
		for i, f := range files {
			if refused = d.Add(f, int64(i)); refused != nil {
				break
			}
		}
		require.ErrorIs(t, refused, why)
		require.ErrorIs(t, d.Close(), why)
		require.Positive(t, got.Load())
		_, _, err := l.Open(ctx, files[0])
		require.ErrorIs(t, err, why)
		for _, err := range l.List(ctx, key("t")) {
			require.ErrorIs(t, err, why)
		}
		require.ErrorIs(t, l.Write(ctx, files[0], nil), why)
		require.Len(t, l.srv.Keys(bucket), 3000)
	}
}
