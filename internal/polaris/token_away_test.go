package polaris_test

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/jobs"
)

// Were each request to wait for the others' tries and then to make its own, jobs would
// seem to be dead before they hear of the outage.
func TestATokenEndpointThatIsAwayIsAskedNoMoreOftenThanAServerThatIs(t *testing.T) {
	t.Parallel()
	const callers, retries = 8, 2
	for name, answer := range map[string]http.HandlerFunc{
		"down":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked, waiting atomic.Int64
			all := make(chan struct{})
			c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				require.True(t, strings.HasSuffix(r.URL.Path, "/tokens"))
				_, _ = r.Body.Read(make([]byte, 1<<12))
				if asked.Add(1) == 1 {
					<-all
				}
				answer(w, r)
			}), func(cfg *polaris.Config) { cfg.Retries, cfg.RequestTimeout = retries, time.Second/5 })
			var group sync.WaitGroup
			errs := make([]error, callers)
			for i := range callers {
				group.Go(func() {
					if waiting.Add(1) == callers {
						close(all)
					}
					errs[i] = list(t, c)
				})
			}
			group.Wait()
			for _, err := range errs {
				require.ErrorIs(t, err, jobs.ErrUnavailable)
			}
			require.GreaterOrEqual(t, asked.Load(), int64(retries+1))
			require.LessOrEqual(t, asked.Load(), int64(callers*(retries+1)))
		})
	}
}

// While no server is behind it, a proxy has a page of its own, or sends to a login.
func TestAProxysAnswerInPlaceOfATokenEndpointsIsAnOutage(t *testing.T) {
	t.Parallel()
	for status, outage := range map[int]bool{404: true, 302: true, 503: true, 401: false, 400: false} {
		c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/login")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>default backend - "+strconv.Itoa(status)+"</html>")
		}))
		err := list(t, c)
		require.Equal(t, outage, errors.Is(err, jobs.ErrUnavailable), "%d: %v", status, err)
		require.Equal(t, !outage, errors.Is(err, polaris.ErrUnauthorized), "%d: %v", status, err)
		require.NotContains(t, err.Error(), "backend")
	}
	c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"message":"Unable to find matching target resource method","type":"NotFoundException","code":404}}`)
	}))
	require.ErrorIs(t, list(t, c), polaris.ErrUnauthorized, "a catalog says that it has no such address")
}
