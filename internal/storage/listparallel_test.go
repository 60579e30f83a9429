package storage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// listedParallel gives the keys of a complete parallel listing, sorted, so that one
// that is listed twice is there twice.
func listedParallel(t testing.TB, s *storage.Session, prefix storage.Location) []string {
	t.Helper()
	found := []string{}
	for o, err := range s.ListParallel(t.Context(), prefix, storage.ListConfig{}) {
		require.NoError(t, err)
		found = append(found, o.Location.Key)
	}
	slices.Sort(found)
	return found
}

// below gives the keys of the server that lie in a folder, sorted.
func (l lab) below(folder string) []string {
	found := []string{}
	for _, k := range l.srv.Keys(bucket) {
		if strings.HasPrefix(k, folder) {
			found = append(found, k)
		}
	}
	return found
}

// putAll puts objects in the folders that folder gives, each with its number as name.
func (l lab) putAll(n int, name func(n int) string) {
	for i := range n {
		l.srv.Put(bucket, name(i), []byte("x"))
	}
}

// shortPages is a server that gives a tenth of the keys of S3 at once, so that a tenth
// of the objects makes as many pages.
var shortPages = s3test.Options{PageKeys: 100}

// shapes are tables' folders of many kinds.
var shapes = map[string]func(n int) string{
	"one folder":        func(n int) string { return fmt.Sprintf("t/data/%05d-1-4a9f.parquet", n) },
	"hashed names":      func(n int) string { return fmt.Sprintf("t/data/%08x.parquet", uint32(n)*2654435761) },
	"a few folders":     func(n int) string { return fmt.Sprintf("t/data/p=%d/%05d.parquet", n%7, n) },
	"folders in three":  func(n int) string { return fmt.Sprintf("t/y=%d/m=%d/d=%d/%05d", n%3, n%5, n%11, n) },
	"tiny folders":      func(n int) string { return fmt.Sprintf("t/id=%d/f", n) },
	"folders and files": func(n int) string { return strings.Repeat("b/", n%3) + fmt.Sprintf("t/%d/%d", n%2, n) },
	"only slashes":      func(n int) string { return "t" + strings.Repeat("/", 1+n%9) + fmt.Sprint(n) },
	"nothing to guess":  func(n int) string { return "t/" + strings.Repeat("é", 1+n%200) + strings.Repeat("%", n/200) },
	"one large folder":  func(n int) string { return fmt.Sprintf("t/p=%d/%05d", max(0, n-880), n) },
}

func TestAParallelListingYieldsEachObjectOnceWhateverTheFoldersAre(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, shortPages, nil)
			l.putAll(900, shape)
			l.putAll(250, func(n int) string { return fmt.Sprintf("t/metadata/v%d.json", n) })
			for _, k := range []string{"s/before", "t", "t-x", "t.x", "t0/behind", "u"} {
				l.srv.Put(bucket, k, []byte("x"))
			}
			want := l.below("t/")
			require.NotEmpty(t, want)
			require.Equal(t, want, listedParallel(t, l.Session, key("t")))
			flat, most := (len(want)+99)/100, l.srv.Counts()["ListObjectsV2"]
			require.LessOrEqual(t, most, int64(flat+flat/8+8+16), "a request for each folder would be too many")
		})
	}
}

func TestAParallelListingOfOddKeysYieldsEachOnce(t *testing.T) {
	t.Parallel()
	l := open(t, shortPages, nil)
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"/", "//", "a", "b", "0", "9", "z", "Z", " ", "+", "%2F", "\x01", "\x7f", "é", "日本", "\U0001F600", "\uffff", "=", "~", "<&>"}
	for range 1200 {
		k := "t/"
		for range random.IntN(9) {
			k += pieces[random.IntN(len(pieces))]
		}
		l.srv.Put(bucket, k, nil)
		l.srv.Put(bucket, "u"+k, nil)
	}
	for c := range 256 { // every byte, as a name and as a folder
		l.srv.Put(bucket, "t/byte/"+string(rune(c)), nil)
		l.srv.Put(bucket, "t/byte/"+string(rune(c))+"/f", nil)
	}
	for _, k := range append(oddKeys, "t/", "t//", "t/a", "t/a/", "t/a//") {
		l.srv.Put(bucket, k, nil)
	}
	for _, folder := range []string{"t/", "t//", "t/a/", "t/byte/", "t/none/", ""} {
		want := l.below(folder)
		require.Equal(t, want, listedParallel(t, l.Session, key(folder)), "%q", folder)
		if folder != "" {
			require.Equal(t, want, listedParallel(t, l.Session, key(strings.TrimSuffix(folder, "/")+"/")), "%q", folder)
		}
	}
}

func TestASmallListingMakesNoMoreRequestsInParallel(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	for n, want := range map[int]int64{0: 1, 1: 1, 1000: 1, 1001: 2, 2000: 2} {
		folder := fmt.Sprintf("t/%d", n)
		l.putAll(n, func(i int) string { return fmt.Sprintf("%s/%d/f", folder, i) })
		l.srv.ResetCounts()
		require.Len(t, listedParallel(t, l.Session, key(folder)), n)
		require.Equal(t, want, l.srv.Counts()["ListObjectsV2"])
	}
}

func TestAParallelListingIsParallelAndBounded(t *testing.T) {
	t.Parallel()
	l := open(t, shortPages, nil)
	l.putAll(1200, shapes["a few folders"])
	const inFlight = 4
	var (
		mu        sync.Mutex
		now, most int
	)
	full := make(chan struct{})
	l.srv.Fault(func(n int64, _ string, r *http.Request) *s3test.Fault {
		if n <= 2 || r.URL.Query().Has("delimiter") {
			return nil // these come before
		}
		mu.Lock()
		if now++; now > most {
			if most = now; most == inFlight {
				close(full)
			}
		}
		mu.Unlock()
		select {
		case <-full:
		case <-r.Context().Done():
		}
		mu.Lock()
		now--
		mu.Unlock()
		return nil
	})
	n := 0
	for _, err := range l.ListParallel(t.Context(), key("t"), storage.ListConfig{InFlight: inFlight}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1200, n)
	require.Equal(t, inFlight, most)
}

func TestWhoBreaksOffAParallelListingWaitsForItsRequests(t *testing.T) {
	t.Parallel()
	l := open(t, shortPages, nil)
	l.putAll(2000, shapes["a few folders"])
	for _, stop := range []int{1, 150, 201, 600} {
		n := 0
		for _, err := range l.ListParallel(t.Context(), key("t"), storage.ListConfig{}) {
			require.NoError(t, err)
			if n++; n == stop {
				break
			}
		}
		require.Equal(t, stop, n)
		for _, limit := range l.limiters.Limits() {
			require.Zero(t, limit.InFlight)
			require.Zero(t, limit.Waiting)
		}
	}
	enough, n := errors.New("enough"), 0
	require.PanicsWithValue(t, enough, func() {
		for range l.ListParallel(t.Context(), key("t"), storage.ListConfig{}) {
			if n++; n == 500 {
				panic(enough)
			}
		}
	})
	require.Zero(t, l.limiters.Limits()[0].InFlight)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var last error
	n = 0
	for _, err := range l.ListParallel(ctx, key("t"), storage.ListConfig{}) {
		if n++; n == 500 {
			cancel(enough)
		}
		last = err
	}
	require.ErrorIs(t, last, enough)
	require.ErrorIs(t, last, context.Canceled)
}
