package polaris_test

import (
	"net/http"
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
