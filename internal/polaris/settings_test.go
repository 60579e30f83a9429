package polaris_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

// A proxy that answers in the server's place, and then lets it answer.
func TestWhatIsNoCatalogsAnswerIsNotTakenForItsSettings(t *testing.T) {
	t.Parallel()
	for _, page := range []string{`null`, `{"status":"under maintenance"}`, `[]`, `<html></html>`} {
		g, away := &gate{life: 3600}, atomic.Bool{}
		away.Store(true)
		c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if away.Load() && strings.HasSuffix(r.URL.Path, "/config") {
				_, _ = io.WriteString(w, page)
				return
			}
			g.ServeHTTP(w, r)
		}))
		err := list(t, c)
		require.ErrorIs(t, err, polaris.ErrUnavailable, page)
		require.ErrorContains(t, err, "check rest.uri", page)
		away.Store(false)
		require.NoError(t, list(t, c), page)
	}
}
