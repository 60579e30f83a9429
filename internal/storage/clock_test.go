package storage_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

const emptyListing = `<?xml version="1.0"?><ListBucketResult><Name>warehouse</Name><IsTruncated>false</IsTruncated></ListBucketResult>`

// telling answers listings with those headers and with nothing listed.
func telling(header http.Header) s3test.FaultFunc {
	return always("ListObjectsV2", s3test.Fault{Status: http.StatusOK, Header: header, Body: []byte(emptyListing)})
}

func TestTheStoresClockIsTheDateOfItsAnswer(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	at := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	l.srv.Fault(telling(http.Header{"Date": {at.Format(http.TimeFormat)}}))
	now, known, err := l.StoreClock(t.Context(), key("t"))
	require.NoError(t, err)
	require.True(t, known)
	require.True(t, now.Equal(at), now)
	require.Equal(t, map[string]int64{"ListObjectsV2": 1}, l.srv.Counts())
}

func TestAStoreWhoseClockCannotBeReadTellsNoTime(t *testing.T) {
	t.Parallel()
	date := time.Now().UTC().Format(http.TimeFormat)
	for name, header := range map[string]http.Header{
		"no date":    {"Date": nil},
		"no time":    {"Date": {"yesterday"}},
		"of a cache": {"Date": {date}, "Age": {"86400"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, s3test.Options{}, nil)
			l.srv.Fault(telling(header))
			now, known, err := l.StoreClock(t.Context(), key("t"))
			require.NoError(t, err)
			require.False(t, known)
			require.True(t, now.IsZero())
		})
	}
}

func TestAStoreThatDoesNotAnswerHasNoClock(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, quick)
	l.srv.Fault(always("ListObjectsV2", s3test.Fault{
		Status: http.StatusForbidden, Code: "AccessDenied", Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}},
	}))
	_, known, err := l.StoreClock(t.Context(), key("t"))
	require.ErrorIs(t, err, storage.ErrDenied)
	require.ErrorContains(t, err, "list s3://warehouse/t")
	require.False(t, known)

	_, known, err = l.StoreClock(t.Context(), storage.Location{Scheme: "s3", Bucket: "elsewhere", Key: "t"})
	require.ErrorIs(t, err, storage.ErrOutside)
	require.False(t, known)
}

func TestATimeThatIsNotToldOrIsTheEpochIsNotKnown(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	real := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	times := map[string]time.Time{"t/never": {}, "t/epoch": time.Unix(0, 0), "t/real": real}
	for k := range times {
		l.srv.Put(bucket, k, nil)
	}
	l.srv.SetTimes(func(_, key string, _ time.Time) time.Time { return times[key] })
	for name, list := range map[string]func() map[string]time.Time{
		"page by page": func() map[string]time.Time { return listedTimes(t, l, false) },
		"in parallel":  func() map[string]time.Time { return listedTimes(t, l, true) },
	} {
		found := list()
		require.Len(t, found, 3, name)
		require.True(t, found["t/never"].IsZero(), name)
		require.True(t, found["t/epoch"].IsZero(), name)
		require.True(t, found["t/real"].Equal(real), name)
	}
}

func listedTimes(t *testing.T, l lab, parallel bool) map[string]time.Time {
	t.Helper()
	objects := l.List(t.Context(), key("t"))
	if parallel {
		objects = l.ListParallel(t.Context(), key("t"), storage.ListConfig{})
	}
	found := map[string]time.Time{}
	for o, err := range objects {
		require.NoError(t, err)
		found[o.Location.Key] = o.ModTime
	}
	return found
}

func TestTheClockOfLocalFilesIsTheSystems(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	stores, err := storage.NewStores(storage.Config{Name: "local", Locations: []string{folder}}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	session := stores.Session(storage.SessionConfig{})
	root, err := storage.Parse(folder)
	require.NoError(t, err)
	before := time.Now()
	now, known, err := session.StoreClock(t.Context(), root)
	require.NoError(t, err)
	require.True(t, known)
	require.False(t, now.Before(before))
	require.False(t, now.After(time.Now()))

	epoch := filepath.Join(folder, "epoch")
	require.NoError(t, os.WriteFile(epoch, nil, 0o600))
	require.NoError(t, os.Chtimes(epoch, time.Unix(0, 0), time.Unix(0, 0)))
	for o, err := range session.List(t.Context(), root) {
		require.NoError(t, err)
		require.True(t, o.ModTime.IsZero())
	}
}
