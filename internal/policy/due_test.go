package policy

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/table"
)

// expiring is a table of which a snapshot expires under every policy of these
// tests.
func expiring() Facts {
	return Facts{
		GCEnabled: true, FormatVersion: 2, LastUpdated: noon.Add(-90 * day),
		History: table.History{
			Current: 2, Refs: map[string]table.Ref{table.MainBranch: {SnapshotID: 2, Type: table.Branch}},
			Snapshots: []table.HistorySnapshot{{ID: 1, Timestamp: noon.Add(-100 * day).UnixMilli()}, {ID: 2, Parent: 1, Timestamp: noon.Add(-90 * day).UnixMilli()}},
		},
	}
}

func dueWith(t *testing.T, kind Kind, config string, f Facts, h History, now time.Time) Verdict {
	t.Helper()
	a := Evaluate(kind, []polaris.Policy{policyOf(kind, `{"enable":true,"config":{`+config+`}}`)}, f)
	require.NoError(t, a.Problem)
	return rules().Due(a, f, h, now)
}

// requireNext checks that the table becomes due at the time and not before.
func requireNext(t *testing.T, kind Kind, config string, f Facts, h History, now, next time.Time) {
	t.Helper()
	v := dueWith(t, kind, config, f, h, now)
	require.False(t, v.Due, v.Why)
	require.Equal(t, next, v.Next, v.Why)
	require.False(t, dueWith(t, kind, config, f, h, next.Add(-time.Millisecond)).Due)
	v = dueWith(t, kind, config, f, h, next)
	require.True(t, v.Due, v.Why)
	require.Equal(t, next, v.Next)
}

func TestATableCoolsDownAfterASuccess(t *testing.T) {
	t.Parallel()
	h := History{LastSuccess: noon}
	requireNext(t, ExpireKind, ``, expiring(), h, noon, noon.Add(time.Hour))
	requireNext(t, ExpireKind, `"min-interval":"2d"`, expiring(), h, noon, noon.Add(2*day))
	requireNext(t, ExpireKind, `"min-interval":"1m"`, expiring(), h, noon, noon.Add(time.Minute))
	requireNext(t, ExpireKind, `"dry-run":true`, expiring(), h, noon, noon.Add(day))
}

func TestATableBacksOffAfterFailuresAndJobsWithoutChange(t *testing.T) {
	t.Parallel()
	for failures, wait := range map[int]time.Duration{1: 15 * time.Minute, 2: 30 * time.Minute, 5: 4 * time.Hour, 8: day, 100000: day} {
		requireNext(t, ExpireKind, ``, expiring(), History{LastFailure: noon, Failures: failures}, noon, noon.Add(wait))
	}
	for changes, wait := range map[int]time.Duration{1: 2 * time.Hour, 3: 8 * time.Hour, 99: day} {
		requireNext(t, ExpireKind, ``, expiring(), History{LastSuccess: noon, ZeroChanges: changes}, noon, noon.Add(wait))
	}
	requireNext(t, ExpireKind, `"min-interval":"2d"`, expiring(), History{LastSuccess: noon, ZeroChanges: 3}, noon, noon.Add(2*day))
}

func TestWhatOnlyAPersonCanChangeIsNotDue(t *testing.T) {
	t.Parallel()
	on := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, `{"enable":true}`)}, expiring())
	off := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, `{"enable":false}`)}, expiring())
	foreignFiles, newer := expiring(), expiring()
	foreignFiles.GCEnabled, newer.FormatVersion = false, table.MaxFormatVersion+1
	require.True(t, rules().Due(on, expiring(), History{}, noon).Due)
	for want, v := range map[string]Verdict{
		"no policy of type system.snapshot-expiry applies":                                rules().Due(Applied{Kind: ExpireKind}, expiring(), History{}, noon),
		"the policy switches it off":                                                      rules().Due(off, expiring(), History{}, noon),
		"its last job died; look at the dead letter, then requeue or remove it":           rules().Due(on, expiring(), History{DeadLetter: true}, noon),
		"a job is queued already":                                                         rules().Due(on, expiring(), History{Queued: true}, noon),
		"the table says gc.enabled=false: its files are not its own, and none is deleted": rules().Due(on, foreignFiles, History{}, noon),
		"the table's format version is 4; this version knows up to 3":                     rules().Due(on, newer, History{}, noon),
		"no worker of this version takes expire jobs":                                     Rules{Runnable: []Kind{CompactKind}}.WithDefaults().Due(on, expiring(), History{}, noon),
		"broken": rules().Due(Applied{Kind: ExpireKind, Problem: errors.New("broken")}, expiring(), History{}, noon),
	} {
		v.Held = ""
		require.Equal(t, Verdict{Why: want}, v)
	}
}

func TestOnlyCompactionHasNoWorkerUnlessTheRulesSayMore(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		f := expiring()
		f.Totals, f.LastSequenceNumber = Totals{DataFiles: 1000, Bytes: 1000, Records: 1000}, 1000
		a := Evaluate(kind, []polaris.Policy{policyOf(kind, `{"enable":true}`)}, f)
		require.Equal(t, kind != CompactKind, Rules{}.WithDefaults().Due(a, f, History{}, noon).Due, kind)
	}
}

func TestATableWaitsForItsWindow(t *testing.T) {
	t.Parallel()
	requireNext(t, ExpireKind, `"window":"22:00-06:00"`, expiring(), History{}, noon, noon.Add(10*time.Hour))
	requireNext(t, ExpireKind, `"window":"22:00-06:00"`, expiring(), History{LastSuccess: noon, ZeroChanges: 9}, noon, noon.Add(34*time.Hour))
	require.True(t, dueWith(t, ExpireKind, `"window":"Wed 12:00-13:00"`, expiring(), History{}, noon).Due)
	require.Contains(t, dueWith(t, ExpireKind, `"window":"22:00-06:00"`, expiring(), History{}, noon).Why, "waits for the window 22:00-06:00")
}

func TestATableIsDueOnceAtEachInstantOfItsSchedule(t *testing.T) {
	t.Parallel()
	const daily = `"schedule":"0 3 * * *"`
	three := noon.Add(15 * time.Hour)
	requireNext(t, ExpireKind, daily, expiring(), History{}, noon, three)
	require.Contains(t, dueWith(t, ExpireKind, daily, expiring(), History{}, noon).Why, "waits for the schedule 0 3 * * * UTC")
	// A scan that comes late still finds it due, for an hour, and once.
	require.True(t, dueWith(t, ExpireKind, daily, expiring(), History{}, three.Add(59*time.Minute)).Due)
	requireNext(t, ExpireKind, daily, expiring(), History{}, three.Add(time.Hour), three.Add(day))
	requireNext(t, ExpireKind, daily, expiring(), History{LastSuccess: three.Add(time.Minute)}, three.Add(2*time.Minute), three.Add(day))
	requireNext(t, ExpireKind, daily+`,"min-interval":"1m"`, expiring(), History{LastSuccess: three.Add(time.Minute)}, three.Add(10*time.Minute), three.Add(day))
	// A failure is made good within the hour.
	requireNext(t, ExpireKind, daily, expiring(), History{LastFailure: three, Failures: 1}, three, three.Add(15*time.Minute))
	// Both must let it through.
	requireNext(t, ExpireKind, daily+`,"window":"Sat 03:30-05:00"`, expiring(), History{}, noon, time.Date(2026, 11, 28, 3, 30, 0, 0, time.UTC))
	v := dueWith(t, ExpireKind, daily+`,"window":"05:00-06:00"`, expiring(), History{}, noon)
	require.False(t, v.Due)
	require.Zero(t, v.Next)
	require.Contains(t, v.Why, "never meets the window")
}

func TestOrphansAreSearchedLessOftenTheLessIsFound(t *testing.T) {
	t.Parallel()
	f := expiring()
	require.True(t, dueWith(t, OrphansKind, ``, f, History{}, noon).Due)
	for _, c := range []struct {
		before time.Duration
		freed  int64
		want   time.Duration
	}{
		{0, 0, 14 * day}, {0, 1 << 30, 7 * day}, {0, 2 << 30, 84 * time.Hour}, {0, 1 << 50, 42 * time.Hour},
		{10 * day, 0, 20 * day}, {10 * day, 1 << 30, 10 * day}, {80 * day, 0, 90 * day}, {3 * day, 1 << 40, day}, {time.Hour, 0, 2 * day},
	} {
		h := History{LastSuccess: noon, FreedBytes: c.freed}
		if c.before > 0 {
			h.PreviousSuccess = noon.Add(-c.before)
		}
		requireNext(t, OrphansKind, ``, f, h, noon, noon.Add(c.want))
	}
	requireNext(t, OrphansKind, `"schedule":"0 3 * * *"`, f, History{LastSuccess: noon}, noon.Add(time.Hour), noon.Add(15*time.Hour))
}

func TestManifestsAreDueAfterSoManyCommits(t *testing.T) {
	t.Parallel()
	f := expiring()
	f.LastSequenceNumber = 150
	for want, h := range map[string]History{
		"100 commits since the last rewrite; 100 make it due": {SequenceNumber: 50, LastSuccess: noon.Add(-day)},
		"99 commits since the last rewrite; 100 make it due":  {SequenceNumber: 51, LastSuccess: noon.Add(-day)},
		"1 commit since the last rewrite; 100 make it due":    {LastSuccess: noon.Add(-95 * day)},
	} {
		v := dueWith(t, ManifestsKind, ``, f, h, noon)
		require.Equal(t, want, v.Why)
		require.Equal(t, want[:3] == "100", v.Due)
	}
	f.LastSequenceNumber = 0 // format version 1 has none
	v := dueWith(t, ManifestsKind, `"min-commits":2`, f, History{}, noon)
	require.True(t, v.Due)
	require.InDelta(t, 1, v.Need, 1e-9)
}

func TestATableOfSmallFilesIsCompactedOnceUnlessItGrows(t *testing.T) {
	t.Parallel()
	f := expiring()
	f.Totals = Totals{DataFiles: 100, Bytes: 100 << 20, Records: 1000}
	f.LastSequenceNumber = 10
	v := dueWith(t, CompactKind, ``, f, History{}, noon)
	require.True(t, v.Due, v.Why)
	require.Equal(t, "100 files of 1048576 bytes on average, less than 402653184", v.Why)
	require.InDelta(t, 100, v.Need, 1e-9)
	require.False(t, dueWith(t, CompactKind, `"min-file-size-bytes":1048576`, f, History{}, noon).Due)
	require.False(t, dueWith(t, CompactKind, ``, f, History{LastSuccess: noon.Add(-day), DataFiles: 96}, noon).Due)
	require.True(t, dueWith(t, CompactKind, ``, f, History{LastSuccess: noon.Add(-day), DataFiles: 95}, noon).Due)
	require.False(t, dueWith(t, CompactKind, `"min-input-files":200`, f, History{}, noon).Due)
	few := f
	few.Totals.DataFiles, few.Totals.Bytes = 4, 4
	require.False(t, dueWith(t, CompactKind, ``, few, History{}, noon).Due)
	require.True(t, dueWith(t, CompactKind, `"rewrite-all":true`, few, History{}, noon).Due)
	require.False(t, dueWith(t, CompactKind, `"rewrite-all":true`, few, History{SequenceNumber: 10, LastSuccess: noon.Add(-100 * day)}, noon).Due)
	unknown := f
	unknown.Totals = totalsOf(nil)
	require.Contains(t, dueWith(t, CompactKind, ``, unknown, History{}, noon).Why, "does not tell")
	require.Contains(t, dueWith(t, CompactKind, ``, Facts{Totals: Totals{}}, History{}, noon).Why, "no data files")
}

func TestATableOfManyDeletesIsCompacted(t *testing.T) {
	t.Parallel()
	f := expiring()
	f.Totals = Totals{DataFiles: 10, Bytes: 10 << 40, Records: 1000, DeleteFiles: 20, PositionDeletes: 200, EqualityDeletes: 100}
	v := dueWith(t, CompactKind, ``, f, History{}, noon)
	require.True(t, v.Due)
	require.Equal(t, "0.3 of the rows are deleted, 0.3 makes it due", v.Why)
	require.False(t, dueWith(t, CompactKind, `"delete-ratio-threshold":0.31`, f, History{}, noon).Due)
	require.False(t, dueWith(t, CompactKind, ``, f, History{DeleteFiles: 20, LastSuccess: noon.Add(-day)}, noon).Due, "nothing was added since")
	f.Totals.PositionDeletes, f.Totals.EqualityDeletes = -1, -1
	require.False(t, dueWith(t, CompactKind, ``, f, History{}, noon).Due)
	require.True(t, dueWith(t, CompactKind, `"delete-file-threshold":2`, f, History{}, noon).Due)
	require.False(t, dueWith(t, CompactKind, `"delete-file-threshold":3`, f, History{}, noon).Due)
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	require.NoError(t, Rules{}.WithDefaults().Validate())
	require.Error(t, Rules{}.Validate())
	for _, r := range []Rules{
		{CoolDown: -1}, {MaxBackOff: time.Minute}, {MaxOrphanCadence: time.Hour}, {OrphanTarget: -1},
	} {
		require.Error(t, r.WithDefaults().Validate(), "%+v", r)
	}
}
