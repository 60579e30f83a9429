package policy

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deckhand/internal/polaris"
	"deckhand/internal/table"
)

// rules under which every kind has a worker.
func rules() Rules { return Rules{Runnable: Kinds()}.WithDefaults() }

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// drawHistory makes a history with branches, tags and lost parents. Times are in
// whole hours before noon, so that ages meet exactly.
func drawHistory(t *rapid.T) table.History {
	hours := func(label string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * time.Hour
	}
	h := table.History{Refs: map[string]table.Ref{}}
	snapshots := rapid.Int64Range(0, 8).Draw(t, "snapshots")
	for id := int64(1); id <= snapshots; id++ {
		h.Snapshots = append(h.Snapshots, table.HistorySnapshot{
			ID: id, Parent: rapid.Int64Range(0, id-1).Draw(t, "parent"), Timestamp: noon.Add(-hours("ago", 200)).UnixMilli(),
		})
	}
	if len(h.Snapshots) == 0 {
		return h
	}
	anyID := rapid.Int64Range(1, int64(len(h.Snapshots)))
	h.Current = anyID.Draw(t, "current")
	h.Refs[table.MainBranch] = table.Ref{SnapshotID: h.Current, Type: table.Branch, MaxSnapshotAge: hours("main's age", 100)}
	for i := range rapid.IntRange(0, 3).Draw(t, "refs") {
		ref := table.Ref{SnapshotID: anyID.Draw(t, "head"), Type: table.Tag, MaxRefAge: hours("ref age", 200)}
		if rapid.Bool().Draw(t, "is a branch") {
			ref.Type, ref.MaxSnapshotAge, ref.MinSnapshotsToKeep = table.Branch, hours("branch's age", 100), rapid.IntRange(0, 3).Draw(t, "keep")
		}
		h.Refs[fmt.Sprint("r", i)] = ref
	}
	return h
}

func drawExpirePolicy(t *rapid.T) (string, map[string]string) {
	config := []string{`"acme.x":1`, `"max-snapshot-age":"30h"`, `"max-snapshot-age":"0s"`, `"older-than":"2026-11-22T00:00:00Z"`, `"older-than":"2030-01-01T00:00:00Z"`}
	content := `{"enable":true,"config":{` + rapid.SampledFrom(config).Draw(t, "age")
	content += rapid.SampledFrom([]string{"", `,"retain-last":2`}).Draw(t, "keep")
	content += rapid.SampledFrom([]string{"", `,"max-ref-age":"48h"`}).Draw(t, "ref")
	content += rapid.SampledFrom([]string{"", `,"snapshot-ids":"2,77"`}).Draw(t, "ids") + "}}"
	properties := map[string]string{}
	if rapid.Bool().Draw(t, "has properties") {
		properties["history.expire.max-snapshot-age-ms"] = strconv.FormatInt((50 * time.Hour).Milliseconds(), 10)
		properties["history.expire.max-ref-age-ms"] = rapid.SampledFrom([]string{"9223372036854775807", "360000000"}).Draw(t, "ref property")
	}
	return content, properties
}

func TestATableIsDueForExpiryExactlyWhenSomethingExpires(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := Facts{GCEnabled: true, History: drawHistory(t)}
		content, properties := drawExpirePolicy(t)
		f.Properties = properties
		a := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, content)}, f)
		require.NoError(t, a.Problem)
		now := noon.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "hours later"))*time.Hour + time.Duration(rapid.IntRange(0, 2).Draw(t, "ms"))*time.Millisecond)
		expires := func(at time.Time) (bool, error) {
			expiry, err := f.History.Expired(a.Settings.(Expire).Retention(at), f.Properties, at)
			return !expiry.Empty(), err
		}
		v := rules().Due(a, f, History{}, now)
		due, err := expires(now)
		if err != nil {
			require.False(t, v.Due)
			require.Equal(t, err.Error(), v.Why)
			return
		}
		require.Equal(t, due, v.Due, v.Why)
		switch {
		case due:
			require.True(t, now.Equal(v.Next), "%v is not %v", v.Next, now) // the zones may differ
			require.GreaterOrEqual(t, v.Need, 0.0)
			if v.Need > 0 { // it came to need the job when it says, and not before
				since := now.Add(-time.Duration(v.Need * float64(day)))
				found, err := expires(since.Add(2 * time.Millisecond))
				require.True(t, err == nil && found, "not due at %v", since)
				found, err = expires(since.Add(-2 * time.Millisecond))
				require.True(t, err != nil || !found, "due before %v", since)
			}
		case v.Next.IsZero():
			for _, later := range []time.Duration{time.Hour, 250 * time.Hour, 40 * 365 * day} {
				found, err := expires(now.Add(later))
				require.True(t, err != nil || !found, "due after %v", later)
			}
		default:
			require.True(t, v.Next.After(now))
			found, err := expires(v.Next)
			require.NoError(t, err)
			require.True(t, found, "nothing expires at the time that was told")
			found, err = expires(v.Next.Add(-time.Millisecond))
			require.NoError(t, err)
			require.False(t, found, "something expires before the time that was told")
			require.True(t, rules().Due(a, f, History{}, v.Next).Due)
		}
	})
}

func TestAgeAloneMakesAnUnchangedTableDue(t *testing.T) {
	t.Parallel()
	m := &table.Metadata{
		FormatVersion: 2, Location: "s3://b/t", CurrentSnapshotID: 2, LastUpdated: noon,
		Refs:      map[string]table.Ref{table.MainBranch: {SnapshotID: 2, Type: table.Branch}},
		Snapshots: []table.Snapshot{{ID: 1, Timestamp: noon.Add(-time.Hour)}, {ID: 2, ParentID: 1, Timestamp: noon}},
	}
	f := FactsOf(m, "s3://b/t/metadata/1.json")
	a := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, `{"enable":true,"config":{"max_snapshot_age_days":2}}`)}, f)
	v := rules().Due(a, f, History{}, noon)
	require.False(t, v.Due, v.Why)
	first := noon.Add(47*time.Hour + time.Millisecond)
	require.Equal(t, first, v.Next)
	require.False(t, rules().Due(a, f, History{}, first.Add(-time.Millisecond)).Due)
	v = rules().Due(a, f, History{}, first)
	require.True(t, v.Due)
	require.Equal(t, "1 snapshot expires", v.Why)
	require.Zero(t, v.Need)
	require.InDelta(t, 3, rules().Due(a, f, History{}, first.Add(3*day)).Need, 1e-9)
}

func TestARefThatIsKeptForEverHasNoLastDay(t *testing.T) {
	t.Parallel()
	f := Facts{GCEnabled: true, History: table.History{
		Current: 1, Snapshots: []table.HistorySnapshot{{ID: 1, Timestamp: noon.UnixMilli()}},
		Refs: map[string]table.Ref{table.MainBranch: {SnapshotID: 1, Type: table.Branch}, "release": {SnapshotID: 1, Type: table.Tag}},
	}}
	a := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, `{"enable":true}`)}, f)
	require.Equal(t, Verdict{Why: "nothing expires, and nothing will without another commit"}, rules().Due(a, f, History{}, noon))
}

func TestARetentionIsNeverLaterThanNow(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"2030-01-01T00:00:00Z": noon, "2026-11-25T11:00:00Z": noon.Add(-time.Hour), "0s": noon, "36h": noon.Add(-36 * time.Hour),
	} {
		params, err := ParseSet(ExpireKind, []string{"older-than=" + text, "retain-last=3", "max-ref-age=1d", "snapshot-ids=4"})
		require.NoError(t, err)
		e, err := ReadExpire(params)
		require.NoError(t, err)
		require.Equal(t, table.Retention{OlderThan: want, MinSnapshotsToKeep: 3, MaxRefAge: day, SnapshotIDs: []int64{4}}, e.Retention(noon))
	}
	require.Equal(t, table.Retention{}, Expire{}.Retention(noon), "what is open stays open")
}

func TestNoFileOfTheLastDayIsAnOrphan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"2030-01-01T00:00:00Z": noon.Add(-day), "2026-11-25T11:59:59Z": noon.Add(-day), "2026-11-24T12:00:00.000000001Z": noon.Add(-day),
		"2026-11-24T11:00:00Z": noon.Add(-25 * time.Hour), "1d": noon.Add(-day), "5d": noon.Add(-5 * day),
	} {
		params, err := ParseSet(OrphansKind, []string{"older-than=" + text})
		require.NoError(t, err)
		o, err := Read(OrphansKind, params)
		require.NoError(t, err)
		require.Equal(t, want, o.(Orphans).Cutoff(noon), text)
	}
	require.Equal(t, noon.Add(-3*day), Orphans{}.Cutoff(noon))
	require.Equal(t, noon.Add(-day), Orphans{OlderThan: &Age{}}.Cutoff(noon), "settings that nobody read")
	require.Equal(t, noon.Add(-day), Orphans{OlderThan: &Age{Ago: -day}}.Cutoff(noon))
	require.Equal(t, noon, Expire{MaxSnapshotAge: &Age{Ago: -day}}.Retention(noon).OlderThan)
}

func TestFactsAreSmallAndComplete(t *testing.T) {
	t.Parallel()
	m := &table.Metadata{
		FormatVersion: 2, UUID: "u", Location: "s3://b/t", LastUpdated: noon, LastSequenceNumber: 9, CurrentSnapshotID: 2,
		Properties: map[string]string{"gc.enabled": "false", "comment": "long", "write.target-file-size-bytes": "1", "write.data.path": "s3://d/t"},
		Refs:       map[string]table.Ref{table.MainBranch: {SnapshotID: 2, Type: table.Branch}},
		Snapshots: []table.Snapshot{
			{ID: 1, Timestamp: noon, Summary: map[string]string{"total-data-files": "1"}},
			{ID: 2, ParentID: 1, Timestamp: noon, Summary: map[string]string{"total-data-files": "12", "total-files-size": "3400", "total-records": "x", "total-delete-files": "-5"}},
			{ID: 3, ParentID: 1, Timestamp: noon, Summary: map[string]string{"total-data-files": "3"}},
		},
	}
	f := FactsOf(m, "s3://b/t/metadata/9.json")
	require.Equal(t, Facts{
		UUID: "u", MetadataLocation: "s3://b/t/metadata/9.json", FormatVersion: 2, Locations: []string{"s3://b/t", "s3://d/t"},
		Properties: map[string]string{"write.target-file-size-bytes": "1"}, LastUpdated: noon, LastSequenceNumber: 9,
		History: m.History(), Totals: Totals{DataFiles: 12, Bytes: 3400, DeleteFiles: -1, Records: -1, PositionDeletes: -1, EqualityDeletes: -1},
	}, f)
	require.Nil(t, FactsOf(&table.Metadata{}, "").Properties)
}

func BenchmarkDue(b *testing.B) {
	for _, snapshots := range []int64{10, 100, 1000} {
		h := table.History{Current: snapshots, Refs: map[string]table.Ref{table.MainBranch: {SnapshotID: snapshots, Type: table.Branch}}}
		for id := int64(1); id <= snapshots; id++ {
			h.Snapshots = append(h.Snapshots, table.HistorySnapshot{ID: id, Parent: id - 1, Timestamp: noon.Add(-time.Duration(snapshots-id) * time.Minute).UnixMilli()})
		}
		f := Facts{GCEnabled: true, History: h}
		b.Run(fmt.Sprint(snapshots, " snapshots"), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				a := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, polarisExamples[ExpireKind])}, f)
				rules().Due(a, f, History{}, noon)
			}
		})
	}
}
