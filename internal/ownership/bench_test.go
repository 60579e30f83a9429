package ownership_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/ownership"
	"deckhand/internal/standin"
)

// perSecond is how many requests the clock of these tests allows: what a client
// sends by default.
const perSecond = 20

// crowd is a namespace of live tables, and a clock that goes on with each request as
// if the server were asked perSecond times a second.
func crowd(tb testing.TB, tables int) *town {
	tb.Helper()
	var w *town
	w = newTown(tb, func(c *ownership.Config) {
		c.Now = func() time.Time {
			counts := w.counts()
			return w.now.Add(time.Duration(counts[standin.ListTables]+counts[standin.LoadTable]) * time.Second / perSecond)
		}
	})
	for i := range tables {
		w.settled("n", fmt.Sprintf("live%05d", i))
	}
	return w
}

// guards asks for so many dropped tables, one after another, and gives how often the
// namespace was looked through.
func (w *town) guards(drops int) (looks int64) {
	for i := range drops {
		q := ownership.Query{ID: id("n", fmt.Sprintf("dropped%05d", i)), UUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i)}
		require.Nil(w.t, w.owner(q))
	}
	return w.Server.Count(standin.ListTables)
}

func TestManyDropsInANamespaceAskForEachNameOnceAndForTheOthersOnceAMinute(t *testing.T) {
	t.Parallel()
	const tables, drops = 100, 3000
	w := crowd(t, tables)
	looks := w.guards(drops)
	// A minute of names between two looks.
	require.EqualValues(t, (drops+perSecond*60-1)/(perSecond*60), looks)
	require.EqualValues(t, looks*tables+drops, w.Server.Count(standin.LoadTable))
	require.EqualValues(t, (looks-1)*tables, w.Server.Count(standin.LoadTable, 304), "all but the first look bring no bodies")
}

// BenchmarkGuards is 10,000 drops among 1,000 live tables. The requests are what
// counts: see the metrics that it reports.
func BenchmarkGuards(b *testing.B) {
	const tables, drops = 1_000, 10_000
	for b.Loop() {
		w := crowd(b, tables)
		looks := w.guards(drops)
		loads := w.Server.Count(standin.LoadTable)
		b.ReportMetric(float64(looks), "looks")
		b.ReportMetric(float64(loads+looks), "requests")
		b.ReportMetric(float64(w.Server.Count(standin.LoadTable, 304)), "without-body")
		b.ReportMetric(float64(loads+looks)/perSecond/60, "minutes-at-20/s")
	}
}
