package storage_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// The keys of a role may list below the session's folders and nowhere else.
func TestEachRequestOfAListingNamesThePrefix(t *testing.T) {
	t.Parallel()
	l := open(t, shortPages, nil)
	l.fill(600)
	var mu sync.Mutex
	asked := 0
	l.srv.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
		mu.Lock()
		defer mu.Unlock()
		if prefix := r.URL.Query().Get("prefix"); !strings.HasPrefix(prefix, "t/data/") {
			t.Errorf("%q is asked for", prefix)
		}
		asked++
		return nil
	})
	found := 0
	for _, err := range l.ListParallel(t.Context(), key("t/data"), storage.ListConfig{InFlight: 8}) {
		require.NoError(t, err)
		found++
	}
	require.Equal(t, 600, found)
	_, _, err := l.StoreClock(t.Context(), key("t/data"))
	require.NoError(t, err)
	require.Greater(t, asked, 7)
}
