package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWindowsSchedulesAndIntervalsHoldForEveryKind(t *testing.T) {
	t.Parallel()
	f := expiring()
	f.LastSequenceNumber = 500
	f.Totals = Totals{DataFiles: 1000, Bytes: 1000, Records: 1000}
	// Long enough ago for another search, and with commits since.
	before := History{LastSuccess: noon.Add(-60 * day), SequenceNumber: 1, Left: true}
	recent := History{LastSuccess: noon, SequenceNumber: 1, Left: true}
	for _, kind := range Kinds() {
		require.True(t, dueWith(t, kind, ``, f, before, noon).Due, kind)
		requireNext(t, kind, `"window":"22:00-06:00"`, f, before, noon, noon.Add(10*time.Hour))
		requireNext(t, kind, `"schedule":"0 3 * * *"`, f, before, noon, noon.Add(15*time.Hour))
		requireNext(t, kind, `"min-interval":"2d"`, f, recent, noon, noon.Add(2*day))
		requireNext(t, kind, ``, f, recent, noon, noon.Add(time.Hour))
		requireNext(t, kind, ``, f, History{SequenceNumber: 1, LastFailure: noon, Failures: 2}, noon, noon.Add(30*time.Minute))
		off := dueWith(t, kind, ``, f, History{DeadLetter: true}, noon)
		require.False(t, off.Due)
		require.Contains(t, off.Why, "look at the dead letter")
	}
}
