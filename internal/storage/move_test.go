package storage_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

var (
	orphan = key("t/data/orphan.parquet")
	trash  = key("t/.trash/data/orphan.parquet")
)

// openToMove has one orphan and retries that end soon.
func openToMove(t testing.TB, opts s3test.Options) lab {
	t.Helper()
	l := open(t, opts, quick)
	l.srv.Put(bucket, orphan.Key, []byte("some bytes"))
	return l
}

// before does something when the n-th request of an operation comes.
func before(op string, n int64, do func()) s3test.FaultFunc {
	var seen atomic.Int64
	return func(_ int64, got string, _ *http.Request) *s3test.Fault {
		if got == op && seen.Add(1) == n {
			do()
		}
		return nil
	}
}

// requireKept says that the orphan lies where it was, with its bytes.
func (l lab) requireKept(t testing.TB) {
	t.Helper()
	data, _ := l.srv.Get(bucket, orphan.Key)
	require.Equal(t, "some bytes", string(data))
}

func (l lab) requireMoved(t testing.TB) {
	t.Helper()
	require.False(t, l.srv.Has(bucket, orphan.Key))
	data, _ := l.srv.Get(bucket, trash.Key)
	require.Equal(t, "some bytes", string(data))
}

// encrypted has an ETag of its own for each key.
func encrypted(_, key, _ string) string { return `"` + strings.ToUpper(key) + `-2"` }

func TestAnObjectIsMovedWithinItsBucket(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]s3test.Options{"with conditions": {}, "without conditions": {IgnoreConditions: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openToMove(t, opts)
			require.NoError(t, l.Move(t.Context(), orphan, trash))
			l.requireMoved(t)
			require.Equal(t, map[string]int64{"HeadObject": 4, "CopyObject": 1, "DeleteObject": 1}, l.Usage().Requests)
			require.Equal(t, l.srv.Counts(), l.Usage().Requests)
		})
	}
}

func TestAMoveTakesKeysAsTheyAre(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, quick)
	for _, name := range []string{"a b+c%2F?x=#é", "double//slash", "percent%25", "plus+plus", "__0x2f__", "new\nline", "bad\xff", "c=\"d\"&<e>"} {
		from, to := key("t/data/"+name), key("t/.trash/"+name)
		l.srv.Put(bucket, from.Key, []byte(name))
		require.NoError(t, l.Move(t.Context(), from, to), name)
		require.False(t, l.srv.Has(bucket, from.Key), name)
		require.Equal(t, name, readAll(t, l.Session, to))
	}
}

func TestAMoveKeepsToTheGuardAndTheBucket(t *testing.T) {
	t.Parallel()
	l := openToMove(t, s3test.Options{})
	l.srv.Put(bucket, "u/other", []byte("x"))
	for _, c := range []struct{ from, to storage.Location }{
		{orphan, key("u/orphan")}, {key("u/other"), trash}, {orphan, key("t/../u/x")},
	} {
		require.ErrorIs(t, l.Move(t.Context(), c.from, c.to), storage.ErrOutside)
	}
	elsewhere, err := storage.NewGuard("s3://warehouse/t", "s3://elsewhere/t", "file:///tmp/t")
	require.NoError(t, err)
	wide := l.stores.Session(storage.SessionConfig{Guard: elsewhere})
	for _, to := range []string{orphan.String(), "s3://elsewhere/t/x", "file:///tmp/t/x", "s3://warehouse/t/" + strings.Repeat("x", 1024)} {
		require.ErrorIs(t, wide.Move(t.Context(), orphan, parse(t, to)), storage.ErrRejected, to)
	}
	l.requireKept(t)
	require.Zero(t, l.srv.Total())
}

func TestAnObjectIsMovedOnlyAsItWasListed(t *testing.T) {
	t.Parallel()
	l := openToMove(t, s3test.Options{})
	var listed storage.Object
	for o, err := range l.List(t.Context(), key("t/data")) {
		require.NoError(t, err)
		listed = o
	}
	for _, change := range []func(o *storage.Object){
		func(o *storage.Object) { o.Size++ },
		func(o *storage.Object) { o.ETag = `"00000000000000000000000000000000"` },
		func(o *storage.Object) { o.ModTime = o.ModTime.Add(-time.Hour) },
	} {
		other := listed
		change(&other)
		require.ErrorIs(t, l.MoveListed(t.Context(), other, trash), storage.ErrChanged)
		l.requireKept(t)
		require.False(t, l.srv.Has(bucket, trash.Key))
	}
	require.NoError(t, l.MoveListed(t.Context(), listed, trash))
	l.requireMoved(t)
}

func TestNothingIsWrittenOverByAMove(t *testing.T) {
	t.Parallel()
	for _, other := range []string{"other size", "same size!"} {
		for _, etags := range []s3test.ETagsFunc{nil, encrypted} {
			l := openToMove(t, s3test.Options{})
			l.srv.SetETags(etags)
			l.srv.Put(bucket, trash.Key, []byte(other))
			require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrExists)
			l.requireKept(t)
			require.Equal(t, other, readAll(t, l.Session, trash))
		}
	}
	// One that comes between the look and the copy.
	l := openToMove(t, s3test.Options{})
	l.srv.Fault(before("CopyObject", 1, func() { l.srv.Put(bucket, trash.Key, []byte("newcomer!!")) }))
	require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrExists)
	l.requireKept(t)
	require.Equal(t, "newcomer!!", readAll(t, l.Session, trash))
}

func TestAMoveThatWasCutOffEndsTheSameWhenRepeated(t *testing.T) {
	t.Parallel()
	for _, etags := range []s3test.ETagsFunc{nil, encrypted} {
		for _, served := range []bool{false, true} {
			for n := int64(1); ; n++ {
				l := openToMove(t, s3test.Options{})
				l.srv.SetETags(etags)
				ctx, cancel := context.WithCancel(t.Context())
				l.srv.Fault(s3test.CutOff(n, served, cancel))
				err := l.Move(ctx, orphan, trash)
				cancel()
				l.srv.Settle()
				l.srv.Fault(nil)
				if err == nil {
					require.Greater(t, n, int64(6))
					break
				}
				require.ErrorIs(t, err, context.Canceled)
				if !l.srv.Has(bucket, orphan.Key) {
					l.requireMoved(t)
				}
				require.NoError(t, l.Move(t.Context(), orphan, trash), "request %d", n)
				l.requireMoved(t)
			}
		}
	}
}

func TestAnswersToAMoveThatAreLostAreFoundOut(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"CopyObject", "DeleteObject"} {
		for _, etags := range []s3test.ETagsFunc{nil, encrypted} {
			l := openToMove(t, s3test.Options{})
			l.srv.SetETags(etags)
			var once atomic.Bool
			l.srv.Fault(func(_ int64, got string, _ *http.Request) *s3test.Fault {
				if got != op || once.Swap(true) {
					return nil
				}
				return &s3test.Fault{Drop: true, Serve: true}
			})
			require.NoError(t, l.Move(t.Context(), orphan, trash), op)
			l.requireMoved(t)
			require.EqualValues(t, 1, l.Usage().Retries)
		}
	}
}

func TestACopyAnsweredWithAnErrorAfterTheStatusIsNone(t *testing.T) {
	t.Parallel()
	for body, reason := range map[string]error{
		`<?xml version="1.0"?>` + "\n  " + `<Error><Code>InternalError</Code></Error>`: storage.ErrUnavailable,
		`<Error><Code>AccessDenied</Code></Error>`:                                     storage.ErrDenied,
		"": storage.ErrUnavailable,
		"<CopyObjectResult><ETag>&quot;x&quot;</ETag>": storage.ErrUnavailable,
		"<html>hotel</html>":                           storage.ErrUnavailable,
	} {
		l := openToMove(t, s3test.Options{})
		// The copy is there even so, as after a server error, but nobody said so.
		l.srv.Fault(always("CopyObject", s3test.Fault{Status: 200, Body: []byte(body)}))
		require.ErrorIs(t, l.Move(t.Context(), orphan, trash), reason, body)
		l.requireKept(t)
		require.Zero(t, l.srv.Counts()["DeleteObject"])
	}
}

func TestACopyIsOnlyTakenForWholeWhenItIsThere(t *testing.T) {
	t.Parallel()
	claim := []byte(`<CopyObjectResult><ETag>"e5a2ac3ee2f45a0a9c4c3ed70c7ae20a"</ETag></CopyObjectResult>`)
	l := openToMove(t, s3test.Options{})
	l.srv.Fault(always("CopyObject", s3test.Fault{Status: 200, Body: claim}))
	err := l.Move(t.Context(), orphan, trash)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorContains(t, err, "the copy is not there")
	l.requireKept(t)

	for _, there := range []string{"some", "SOME BYTES"} {
		for _, etags := range []s3test.ETagsFunc{nil, func(_, _, md5 string) string { return `"kms-` + md5[1:] }} {
			l := openToMove(t, s3test.Options{})
			l.srv.SetETags(etags)
			l.srv.Fault(before("HeadObject", 3, func() { l.srv.Put(bucket, trash.Key, []byte(there)) }))
			require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrExists)
			l.requireKept(t)
		}
	}
}

func TestACopyThatIsCutShortIsNoticedByItsSizeAlone(t *testing.T) {
	t.Parallel()
	l := openToMove(t, s3test.Options{})
	l.srv.SetETags(func(string, string, string) string { return `"of-any-bytes"` })
	l.srv.Fault(before("HeadObject", 3, func() { l.srv.Put(bucket, trash.Key, []byte("some")) }))
	err := l.Move(t.Context(), orphan, trash)
	require.ErrorIs(t, err, storage.ErrExists)
	require.ErrorContains(t, err, "4 bytes in place of 10")
	l.requireKept(t)
}

func TestARefusedCopyOfWhichNobodyKnowsWhyKeepsTheObject(t *testing.T) {
	t.Parallel()
	l := openToMove(t, s3test.Options{})
	l.srv.Fault(always("CopyObject", s3test.Fault{Status: 412, Code: "PreconditionFailed"}))
	require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrUnavailable)
	l.requireKept(t)
	l = openToMove(t, s3test.Options{})
	l.srv.Fault(always("DeleteObject", s3test.Fault{Status: 412, Code: "PreconditionFailed"}))
	require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrRejected)
	l.requireKept(t)
}

func TestAnObjectThatIsWrittenWhileItIsMovedStays(t *testing.T) {
	t.Parallel()
	write := func(l lab) func() { return func() { l.srv.Put(bucket, orphan.Key, []byte("live bytes")) } }
	for name, at := range map[string]struct {
		op   string
		n    int64
		opts s3test.Options
	}{
		"before the copy":                    {"CopyObject", 1, s3test.Options{}},
		"after the copy":                     {"HeadObject", 3, s3test.Options{}},
		"before the delete":                  {"DeleteObject", 1, s3test.Options{}},
		"after the copy, without conditions": {"HeadObject", 4, s3test.Options{IgnoreConditions: true}},
	} {
		l := openToMove(t, at.opts)
		l.srv.Fault(before(at.op, at.n, write(l)))
		require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrChanged, name)
		require.Equal(t, "live bytes", readAll(t, l.Session, orphan), name)
	}
	// With the same bytes it is as young.
	l := openToMove(t, s3test.Options{})
	var again atomic.Bool
	l.srv.SetTimes(func(_, _ string, at time.Time) time.Time {
		if again.Load() {
			return at.Add(time.Hour)
		}
		return at
	})
	l.srv.Fault(before("CopyObject", 1, func() { again.Store(true) }))
	require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrChanged)
	l.requireKept(t)
}

func TestAnObjectThatIsGoneIsNotFound(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, quick)
	require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrNotFound)
	l.srv.Put(bucket, trash.Key, []byte("some bytes"))
	require.NoError(t, l.MoveListed(t.Context(), storage.Object{Location: orphan, Size: 10}, trash))
	require.ErrorIs(t, l.MoveListed(t.Context(), storage.Object{Location: orphan, Size: 11}, trash), storage.ErrExists)
	require.ErrorIs(t, l.MoveListed(t.Context(),
		storage.Object{Location: orphan, Size: 10, ETag: `"00000000000000000000000000000000"`}, trash), storage.ErrExists)
	require.True(t, l.srv.Has(bucket, trash.Key))

	// The 404 of a proxy is none.
	l = openToMove(t, s3test.Options{})
	l.srv.Fault(always("HeadObject", s3test.Fault{Status: 404, Header: http.Header{"X-Amz-Request-Id": nil}}))
	require.NoError(t, l.Move(t.Context(), orphan, trash), "listings say what is there")
	l.requireMoved(t)
	l = openToMove(t, s3test.Options{})
	l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Status: 404, Body: []byte("no server"), Header: http.Header{"X-Amz-Request-Id": nil}}
	})
	require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrUnavailable)
	l.requireKept(t)
}

func TestExpiredKeysAreKnownAlthoughAHeadDoesNotTell(t *testing.T) {
	t.Parallel()
	l := openToMove(t, s3test.Options{})
	l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Status: 400, Code: "ExpiredToken"}
	})
	require.ErrorIs(t, l.Move(t.Context(), orphan, trash), storage.ErrExpired)
	l.requireKept(t)
}

func TestAMoveIsRefusedAndThrottledLikeADelete(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"HeadObject", "CopyObject", "DeleteObject"} {
		l := openToMove(t, s3test.Options{})
		l.srv.Fault(always(op, s3test.Fault{Status: 403, Code: "AccessDenied"}))
		err := l.Move(t.Context(), orphan, trash)
		require.ErrorIs(t, err, storage.ErrDenied, op)
		require.ErrorContains(t, err, "move "+orphan.String())
		l.requireKept(t)

		l = openToMove(t, s3test.Options{})
		var asked atomic.Int64
		l.srv.Fault(func(_ int64, got string, _ *http.Request) *s3test.Fault {
			if got != op || asked.Add(1) > 3 {
				return nil
			}
			return &s3test.Fault{Status: 503, Code: "SlowDown"}
		})
		require.NoError(t, l.Move(t.Context(), orphan, trash), op)
		l.requireMoved(t)
		require.EqualValues(t, 3, l.Usage().Throttled)
		require.Positive(t, l.limiters.Limits()[0].Writes.Rate)
	}
}

func TestACopyThatHangsEndsWithItsContextOrItsTime(t *testing.T) {
	t.Parallel()
	l := openToMove(t, s3test.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.srv.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op != "CopyObject" {
			return nil
		}
		cancel()
		return &s3test.Fault{Hang: true}
	})
	require.ErrorIs(t, l.Move(ctx, orphan, trash), context.Canceled)
	l.requireKept(t)

	short := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) {
		c.RequestTimeout, c.Retries = 50*time.Millisecond, -1
	})
	short.srv.Put(bucket, orphan.Key, []byte("some bytes"))
	short.srv.Fault(always("CopyObject", s3test.Fault{Hang: true}))
	require.ErrorIs(t, short.Move(t.Context(), orphan, trash), storage.ErrUnavailable)
	short.requireKept(t)
}

func TestAStoreThatRefusesConditionsIsAskedWithout(t *testing.T) {
	t.Parallel()
	l := openToMove(t, s3test.Options{})
	l.srv.Put(bucket, "t/data/second", []byte("2"))
	l.srv.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if r.Header.Get("If-None-Match")+r.Header.Get("If-Match") == "" {
			return nil
		}
		return &s3test.Fault{Status: 501, Code: "NotImplemented"}
	})
	require.NoError(t, l.Move(t.Context(), orphan, trash))
	l.requireMoved(t)
	require.EqualValues(t, 2, l.srv.Counts()["CopyObject"])
	require.NoError(t, l.Move(t.Context(), key("t/data/second"), key("t/.trash/second")))
	require.EqualValues(t, 3, l.srv.Counts()["CopyObject"])
	require.EqualValues(t, 3, l.srv.Counts()["DeleteObject"])
}
