package polaris_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/storage"
)

// guarded makes the store take only session tokens that the catalog has given and
// that have not expired, as a real one does. It gives those that came.
func (s *stage) guarded() (seen func() int) {
	var mu sync.Mutex
	tokens := map[string]bool{}
	s.store.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
		token := r.Header.Get("X-Amz-Security-Token")
		if token == "" && strings.Contains(r.URL.Path, "/metadata/") {
			return nil // the catalog itself
		}
		session, known := s.Session(token)
		mu.Lock()
		tokens[token] = true
		mu.Unlock()
		switch {
		case !known:
			return &s3test.Fault{Status: http.StatusForbidden, Code: "InvalidToken"}
		case time.Now().After(session.Expires):
			return &s3test.Fault{Status: http.StatusBadRequest, Code: "ExpiredToken"}
		}
		return nil
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(tokens)
	}
}

func TestALongJobOutlivesItsKeys(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{CredentialLifetime: time.Second})
	s.store.SetLatency(time.Millisecond)
	seen := s.guarded()
	session := s.open(t)
	data, err := storage.Parse("s3://warehouse/t/data/1.parquet")
	require.NoError(t, err)
	s.ResetCounts()
	requests := 0
	for until := time.Now().Add(time.Minute); seen() < 4 && time.Now().Before(until); requests++ {
		s.store.Put("warehouse", data.Key, []byte("x"))
		_, err := session.ReadAll(t.Context(), data, 0)
		require.NoError(t, err)
		require.NoError(t, session.Delete(t.Context(), []storage.Location{data})[0].Err)
	}
	require.GreaterOrEqual(t, seen(), 4)
	require.Less(t, s.Count(standin.LoadCredentials), int64(requests/4), "keys are not asked for with each request")
}

func TestKeysThatExpireOnTheWayCostOneMoreRequest(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	session := s.open(t)
	s.store.Fault(func(n int64, _ string, _ *http.Request) *s3test.Fault {
		if n > 1 {
			return nil
		}
		return &s3test.Fault{Status: http.StatusBadRequest, Code: "ExpiredToken"}
	})
	require.NoError(t, read(t, session, "s3://warehouse/"+ordersFile))
}

func TestKeysServeUntilTheirEndWhenTheCatalogIsAway(t *testing.T) {
	t.Parallel()
	s, watch := setStage(t, standin.Options{}), &clock{}
	session := s.open(t, func(cfg *polaris.Config) { cfg.Now = watch.now })
	s.Fault(func(int64, standin.Kind, *http.Request) *standin.Fault {
		return &standin.Fault{Status: http.StatusServiceUnavailable, Type: "ServiceUnavailableException"}
	})
	object := "s3://warehouse/" + ordersFile
	watch.move(56 * time.Minute)
	for range 5 {
		require.NoError(t, read(t, session, object))
	}
	require.EqualValues(t, 1, s.Count(standin.LoadCredentials), "not with each request")
	watch.move(5 * time.Minute)
	err := read(t, session, object)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorContains(t, err, "renew credentials")
	s.Fault(nil)
	require.NoError(t, read(t, session, object))
}
