package ownership_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deckhand/internal/ownership"
	"deckhand/internal/standin"
)

// A search for orphans looks through one namespace while a look through the catalog,
// which is older there, still answers purges. The table was renamed between the two.
func TestALookThatIsUnderWayOrFailsHidesNoOwner(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		w := newTown(t, func(c *ownership.Config) { c.Parallel = 1 })
		w.settled("n", "neighbour")
		dropped := w.build("t", nil)
		w.register(dropped, "n", "again")
		q := dropped.of()
		require.NotNil(t, w.owner(q))
		w.pass(time.Minute)
		q.Mode = ownership.Catalog
		require.NotNil(t, w.owner(q))
		w.pass(time.Second) // a look through n alone is due, one through the catalog is not
		w.drop("n", "again")
		w.register(dropped, "n", "renamed")

		answers, suspected := make(chan *ownership.Owner, 1), make(chan struct{})
		var once sync.Once
		var begun atomic.Bool
		w.Server.Fault(func(_ int64, kind standin.Kind, r *http.Request) *standin.Fault {
			switch {
			case kind != standin.LoadTable:
				return nil
			case strings.HasSuffix(r.URL.Path, "/again"):
				once.Do(func() { close(suspected) })
				return nil
			case fails:
				return &standin.Fault{Status: 401}
			case !begun.CompareAndSwap(false, true):
				return nil
			}
			return &standin.Fault{Call: func() {
				go func() {
					answer, err := w.index.Owner(t.Context(), q)
					if !assert.NoError(t, err) {
						answer = &ownership.Answer{}
					}
					answers <- answer.Owner
				}()
				select {
				case <-suspected: // and it waits for this look
				case owner := <-answers:
					answers <- owner
				}
			}}
		})
		_, err := w.index.Inside(t.Context(), ownership.Query{ID: id("n", "neighbour"), Locations: []string{"file:///elsewhere"}})
		w.Server.Fault(nil)
		var owner *ownership.Owner
		if fails {
			require.Error(t, err)
			owner = w.owner(q)
		} else {
			owner = <-answers
		}
		require.NotNil(t, owner, "fails: %v", fails)
		require.Equal(t, "n.renamed", owner.ID.String())
	}
}
