package storage_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// oddKeys are names that a client is tempted to decode, escape or clean. Those
// with a ".." segment are refused by the guard and not among them.
var oddKeys = []string{
	"t/cat=%C3%BC%2520/f.parquet", "t/cat=ü ü/f.parquet", "t/a//b", "t/a b+c#d?e&f=g;h.parquet", "t/+", "t/%", "t/%2F",
	"t/a__0x2f__b.parquet", "t/a/b.parquet", "t//", "t/\u2028日本語\u00a0x\u0085", "t/\"quoted\"<&>'", "t/back\\slash",
	"t/ctrl\x01\x1f\x7f", "t/tab\tnewline\nreturn\r", "t/x..", "t/..x/y", "t/dots.../z",
	"t/blank after ", "t/blank after",
}

func TestRawKeysSurviveWriteListReadAndDelete(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	for _, k := range oddKeys {
		require.NoError(t, l.Write(t.Context(), key(k), []byte(k)))
	}
	require.ElementsMatch(t, oddKeys, l.srv.Keys(bucket))
	require.Equal(t, l.srv.Keys(bucket), listed(t, l.Session, key("t")))
	for _, k := range oddKeys {
		require.Equal(t, k, readAll(t, l.Session, key(k)), "%q", k)
	}
	asked := keys(oddKeys...)
	requireDeleted(t, l.Delete(t.Context(), asked), asked)
	require.Empty(t, l.srv.Keys(bucket))
	require.EqualValues(t, 1, l.srv.Counts()["DeleteObjects"])
	require.EqualValues(t, 4, l.srv.Counts()["DeleteObject"], "three names do not fit into XML, and one could be trimmed")
	require.Zero(t, l.srv.Counts()["HeadObject"])
}

func TestDeletingWhatWasListedNeverDeletesTheInnocentNeighbour(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	l.srv.Put(bucket, "t/del/a__0x2f__b.parquet", []byte("trap"))
	l.srv.Put(bucket, "t/del/a/b.parquet", []byte("innocent"))
	for o, err := range l.List(t.Context(), key("t/del")) {
		require.NoError(t, err)
		if o.Size == int64(len("trap")) {
			require.NoError(t, l.Delete(t.Context(), []storage.Location{o.Location})[0].Err)
		}
	}
	require.Equal(t, []string{"t/del/a/b.parquet"}, l.srv.Keys(bucket))
}

func TestAListingIsBelowThePrefixAndHasItsSlash(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	for _, k := range []string{"t", "t/", "t//x", "t/a", "t/b/c", "t2/x", "t-x", "u", "/y"} {
		l.srv.Put(bucket, k, []byte(k))
	}
	for _, prefix := range []string{"t", "t/"} {
		require.Equal(t, []string{"t/", "t//x", "t/a", "t/b/c"}, listed(t, l.Session, key(prefix)))
	}
	require.Equal(t, []string{"t//x"}, listed(t, l.Session, key("t//")))
	require.Equal(t, []string{"/y"}, listed(t, l.Session, key("/")))
	require.Len(t, listed(t, l.Session, key("")), 9)
	for o, err := range l.List(t.Context(), key("t/b")) {
		require.NoError(t, err)
		require.EqualValues(t, 5, o.Size)
		require.False(t, o.ModTime.IsZero())
	}
}

func TestAListingStreamsPageByPageAndStopsWhenToldTo(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	l.fill(2500)
	require.Len(t, listed(t, l.Session, key("t")), 2500)
	require.EqualValues(t, 3, l.srv.Counts()["ListObjectsV2"])
	require.EqualValues(t, 3, l.Usage().Requests["ListObjectsV2"])
	l.srv.ResetCounts()
	n := 0
	for _, err := range l.List(t.Context(), key("t")) {
		require.NoError(t, err)
		if n++; n == 10 {
			break
		}
	}
	n = 0
	for _, err := range l.ListLimit(t.Context(), key("t"), 1) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n)
	require.EqualValues(t, 2, l.srv.Counts()["ListObjectsV2"])
}

func TestAListedKeyIsDecodedOnlyWhenTheAnswerSaysSo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ encoding, key, want string }{
		{"<EncodingType>url</EncodingType>", "t/a%252F+b", "t/a%2F b"},
		{"", "t/a%252F+b", "t/a%252F+b"},
	} {
		l := open(t, s3test.Options{}, nil)
		l.srv.Fault(always("ListObjectsV2", s3test.Fault{Status: 200, Body: []byte(
			`<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>` + c.encoding + `<Contents><Key>` + c.key + `</Key><Size>1</Size></Contents></ListBucketResult>`)}))
		require.Equal(t, []string{c.want}, listed(t, l.Session, key("t")))
	}
}

func TestAListingThatCannotBeTrustedIsAnError(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a key outside the prefix": `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>other/x</Key></Contents></ListBucketResult>`,
		"a bad encoding":           `<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents><Key>t/%zz</Key></Contents></ListBucketResult>`,
		"no word on the rest":      `<ListBucketResult><Contents><Key>t/x</Key></Contents></ListBucketResult>`,
		"fewer than it says":       `<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>2</KeyCount><Contents><Key>t/x</Key></Contents></ListBucketResult>`,
		"no place to go on":        `<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`,
		"a page that is not S3's":  `<html><body>Welcome</body></html>`,
		"nothing at all":           ``,
		"an error after the 200":   `<?xml version="1.0"?> <Error><Code>InternalError</Code></Error>`,
	} {
		l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = -1 })
		l.srv.Fault(always("ListObjectsV2", s3test.Fault{Status: 200, Body: []byte(body)}))
		var last error
		for _, err := range l.List(t.Context(), key("t")) {
			last = err
		}
		require.Error(t, last, name)
		require.ErrorContains(t, last, "list s3://warehouse/t", name)
	}
}

func TestReadsAreWholeOrRanged(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	for _, k := range []string{"t/f", "t/__0x41__/f"} { // through the driver and past it
		l.srv.Put(bucket, k, []byte("0123456789"))
		body, info, err := l.Open(t.Context(), key(k))
		require.NoError(t, err)
		require.EqualValues(t, 10, info.Size)
		require.False(t, info.ModTime.IsZero())
		require.NoError(t, body.Close())
		require.NoError(t, body.Close())
		_, err = body.Read(make([]byte, 1))
		require.Error(t, err)
		for _, c := range []struct {
			offset, length int64
			want           string
		}{{0, -1, "0123456789"}, {3, 4, "3456"}, {7, -1, "789"}, {8, 100, "89"}, {0, 1, "0"}} {
			body, err := l.OpenRange(t.Context(), key(k), c.offset, c.length)
			require.NoError(t, err)
			var b strings.Builder
			_, err = copyAll(&b, body)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Equal(t, c.want, b.String())
		}
		_, err = l.OpenRange(t.Context(), key(k), 10, 1)
		require.ErrorIs(t, err, storage.ErrRejected)
		_, err = l.OpenRange(t.Context(), key(k), -1, 1)
		require.ErrorIs(t, err, storage.ErrRejected)
		data, err := l.ReadAll(t.Context(), key(k), 10)
		require.NoError(t, err)
		require.Equal(t, "0123456789", string(data))
		_, err = l.ReadAll(t.Context(), key(k), 9)
		require.ErrorIs(t, err, storage.ErrTooLarge)
	}
	require.Zero(t, l.srv.Counts()["HeadObject"])
}

func TestTheGuardRefusesWritesDeletesAndReadsOutside(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(c *storage.Config, s *storage.SessionConfig) {
		c.Locations = []string{"s3://warehouse/t", "s3://warehouse/readable"}
	})
	outside := []string{"t2/x", "t", "readable/x", "t/../u", "t/./x", ""}
	for _, k := range append(outside, "t/inside") {
		if k != "" {
			l.srv.Put(bucket, k, []byte(k))
		}
	}
	before := l.srv.Keys(bucket)
	for i, r := range l.Delete(t.Context(), keys(outside...)) {
		require.ErrorIs(t, r.Err, storage.ErrOutside, outside[i])
		require.ErrorIs(t, l.Write(t.Context(), key(outside[i]), nil), storage.ErrOutside)
	}
	other := storage.Location{Scheme: "s3", Bucket: "secrets", Key: "t/x"}
	require.ErrorIs(t, l.Delete(t.Context(), []storage.Location{other})[0].Err, storage.ErrOutside)
	_, _, err := l.Open(t.Context(), key("t2/x"))
	require.ErrorIs(t, err, storage.ErrOutside)
	for _, err := range l.List(t.Context(), key("t2")) {
		require.ErrorIs(t, err, storage.ErrOutside)
	}
	require.Zero(t, l.srv.Total(), "nothing is ever sent")
	require.Equal(t, before, l.srv.Keys(bucket))
	require.Equal(t, "readable/x", readAll(t, l.Session, key("readable/x")))

	nothing := l.stores.Session(storage.SessionConfig{})
	require.ErrorIs(t, nothing.Delete(t.Context(), keys("t/inside"))[0].Err, storage.ErrOutside)
	require.ErrorIs(t, nothing.Write(t.Context(), key("t/inside"), nil), storage.ErrOutside)
	require.True(t, l.srv.Has(bucket, "t/inside"))
}

func TestAllThreeS3SchemesReachTheSameObject(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	for _, scheme := range []string{"s3", "s3a", "s3n"} {
		l.srv.Put(bucket, "t/x", []byte("x"))
		at := parse(t, scheme+"://warehouse/t/x")
		require.Equal(t, "x", readAll(t, l.Session, at))
		require.NoError(t, l.Delete(t.Context(), []storage.Location{at})[0].Err)
		require.False(t, l.srv.Has(bucket, "t/x"))
	}
}

func TestALargeObjectIsWrittenAndReadInParts(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	data := []byte(strings.Repeat("0123456789abcdef", 20<<20/16))
	require.NoError(t, l.Write(t.Context(), key("t/big"), data))
	got, err := l.ReadAll(t.Context(), key("t/big"), 0)
	require.NoError(t, err)
	require.Equal(t, len(data), len(got))
	require.Equal(t, string(data), string(got))
	require.EqualValues(t, len(data), l.Usage().BytesRead)
}

func TestUsageAndHooksCountWhatTheServerCounts(t *testing.T) {
	t.Parallel()
	var hooks, success counter
	l := open(t, s3test.Options{}, func(c *storage.Config, s *storage.SessionConfig) {
		c.OnRequest = func(op, code string) { hooks.add(op + " " + code) }
		s.OnSuccess = func() { success.add("") }
	})
	files := l.fill(2001)
	requireDeleted(t, l.Delete(t.Context(), files), files)
	require.NoError(t, l.Write(t.Context(), key("t/x"), []byte("abc")))
	require.Equal(t, "abc", readAll(t, l.Session, key("t/x")))
	require.Len(t, listed(t, l.Session, key("t")), 1)
	_, _, err := l.Open(t.Context(), key("t/missing"))
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.NoError(t, l.Delete(t.Context(), keys("t/\x01"))[0].Err)

	want := map[string]int64{"DeleteObjects": 3, "DeleteObject": 1, "PutObject": 1, "GetObject": 2, "ListObjectsV2": 1}
	require.Equal(t, want, l.srv.Counts())
	require.Equal(t, want, l.Usage().Requests)
	require.EqualValues(t, 3, l.Usage().BytesRead)
	require.Zero(t, l.Usage().Retries)
	require.Equal(t, 3, hooks.get("DeleteObjects OK"))
	require.Equal(t, 1, hooks.get("GetObject OK"))
	require.Equal(t, 1, hooks.get("GetObject NoSuchKey"))
	require.Equal(t, 7, success.get(""))
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	l.fill(1)
	addresses := map[string]bool{}
	l.srv.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
		addresses[r.RemoteAddr] = true
		return nil
	})
	for range 20 {
		require.Len(t, listed(t, l.Session, key("t")), 1)
	}
	require.Len(t, addresses, 1)
}
