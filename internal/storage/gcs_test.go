package storage_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/gcstest"
	"deckhand/internal/storage"
)

// gcsLab is a server of Google Cloud Storage with a session on gs://warehouse/t.
type gcsLab struct {
	*storage.Session
	srv    *gcstest.Server
	stores *storage.Stores
}

func openGCS(t testing.TB, opts gcstest.Options, change func(*storage.Config)) gcsLab {
	t.Helper()
	srv := gcstest.Start(t, opts)
	cfg := storage.Config{Name: "lake", Locations: []string{"gs://warehouse/"}, GCS: srv.StorageConfig(), Retries: -1}
	if change != nil {
		change(&cfg)
	}
	stores, err := storage.NewStores(cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	guard, err := stores.Guard().Narrow("gs://warehouse/t")
	require.NoError(t, err)
	return gcsLab{Session: stores.Session(storage.SessionConfig{Guard: guard, Logger: slog.New(slog.DiscardHandler)}), srv: srv, stores: stores}
}

func gcsKey(k string) storage.Location {
	return storage.Location{Scheme: "gs", Bucket: gcstest.DefaultBucket, Key: k}
}

// fill puts n objects and gives their locations.
func (l gcsLab) fill(n int) []storage.Location {
	all := make([]storage.Location, n)
	for i := range all {
		all[i] = gcsKey(fmt.Sprintf("t/data/p=%d/%05d.parquet", i%7, i))
		l.srv.Put(all[i].Key, []byte("x"))
	}
	return all
}

func TestGCSDeletesAThousandKeysInOneRequestAndAHundredWhereItMust(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{}, nil)
	files := l.fill(2500)
	requireDeleted(t, l.Delete(t.Context(), files), files)
	require.Empty(t, l.srv.Keys())
	require.Equal(t, map[string]int64{"multi-delete": 3}, l.srv.Counts())
	require.Equal(t, l.srv.Counts(), l.Usage().Requests)

	l = openGCS(t, gcstest.Options{NoMultiDelete: true}, nil)
	first, files := l.fill(1), l.fill(1000)
	requireDeleted(t, l.Delete(t.Context(), first), first)
	requireDeleted(t, l.Delete(t.Context(), files), files)
	require.Empty(t, l.srv.Keys())
	require.Equal(t, map[string]int64{"multi-delete": 1, "batch": 11}, l.srv.Counts(), "what the store takes is asked once")

	l = openGCS(t, gcstest.Options{NoMultiDelete: true, NoBatch: true}, nil)
	first, files = l.fill(1), l.fill(20)
	requireDeleted(t, l.Delete(t.Context(), first), first)
	requireDeleted(t, l.Delete(t.Context(), files), files)
	require.Empty(t, l.srv.Keys())
	require.Equal(t, map[string]int64{"multi-delete": 1, "batch": 1, "objects.list": 1, "objects.delete": 21}, l.srv.Counts())
}

// Parts of a batch come back in any order, each with an outcome of its own.
func TestEachPartOfAGCSBatchHasItsOwnOutcome(t *testing.T) {
	t.Parallel()
	told := func(status int, reason, message string) *gcstest.Fault {
		return &gcstest.Fault{Status: status, Body: fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"reason":%q}]}}`, status, message, reason)}
	}
	answers := map[string]*gcstest.Fault{
		"t/denied":    told(403, "forbidden", "p@iam does not have storage.objects.delete access"),
		"t/held":      told(403, "retentionPolicyNotMet", "Object is subject to bucket's retention policy"),
		"t/absent":    told(404, "notFound", "No such object: warehouse/t/absent"),
		"t/no-bucket": told(404, "notFound", "The specified bucket does not exist."),
		"t/login":     told(401, "authError", "Invalid Credentials"),
		"t/broken":    told(503, "backendError", "try again"),
		"t/strange":   {Status: 200, Body: "<html>hello</html>"},
	}
	want := map[string]error{
		"t/denied": storage.ErrDenied, "t/held": storage.ErrLocked, "t/absent": nil, "t/no-bucket": storage.ErrNoBucket,
		"t/login": storage.ErrDenied, "t/broken": storage.ErrUnavailable, "t/strange": storage.ErrUnavailable, "t/fine": nil,
	}
	l := openGCS(t, gcstest.Options{NoMultiDelete: true}, nil)
	l.srv.FaultOfKey(func(key string) *gcstest.Fault { return answers[key] })
	var asked []storage.Location
	for key := range want {
		l.srv.Put(key, nil)
		asked = append(asked, gcsKey(key))
	}
	for _, r := range l.Delete(t.Context(), asked) {
		if want[r.Location.Key] == nil {
			require.NoError(t, r.Err, r.Location.Key)
			continue
		}
		require.ErrorIs(t, r.Err, want[r.Location.Key], r.Location.Key)
		require.ErrorContains(t, r.Err, r.Location.String())
	}
	require.NotContains(t, l.srv.Keys(), "t/fine")
	require.Contains(t, l.srv.Keys(), "t/denied")
}

func TestThrottledPartsOfAGCSBatchAreSentAgainAlone(t *testing.T) {
	t.Parallel()
	for _, opts := range []gcstest.Options{{NoMultiDelete: true}, {}} {
		l := openGCS(t, opts, nil)
		files := l.fill(50)
		left := map[string]int{files[3].Key: 2, files[7].Key: 1}
		var asked []string
		l.srv.FaultOfKey(func(key string) *gcstest.Fault {
			asked = append(asked, key)
			if left[key]--; left[key] < 0 {
				return nil
			}
			if opts.NoMultiDelete {
				return &gcstest.Fault{Status: 429, Body: `{"error":{"code":429,"message":"slow","errors":[{"reason":"rateLimitExceeded"}]}}`}
			}
			return &gcstest.Fault{Body: "SlowDown"}
		})
		requireDeleted(t, l.Delete(t.Context(), files), files)
		require.Len(t, asked, 50+2+1)
		require.EqualValues(t, 2, l.Usage().Throttled)
		require.Empty(t, l.srv.Keys())
	}
}

// An answer that does not say what became of a key is not taken for "deleted".
func TestAGCSKeyThatTheAnswerLeavesOutIsNotDeleted(t *testing.T) {
	t.Parallel()
	for op, body := range map[string]*gcstest.Fault{
		"multi-delete": {Status: 200, Body: "<DeleteResult><Deleted><Key>t/a</Key></Deleted></DeleteResult>"},
		"batch": {
			Status: 200, Header: http.Header{"Content-Type": {"multipart/mixed; boundary=x"}},
			Body: "--x\r\nContent-Type: application/http\r\nContent-ID: <response-item-0>\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n\r\n--x--",
		},
	} {
		l := openGCS(t, gcstest.Options{NoMultiDelete: op == "batch"}, nil)
		l.srv.Fault(func(got string, _ *http.Request) *gcstest.Fault {
			if got == op {
				return body
			}
			return nil
		})
		results := l.Delete(t.Context(), []storage.Location{gcsKey("t/a"), gcsKey("t/b")})
		require.NoError(t, results[0].Err, op)
		require.ErrorIs(t, results[1].Err, storage.ErrUnavailable, op)
		require.ErrorContains(t, results[1].Err, "does not tell what became of it")
	}
}

// Two answers for one key are none, whichever comes first.
func TestAGCSKeyThatTheAnswerTellsTwiceIsNotDeleted(t *testing.T) {
	t.Parallel()
	deleted, denied := "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n"
	for _, parts := range [][]string{{deleted, denied}, {denied, deleted}, {deleted, deleted}} {
		body := ""
		for _, part := range parts {
			body += "--x\r\nContent-Type: application/http\r\nContent-ID: <response-item-0>\r\n\r\n" + part + "\r\n\r\n"
		}
		l := openGCS(t, gcstest.Options{NoMultiDelete: true}, nil)
		l.srv.Fault(answering(&gcstest.Fault{
			Status: 200, Header: http.Header{"Content-Type": {"multipart/mixed; boundary=x"}}, Body: body + "--x--",
		}, "batch"))
		require.ErrorIs(t, l.Delete(t.Context(), []storage.Location{gcsKey("t/a")})[0].Err, storage.ErrUnavailable)
	}
}

func TestAnObjectThatGCSGivesAnotherNameIsNotWritten(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{}, nil)
	l.srv.Fault(answering(&gcstest.Fault{Status: 200, Body: `{"kind":"storage#object","name":"t/b"}`}, "objects.insert"))
	require.ErrorIs(t, l.Write(t.Context(), gcsKey("t/a"), nil), storage.ErrRejected)
}

// Who reports errors of other keys read other keys than were sent.
func TestAnErrorOfAKeyThatWasNotNamedSpoilsTheAnswer(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{}, nil)
	l.srv.Fault(answering(&gcstest.Fault{Status: 200, Body: "<DeleteResult><Deleted><Key>t/a</Key></Deleted>" +
		"<Error><Key>t/c</Key><Code>AccessDenied</Code></Error></DeleteResult>"}, "multi-delete"))
	for _, r := range l.Delete(t.Context(), []storage.Location{gcsKey("t/a"), gcsKey("t/b")}) {
		require.ErrorIs(t, r.Err, storage.ErrRejected)
	}
}

// The page of a proxy is neither "deleted" nor "absent" nor "nothing there", and says
// nothing about what the store takes.
func TestAProxysPageIsNoAnswerOfGCS(t *testing.T) {
	t.Parallel()
	for _, page := range []gcstest.Fault{
		{Status: 200, Body: "<html>sign in</html>"}, {Status: 404, Body: "default backend - 404"}, {Status: 502, Body: "bad gateway"},
		{Status: 302, Header: http.Header{"Location": {"https://elsewhere/"}}},
	} {
		l := openGCS(t, gcstest.Options{}, nil)
		files := l.fill(3)
		l.srv.Fault(func(string, *http.Request) *gcstest.Fault { return &page })
		for _, r := range l.Delete(t.Context(), files) {
			require.ErrorIs(t, r.Err, storage.ErrUnavailable, "%d", page.Status)
		}
		for _, err := range l.List(t.Context(), gcsKey("t")) {
			require.ErrorIs(t, err, storage.ErrUnavailable, "%d", page.Status)
		}
		require.ErrorIs(t, l.Write(t.Context(), files[0], nil), storage.ErrUnavailable, "%d", page.Status)
		if page.Status != 200 {
			_, err := l.ReadAll(t.Context(), files[0], 0)
			require.ErrorIs(t, err, storage.ErrUnavailable, "%d", page.Status)
		}
		l.srv.Fault(nil)
		require.Len(t, l.srv.Keys(), 3)
		requireDeleted(t, l.Delete(t.Context(), files), files)
		require.EqualValues(t, 2, l.srv.Counts()["multi-delete"], "status %d", page.Status)
	}
}

func TestGCSListsInSmallPagesAndInParallel(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{PageSize: 37}, nil)
	want := []string{}
	for _, f := range l.fill(3000) {
		want = append(want, f.Key)
	}
	slices.Sort(want)
	l.srv.Put("t0", nil)
	l.srv.Put("s/t/x", nil)
	require.Equal(t, want, listed(t, l.Session, gcsKey("t")))
	before := l.srv.Counts()["objects.list"]
	var mu sync.Mutex
	from := map[string]bool{}
	l.srv.Fault(func(_ string, r *http.Request) *gcstest.Fault {
		mu.Lock()
		defer mu.Unlock()
		from[r.URL.Query().Get("startOffset")] = true
		return nil
	})
	require.Equal(t, want, listedParallel(t, l.Session, gcsKey("t")))
	require.Greater(t, len(from), 3, "it is listed from several keys on")
	pages := int64(3000/37 + 1)
	require.LessOrEqual(t, l.srv.Counts()["objects.list"]-before, pages+pages/8+8+16)
}

func TestAGCSListingThatGoesRoundInCirclesIsAnError(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{}, nil)
	l.srv.Fault(func(string, *http.Request) *gcstest.Fault {
		return &gcstest.Fault{Status: 200, Body: `{"kind":"storage#objects","nextPageToken":"x","items":[{"name":"t/a"}]}`}
	})
	var last error
	n := 0
	for _, err := range l.List(t.Context(), gcsKey("t")) {
		last = err
		n++
	}
	require.ErrorIs(t, last, storage.ErrRejected)
	require.Equal(t, 2, n)
	l.srv.Fault(func(string, *http.Request) *gcstest.Fault {
		return &gcstest.Fault{Status: 200, Body: `{"kind":"storage#objects","items":[{"name":"u/a"}]}`}
	})
	for _, err := range l.List(t.Context(), gcsKey("t")) {
		require.ErrorContains(t, err, "not below the prefix")
	}
}

func TestAGCSObjectOfManyRewritesIsMovedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{RewriteBytes: 10}, nil)
	from, to := gcsKey("t/a"), gcsKey("t/b")
	content := strings.Repeat("0123456789", 9) + "x"
	l.srv.Put(from.Key, []byte(content))
	require.NoError(t, l.Move(t.Context(), from, to))
	require.EqualValues(t, 10, l.srv.Counts()["objects.rewrite"])
	require.Equal(t, []string{"t/b"}, l.srv.Keys())
	require.Equal(t, content, readAll(t, l.Session, to))

	// Written over while it is copied, and after it was.
	for _, when := range []string{"objects.rewrite", "objects.delete"} {
		l := openGCS(t, gcstest.Options{RewriteBytes: 50}, nil)
		l.srv.Put(from.Key, []byte(content))
		seen := 0
		l.srv.Fault(func(op string, _ *http.Request) *gcstest.Fault {
			if op == when {
				if seen++; seen == 1 {
					l.srv.Put(from.Key, []byte("another"))
				}
			}
			return nil
		})
		require.ErrorIs(t, l.Move(t.Context(), from, to), storage.ErrChanged, when)
		require.Equal(t, "another", readAll(t, l.Session, from), when)
	}
}

func TestNothingIsWrittenOverThatComesWhileAGCSObjectIsMoved(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{}, nil)
	from, to := gcsKey("t/a"), gcsKey("t/b")
	l.srv.Put(from.Key, []byte("content"))
	l.srv.Fault(func(op string, _ *http.Request) *gcstest.Fault {
		if op == "objects.rewrite" {
			l.srv.Put(to.Key, []byte("another"))
		}
		return nil
	})
	require.ErrorIs(t, l.Move(t.Context(), from, to), storage.ErrExists)
	require.Equal(t, "content", readAll(t, l.Session, from))
	require.Equal(t, "another", readAll(t, l.Session, to))
}

func TestAGCSKeyThatCannotBeIsNeverSent(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{}, nil)
	for name, word := range map[string]string{
		strings.Repeat("k", 1023): "1,024", "a\nb": "line feed", "a\rb": "carriage return", "a\xffb": "UTF-8",
	} {
		at := gcsKey("t/" + name)
		errs := []error{l.Write(t.Context(), at, nil), l.Delete(t.Context(), []storage.Location{at})[0].Err, l.Move(t.Context(), gcsKey("t/x"), at)}
		_, _, err := l.Open(t.Context(), at)
		for _, err := range append(errs, err) {
			require.ErrorIs(t, err, storage.ErrRejected, word)
			require.ErrorContains(t, err, word)
		}
	}
	require.Empty(t, l.srv.Counts())
}

func TestGCSReadsWhatIsStoredCompressedAsItIsStored(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{}, nil)
	l.srv.Put("t/m.gz", []byte("\x1f\x8bnot unpacked"))
	var accepted string
	l.srv.Fault(func(_ string, r *http.Request) *gcstest.Fault {
		accepted = r.Header.Get("Accept-Encoding")
		return nil
	})
	require.Equal(t, "\x1f\x8bnot unpacked", readAll(t, l.Session, gcsKey("t/m.gz")))
	require.Equal(t, "gzip", accepted, "the store would unpack it for others")
}

func TestGCSTellsWhoPays(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{NoMultiDelete: true}, func(c *storage.Config) { c.GCS.UserProject = "p1" })
	var payers []string
	l.srv.Fault(func(_ string, r *http.Request) *gcstest.Fault {
		payers = append(payers, r.Header.Get("X-Goog-User-Project"))
		return nil
	})
	require.NoError(t, l.Delete(t.Context(), []storage.Location{gcsKey("t/a")})[0].Err)
	require.Equal(t, []string{"p1", "p1"}, payers)
}

func TestATokenOfGCSThatHasEndedIsExpired(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{Token: "right"}, func(c *storage.Config) { c.Vended = vendsToken{c.GCS.Endpoint} })
	_, err := l.ReadAll(t.Context(), gcsKey("t/a"), 0)
	require.ErrorIs(t, err, storage.ErrExpired)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.NotContains(t, err.Error(), "hush")
}

// vendsToken vends a token that has ended.
type vendsToken struct{ endpoint string }

func (vendsToken) S3(storage.Location) (string, storage.S3Config, error) {
	return "", storage.S3Config{}, nil
}
