package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/table"
)

func TestAScheduleOfEveryMinuteFindsAWindowOfNextWeek(t *testing.T) {
	t.Parallel()
	sunday := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	requireNext(t, ExpireKind, `"schedule":"* * * * *","window":"Sun 03:00-04:00"`, expiring(), History{}, noon, sunday)
	requireNext(t, ExpireKind, `"schedule":"30 * * * *","window":"Sun 03:00-03:10"`, expiring(), History{}, noon, sunday)
	requireNext(t, ExpireKind, `"schedule":"0 3 1 * *","window":"Sun 03:00-04:00"`, expiring(), History{}, noon, time.Date(2027, 8, 1, 3, 0, 0, 0, time.UTC))
	v := dueWith(t, ExpireKind, `"schedule":"0 3 * * *","window":"05:00-06:00"`, expiring(), History{}, noon)
	require.Contains(t, v.Why, "never meets the window")
	require.Zero(t, v.Next)
}

// The cool-down counts from the end of a job: a whole day of it would pass over
// the same hour of the next day.
func TestADailyScheduleIsNotPassedOverByABackOffOfADay(t *testing.T) {
	t.Parallel()
	const daily = `"schedule":"0 3 * * *"`
	three := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	ended := three.Add(-day + 59*time.Minute)
	requireNext(t, ExpireKind, daily+`,"dry-run":true`, expiring(), History{LastSuccess: ended, ZeroChanges: 9}, noon, three)
	requireNext(t, ExpireKind, daily, expiring(), History{LastSuccess: ended, ZeroChanges: 9}, noon, three)
	// What the policy itself asks for holds, and so does the back-off of a schedule
	// that comes more often.
	requireNext(t, ExpireKind, daily+`,"min-interval":"1d"`, expiring(), History{LastSuccess: ended}, noon, three.Add(59*time.Minute))
	requireNext(t, ExpireKind, `"schedule":"* * * * *"`, expiring(), History{LastSuccess: ended, ZeroChanges: 9}, noon, ended.Add(23*time.Hour))
	requireNext(t, ExpireKind, `"schedule":"* * * * *"`, expiring(), History{LastSuccess: noon, ZeroChanges: 1}, noon, noon.Add(time.Hour))
}

func TestATableThatWasNeverSearchedDoesNotWaitBehindAllOthers(t *testing.T) {
	t.Parallel()
	never := dueWith(t, OrphansKind, ``, expiring(), History{}, noon)
	overdue := dueWith(t, OrphansKind, ``, expiring(), History{LastSuccess: noon.Add(-40 * day), FreedBytes: 1 << 50}, noon)
	require.True(t, never.Due)
	require.True(t, overdue.Due)
	require.InDelta(t, 100, never.Need, 1e-9, "its first snapshot is so many days old")
	require.Greater(t, never.Need, overdue.Need)
	scheduled := dueWith(t, OrphansKind, `"schedule":"0 12 * * *"`, expiring(), History{LastSuccess: noon.Add(-40 * day)}, noon)
	require.True(t, scheduled.Due)
	require.InDelta(t, 40, scheduled.Need, 1e-9)
	empty := dueWith(t, OrphansKind, ``, Facts{GCEnabled: true}, History{}, noon)
	require.True(t, empty.Due)
	require.Zero(t, empty.Need)
	ahead := Facts{GCEnabled: true, LastUpdated: noon.Add(day), History: table.History{Snapshots: []table.HistorySnapshot{{ID: 1, Timestamp: noon.Add(day).UnixMilli()}}}}
	require.True(t, dueWith(t, OrphansKind, ``, ahead, History{}, noon).Due, "the clock of whoever wrote it is ahead")
}

// A table that was dropped and made again begins to count anew, while its name
// keeps the history of the old one.
func TestATableThatWasMadeAnewIsNotHeldToTheOldOnesCounts(t *testing.T) {
	t.Parallel()
	old := History{LastSuccess: noon.Add(-200 * day), SequenceNumber: 100_000, DataFiles: 5000, DeleteFiles: 400}
	f := expiring()
	f.LastSequenceNumber = 2
	require.True(t, dueWith(t, ManifestsKind, `"min-commits":2`, f, old, noon).Due)
	f.Totals = Totals{DataFiles: 100, Bytes: 100 << 20, Records: 1000, DeleteFiles: 20, PositionDeletes: 500}
	require.True(t, dueWith(t, CompactKind, `"min-input-files":101`, f, old, noon).Due, "for its deletes")
	f.Totals.DeleteFiles = 0
	require.True(t, dueWith(t, CompactKind, ``, f, old, noon).Due, "for its small files")
	few := f
	few.Totals.DataFiles, few.Totals.Bytes = 4, 4
	require.True(t, dueWith(t, CompactKind, `"rewrite-all":true`, few, old, noon).Due)
}

func TestATableThatLostMostOfItsFilesIsNotHeldToTheOldCount(t *testing.T) {
	t.Parallel()
	f := expiring()
	f.Totals = Totals{DataFiles: 100, Bytes: 100 << 20, Records: 1000}
	last := noon.Add(-day)
	require.True(t, dueWith(t, CompactKind, ``, f, History{LastSuccess: last, DataFiles: 300}, noon).Due)
	require.False(t, dueWith(t, CompactKind, ``, f, History{LastSuccess: last, DataFiles: 150}, noon).Due)
	f.Totals = Totals{DataFiles: 10, Bytes: 10 << 40, Records: 1000, DeleteFiles: 20, PositionDeletes: 500}
	require.True(t, dueWith(t, CompactKind, ``, f, History{LastSuccess: last, DataFiles: 10, DeleteFiles: 30}, noon).Due)
	require.False(t, dueWith(t, CompactKind, ``, f, History{LastSuccess: last, DataFiles: 10, DeleteFiles: 20}, noon).Due)
}

func TestCommitsWhoseSnapshotsHaveExpiredAreCounted(t *testing.T) {
	t.Parallel()
	f := expiring()
	f.LastSequenceNumber = 150
	v := dueWith(t, ManifestsKind, ``, f, History{}, noon)
	require.True(t, v.Due, v.Why)
	require.InDelta(t, 1.5, v.Need, 1e-9)
}

// Expiry and changes of properties touch a table too, and the clocks of its writers
// and of the queue differ: neither is a reason to write every file again.
func TestRewriteAllWaitsForNewRows(t *testing.T) {
	t.Parallel()
	f := expiring()
	f.Totals = Totals{DataFiles: 4, Bytes: 4, Records: 4}
	newest := time.UnixMilli(f.History.Snapshots[1].Timestamp)
	f.LastUpdated = noon
	due := func(h History) bool { return dueWith(t, CompactKind, `"rewrite-all":true`, f, h, noon).Due }
	require.True(t, due(History{}))
	require.True(t, due(History{LastSuccess: newest.Add(-time.Hour)}))
	require.False(t, due(History{LastSuccess: newest.Add(time.Hour)}))
	require.False(t, due(History{LastSuccess: newest.Add(-time.Minute)}), "its own commit, by a clock that is a minute ahead")
}
