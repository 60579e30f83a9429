package orphans_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
)

// tells makes the store say such a time when it is asked for it.
func (y *yard) tells(date string) {
	y.Server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if op != "ListObjectsV2" || r.URL.Query().Get("max-keys") != "1" {
			return nil
		}
		return &s3test.Fault{
			Status: http.StatusOK, Header: http.Header{"Date": {date}},
			Body: []byte(`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated></ListBucketResult>`),
		}
	})
}

func TestClocksThatAreApartStopTheRun(t *testing.T) {
	t.Parallel()
	for _, apart := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		y := small(t)
		y.tells(time.Now().Add(apart).UTC().Format(http.TimeFormat))
		y.refuses(quickly, "the clock of the store", "apart, more than 5m0s", "set the clock that is wrong", "nothing was deleted")
		y.cfg.ClockMargin = time.Hour
		_, err := y.search(quickly)
		require.NoError(t, err)
		y.Has(false, "data/orphan1")
	}
}

func TestAgesGoByTheStoresClock(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.ages["orphan1"] = 72*time.Hour + 2*time.Minute
	behind := time.Now().Add(-4 * time.Minute)
	y.tells(behind.UTC().Format(http.TimeFormat))
	r, err := y.search(quickly)
	require.NoError(t, err)
	require.WithinDuration(t, behind.Add(-72*time.Hour), r.Before, 2*time.Second)
	y.Has(true, "data/orphan1")
	y.Has(false, "data/orphan2")
}

func TestAStoreThatDoesNotTellItsTimeKeepsAll(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.tells("yesterday")
	before := y.Keys()
	r, err := y.search(quickly)
	require.NoError(t, err)
	require.Equal(t, before, y.Keys())
	require.Contains(t, strings.Join(r.Notes, "\n"), "does not tell its time")
}
