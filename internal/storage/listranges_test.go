package storage_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// answer is a page of S3 with that between its tags.
func answer(inner string) []byte {
	return []byte(`<?xml version="1.0"?><ListBucketResult><EncodingType>url</EncodingType>` + inner + `</ListBucketResult>`)
}

// after lets a listing's first n pages through.
func after(n int64, f s3test.Fault) s3test.FaultFunc {
	return func(i int64, op string, _ *http.Request) *s3test.Fault {
		if op != "ListObjectsV2" || i <= n {
			return nil
		}
		return &f
	}
}

func TestAParallelListingThatFailsAnywhereIsNeverComplete(t *testing.T) {
	t.Parallel()
	var cfg storage.Config
	l := open(t, shortPages, func(c *storage.Config, _ *storage.SessionConfig) {
		c.Retries = -1
		cfg = *c
	})
	l.putAll(1200, shapes["a few folders"])
	token := "<NextContinuationToken>" + base64.URLEncoding.EncodeToString([]byte("t/zzz")) + "</NextContinuationToken>"
	cut := "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n" +
		"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>t/zzzz</Key><Size>1</Size></Contents>"
	for name, fault := range map[string]s3test.Fault{
		"no place to go on":        {Status: 200, Body: answer("<IsTruncated>true</IsTruncated>")},
		"the same token twice":     {Status: 200, Body: answer("<IsTruncated>true</IsTruncated>" + token)},
		"the same page again":      {Status: 200, Body: answer("<IsTruncated>true</IsTruncated><Contents><Key>t/zzzz</Key></Contents>" + token)},
		"whether there is more":    {Status: 200, Body: answer(token)},
		"no body":                  {Status: 200, Body: []byte{}},
		"another prefix":           {Status: 200, Body: answer("<Prefix>u/</Prefix><IsTruncated>false</IsTruncated>")},
		"a key of another":         {Status: 200, Body: answer("<Contents><Key>u/x</Key></Contents>")},
		"a key without its escape": {Status: 200, Body: answer("<Contents><Key>t/%zz</Key></Contents>")},
		"a page cut off":           {Raw: []byte(cut)},
		"a page of a proxy":        {Status: 200, Body: []byte("<html><body>Welcome</body></html>")},
		"not found":                {Status: 404, Code: "NoSuchKey"},
		"not found by a proxy":     {Status: 404, Body: []byte("nginx")},
		"no bucket":                {Status: 404, Code: "NoSuchBucket"},
		"denied":                   {Status: 403, Code: "AccessDenied"},
		"broken":                   {Drop: true},
		"an error":                 {Status: 500, Code: "InternalError"},
	} {
		for _, n := range []int64{0, 1, 2, 5, 9} {
			l.srv.Fault(after(n, fault))
			stores, err := storage.NewStores(cfg, nil) // which know nothing of the store yet
			require.NoError(t, err)
			seen := map[string]bool{}
			var last error
			for o, err := range stores.Session(storage.SessionConfig{}).ListParallel(t.Context(), key("t"), storage.ListConfig{}) {
				require.NoError(t, last, "nothing comes after the error")
				if last = err; err == nil {
					require.False(t, seen[o.Location.Key], "%s twice", o.Location)
					seen[o.Location.Key] = true
				}
			}
			require.NoError(t, stores.Close())
			require.Error(t, last, "%s after %d pages", name, n)
			require.NotErrorIs(t, last, storage.ErrNotFound)
			require.ErrorContains(t, last, "list s3://warehouse/t:")
			e, ok := errors.AsType[*storage.Error](last)
			require.True(t, ok)
			require.Equal(t, key("t"), e.Location)
		}
	}
}

func TestAPassingFailureOfAParallelListingIsRepeated(t *testing.T) {
	t.Parallel()
	l := open(t, shortPages, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = 20 })
	l.putAll(1200, shapes["a few folders"])
	l.srv.Fault(func(n int64, _ string, _ *http.Request) *s3test.Fault {
		switch {
		case n%4 == 0:
			return &s3test.Fault{Status: 503, Code: "SlowDown"}
		case n%7 == 0:
			return &s3test.Fault{BreakAfter: 5000}
		}
		return nil
	})
	require.Equal(t, l.below("t/"), listedParallel(t, l.Session, key("t")))
	require.NotZero(t, l.Usage().Retries)
}

// forgetful is a store that does not know a parameter of listings, but for those
// before the n-th.
func forgetful(n int64, parameter string) s3test.FaultFunc {
	return func(i int64, _ string, r *http.Request) *s3test.Fault {
		if query := r.URL.Query(); i >= n {
			query.Del(parameter)
			r.URL.RawQuery = query.Encode()
		}
		return nil
	}
}

func TestAStoreThatDoesNotKnowWhatAParallelListingNeedsIsListedPageByPage(t *testing.T) {
	t.Parallel()
	for _, parameter := range []string{"start-after", "delimiter"} {
		l := open(t, shortPages, nil)
		l.putAll(1200, shapes["a few folders"])
		l.srv.Fault(forgetful(0, parameter))
		require.Equal(t, l.below("t/"), listedParallel(t, l.Session, key("t")), parameter)
		if parameter == "start-after" {
			require.EqualValues(t, 13, l.srv.Counts()["ListObjectsV2"], "one to find it out")
		}
	}
}

func TestAStoreThatListsInAnotherOrderIsListedPageByPage(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	l.srv.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
		require.False(t, r.URL.Query().Has("start-after"))
		n := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("continuation-token"), &n)
		return &s3test.Fault{Status: 200, Body: answer(fmt.Sprintf("<IsTruncated>%t</IsTruncated><NextContinuationToken>%d</NextContinuationToken>"+
			"<Contents><Key>t/%d</Key></Contents><Contents><Key>t/%d</Key></Contents>", n < 8, n+2, (n+5)%10, (n+4)%10))}
	})
	require.Len(t, slices.Compact(listedParallel(t, l.Session, key("t"))), 10)
}

func TestAStoreThatIsFoundToHaveNoOrderHalfWayIsListedPageByPageTheNextTime(t *testing.T) {
	t.Parallel()
	l := open(t, shortPages, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = -1 })
	l.putAll(1200, shapes["a few folders"])
	asked := make(chan struct{})
	var once sync.Once
	forget := forgetful(3, "start-after")
	l.srv.Fault(func(n int64, op string, r *http.Request) *s3test.Fault {
		switch query := r.URL.Query(); {
		case n < 3 || query.Has("delimiter"):
		case query.Has("continuation-token"): // until the other spans are asked for, too
			select {
			case <-asked:
			case <-r.Context().Done():
			}
		case query.Has("start-after"):
			once.Do(func() { close(asked) })
		}
		return forget(n, op, r)
	})
	var last error
	for _, err := range l.ListParallel(t.Context(), key("t"), storage.ListConfig{}) {
		last = err
	}
	require.ErrorIs(t, last, storage.ErrUnavailable)
	l.srv.Fault(nil)
	// What the client counts: the server may still meet requests of the first listing.
	before := l.Usage().Requests["ListObjectsV2"]
	require.Equal(t, l.below("t/"), listedParallel(t, l.Session, key("t")))
	require.EqualValues(t, 12, l.Usage().Requests["ListObjectsV2"]-before)
}

func TestWhereFoldersMayNotBeAskedForNamesAreGuessed(t *testing.T) {
	t.Parallel()
	l := open(t, shortPages, nil)
	l.putAll(1200, shapes["a few folders"])
	l.srv.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
		if r.URL.Query().Has("delimiter") {
			return &s3test.Fault{Status: 403, Code: "AccessDenied"}
		}
		return nil
	})
	require.Equal(t, l.below("t/"), listedParallel(t, l.Session, key("t")))
}

func TestAParallelListingOutsideTheGuardIsRefused(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.Locations = []string{"s3://warehouse/t"} })
	for _, err := range l.ListParallel(t.Context(), key("t2"), storage.ListConfig{}) {
		require.ErrorIs(t, err, storage.ErrOutside)
	}
	require.Zero(t, l.srv.Total())
}
