package storage_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// bothReaders are keys that are read through the driver and past it.
var bothReaders = []string{"t/big", "t/__0x41__/big"}

func TestAnAnswerWithoutALengthHasNoSizeAndIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	content := strings.Repeat("0123456789", 100_000)
	l.srv.Fault(always("GetObject", s3test.Fault{Chunked: true}))
	for _, k := range bothReaders {
		l.srv.Put(bucket, k, []byte(content))
		body, info, err := l.Open(t.Context(), key(k))
		require.NoError(t, err)
		require.EqualValues(t, -1, info.Size)
		require.False(t, info.ModTime.IsZero())
		data, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, content, string(data))
		all, err := l.ReadAll(t.Context(), key(k), int64(len(content)))
		require.NoError(t, err)
		require.Equal(t, content, string(all))
		_, err = l.ReadAll(t.Context(), key(k), int64(len(content))-1)
		require.ErrorIs(t, err, storage.ErrTooLarge)
		l.srv.Put(bucket, k, nil)
		require.Empty(t, readAll(t, l.Session, key(k)))
	}
	require.Zero(t, l.Usage().Retries)
}

func TestABrokenAnswerWithoutALengthIsNeverTakenForTheEnd(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789", 100_000)
	for _, k := range bothReaders {
		l := open(t, s3test.Options{}, nil)
		l.srv.Put(bucket, k, []byte(content))
		l.srv.Fault(func(n int64, _ string, _ *http.Request) *s3test.Fault {
			if n <= 3 {
				return &s3test.Fault{Chunked: true, BreakAfter: 150_000}
			}
			return &s3test.Fault{Chunked: true}
		})
		require.Equal(t, content, readAll(t, l.Session, key(k)))
		require.EqualValues(t, 3, l.Usage().Retries)
	}
}

// The store closes the connection in an orderly way, as one does that is
// restarted, with and without the last chunk's data.
func TestAnAnswerInChunksMustEndWithItsTerminator(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{"01234", "0123456789"} {
		l := open(t, s3test.Options{}, nil)
		l.srv.Put(bucket, "t/x", []byte("0123456789"))
		body, info, err := l.Open(t.Context(), key("t/x"))
		require.NoError(t, err)
		require.NoError(t, body.Close())
		var ranges []string
		l.srv.Fault(func(n int64, _ string, r *http.Request) *s3test.Fault {
			ranges = append(ranges, r.Header.Get("Range"))
			if n == 1 {
				return &s3test.Fault{Raw: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nLast-Modified: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n",
					info.ModTime.UTC().Format(http.TimeFormat), len(sent), sent)}
			}
			return nil
		})
		require.Equal(t, "0123456789", readAll(t, l.Session, key("t/x")))
		require.Equal(t, []string{"", fmt.Sprintf("bytes=%d-", len(sent)-1)}, ranges, "a range behind the end would be refused")
	}
}

func TestABodyThatEndsBeforeItsObjectIsReadOn(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	l.srv.Put(bucket, "t/x", []byte("0123456789"))
	body, info, err := l.Open(t.Context(), key("t/x"))
	require.NoError(t, err)
	require.NoError(t, body.Close())
	l.srv.Fault(func(n int64, _ string, _ *http.Request) *s3test.Fault {
		if n > 1 {
			return nil
		}
		// A store that sends no more than some bytes of a range at once.
		return &s3test.Fault{Raw: fmt.Appendf(nil, "HTTP/1.1 206 Partial Content\r\nLast-Modified: %s\r\nContent-Length: 3\r\nContent-Range: bytes 2-4/10\r\n\r\n234",
			info.ModTime.UTC().Format(http.TimeFormat))}
	})
	body, err = l.OpenRange(t.Context(), key("t/x"), 2, -1)
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, "23456789", string(data))
	require.EqualValues(t, 1, l.Usage().Retries)
}

func TestAnAnswerWhoseEndCannotBeToldIsRefused(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = -1 })
	l.srv.Fault(always("GetObject", s3test.Fault{Raw: []byte("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n01234")}))
	for _, k := range bothReaders {
		_, _, err := l.Open(t.Context(), key(k))
		require.ErrorIs(t, err, storage.ErrUnavailable)
		require.ErrorContains(t, err, "neither a length nor chunks")
	}
}

func TestAnAnswerThatIgnoresTheRangeIsRefused(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = -1 })
	l.srv.Fault(always("GetObject", s3test.Fault{Status: 200, Body: []byte("0123456789")}))
	for _, k := range bothReaders {
		_, err := l.OpenRange(t.Context(), key(k), 5, 2)
		require.ErrorIs(t, err, storage.ErrUnavailable)
		require.ErrorContains(t, err, "did not send the range")
		body, err := l.OpenRange(t.Context(), key(k), 0, 2)
		require.NoError(t, err)
		data, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, "01", string(data), "no more than was asked for")
	}
}

func TestAStoreThatSendsAByteAtATimeIsGivenUp(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, quick)
	l.srv.Put(bucket, "t/big", make([]byte, 1000))
	l.srv.Fault(always("GetObject", s3test.Fault{BreakAfter: 1}))
	_, err := l.ReadAll(t.Context(), key("t/big"), 0)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.LessOrEqual(t, l.srv.Total(), int64(3))
}
