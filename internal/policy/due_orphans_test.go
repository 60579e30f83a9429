package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASearchThatLeftFilesIsFollowedByAnotherAsSoonAsItMay(t *testing.T) {
	t.Parallel()
	h := History{LastSuccess: noon, FreedBytes: 1, Left: true}
	requireNext(t, OrphansKind, ``, expiring(), h, noon, noon.Add(time.Hour))
	requireNext(t, OrphansKind, `"min-interval":"2d"`, expiring(), h, noon, noon.Add(2*day))
	requireNext(t, OrphansKind, `"window":"22:00-06:00"`, expiring(), h, noon, noon.Add(10*time.Hour))
	require.Contains(t, dueWith(t, OrphansKind, ``, expiring(), h, noon.Add(time.Hour)).Why, "the last search left files to the next")
}

func TestTheTrashIsEmptiedWhenItsTimeHasCome(t *testing.T) {
	t.Parallel()
	f := expiring()
	// A search that frees little is followed by the next after 14 days.
	moved := History{LastSuccess: noon, Trashed: []time.Time{noon}}
	requireNext(t, OrphansKind, `"quarantine":"5d"`, f, moved, noon, noon.Add(5*day))
	require.Contains(t, dueWith(t, OrphansKind, `"quarantine":"5d"`, f, moved, noon.Add(5*day)).Why, "files lie in the trash since 2026-11-25T12:00:00Z, and are deleted after 5d")
	requireNext(t, OrphansKind, `"quarantine":"20d"`, f, moved, noon, noon.Add(14*day))
	requireNext(t, OrphansKind, `"quarantine":"forever"`, f, moved, noon, noon.Add(14*day))
	requireNext(t, OrphansKind, ``, f, moved, noon, noon.Add(14*day))

	// Of two moves the older has been emptied by a later search, the newer not.
	later := History{LastSuccess: noon, Trashed: []time.Time{noon.Add(-6 * day), noon.Add(-2 * day)}}
	requireNext(t, OrphansKind, `"quarantine":"5d"`, f, later, noon, noon.Add(3*day))
	emptied := History{LastSuccess: noon, Trashed: []time.Time{noon.Add(-6 * day)}}
	requireNext(t, OrphansKind, `"quarantine":"5d"`, f, emptied, noon, noon.Add(14*day))
	requireNext(t, OrphansKind, `"quarantine":"5d","schedule":"0 3 * * *"`, f, moved, noon.Add(time.Hour), noon.Add(15*time.Hour))
}

func TestAVerdictSaysWhichJobHoldsTheTable(t *testing.T) {
	t.Parallel()
	require.Equal(t, HeldByJob, dueWith(t, OrphansKind, ``, expiring(), History{Queued: true}, noon).Held)
	require.Equal(t, HeldByDeadLetter, dueWith(t, OrphansKind, ``, expiring(), History{DeadLetter: true, Queued: true}, noon).Held)
	require.Empty(t, dueWith(t, OrphansKind, ``, expiring(), History{}, noon).Held)
	foreign := expiring()
	foreign.GCEnabled = false
	require.Empty(t, dueWith(t, OrphansKind, ``, foreign, History{Queued: true}, noon).Held, "it would not be due without the job either")
	require.True(t, dueWith(t, ManifestsKind, `"min-commits":1`, func() Facts { f := foreign; f.LastSequenceNumber = 9; return f }(), History{}, noon).Due, "it deletes no files")
}
