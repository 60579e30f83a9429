package table

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is when the tests of retention take place; snapshot n of [line] was made
// n hours after its beginning, a hundred hours before.
var clock = time.UnixMilli(1_800_000_000_000)

func at(hours int) int64 { return clock.Add(time.Duration(hours-100) * time.Hour).UnixMilli() }

// line is a history of snapshots 1 to n, each the parent of the next, with main on
// the last.
func line(n int) History {
	h := History{Current: int64(n), Refs: map[string]Ref{MainBranch: {SnapshotID: int64(n), Type: Branch}}}
	for i := 1; i <= n; i++ {
		h.Snapshots = append(h.Snapshots, HistorySnapshot{ID: int64(i), Parent: int64(i - 1), Timestamp: at(i)})
	}
	return h
}

// The cases are those of org.apache.iceberg.TestRemoveSnapshots and what the rules
// of RemoveSnapshots say between them.
func TestRetentionIsThatOfIcebergsJavaLibrary(t *testing.T) {
	t.Parallel()
	ids := func(ids ...int64) []int64 { return ids }
	before := func(hours int) time.Time { return time.UnixMilli(at(hours)) }
	week := 7 * 24 * time.Hour
	for _, c := range []struct {
		name       string
		change     func(h *History)
		retention  Retention
		properties map[string]string
		snapshots  []int64
		refs       []string
	}{
		{name: "five days by default, and the newest whatever its age", retention: Retention{}},
		{name: "older than", retention: Retention{OlderThan: before(4)}, snapshots: ids(1, 2, 3)},
		{name: "just as old stays", retention: Retention{OlderThan: time.UnixMilli(at(4) + 1)}, snapshots: ids(1, 2, 3, 4)},
		{name: "the newest stays", retention: Retention{OlderThan: clock}, snapshots: ids(1, 2, 3, 4, 5)},
		{name: "the newest three stay", retention: Retention{OlderThan: clock, MinSnapshotsToKeep: 3}, snapshots: ids(1, 2, 3)},
		{name: "a number larger than the history", retention: Retention{OlderThan: clock, MinSnapshotsToKeep: 30}},
		{name: "age by setting", retention: Retention{MaxSnapshotAge: 97 * time.Hour}, snapshots: ids(1, 2)},
		{name: "age by property", properties: map[string]string{propertyMaxSnapshotAge: "349200000"}, snapshots: ids(1, 2)},
		{name: "a setting wins over the property", retention: Retention{MaxSnapshotAge: 98 * time.Hour},
			properties: map[string]string{propertyMaxSnapshotAge: "1"}, snapshots: ids(1)},
		{name: "an age of nothing", properties: map[string]string{propertyMaxSnapshotAge: "0", propertyMinSnapshots: "2"}, snapshots: ids(1, 2, 3, 4)},
		{name: "no snapshots", change: func(h *History) { *h = History{} }, retention: Retention{OlderThan: clock}},
		{name: "a tag keeps its snapshot and no other", retention: Retention{OlderThan: clock},
			change: func(h *History) { h.Refs["v1"] = Ref{SnapshotID: 2, Type: Tag} }, snapshots: ids(1, 3, 4, 5)},
		{name: "refs stay for ever by default", retention: Retention{OlderThan: clock},
			change: func(h *History) {
				h.Snapshots[0].Timestamp = 1
				h.Refs["v1"] = Ref{SnapshotID: 1, Type: Tag}
			}, snapshots: ids(2, 3, 4, 5)},
		{name: "a ref that is older than its own age goes", retention: Retention{OlderThan: before(1)},
			change: func(h *History) {
				h.Refs["v1"] = Ref{SnapshotID: 2, Type: Tag, MaxRefAge: 98*time.Hour - 1*time.Millisecond}
			},
			refs: []string{"v1"}},
		{name: "a ref that is as old as its age stays", retention: Retention{OlderThan: before(1)},
			change: func(h *History) { h.Refs["v1"] = Ref{SnapshotID: 2, Type: Tag, MaxRefAge: 98 * time.Hour} }},
		{name: "refs by property", properties: map[string]string{propertyMaxRefAge: "1"}, retention: Retention{OlderThan: clock},
			change: func(h *History) {
				h.Refs["v1"] = Ref{SnapshotID: 2, Type: Tag}
				h.Refs["v2"] = Ref{SnapshotID: 3, Type: Tag, MaxRefAge: week}
			}, snapshots: ids(1, 2, 4, 5), refs: []string{"v1"}},
		{name: "main never goes", retention: Retention{OlderThan: clock, MaxRefAge: time.Millisecond},
			change: func(h *History) {
				main := h.Refs[MainBranch]
				main.MaxRefAge = 1
				h.Refs[MainBranch] = main
			}, snapshots: ids(1, 2, 3, 4, 5)},
		{name: "a branch of its own settings", retention: Retention{OlderThan: clock},
			change: func(h *History) {
				h.Snapshots = append(h.Snapshots, HistorySnapshot{ID: 7, Parent: 3, Timestamp: at(7)}, HistorySnapshot{ID: 8, Parent: 7, Timestamp: at(8)})
				h.Refs["audit"] = Ref{SnapshotID: 8, Type: Branch, MinSnapshotsToKeep: 3}
			}, snapshots: ids(1, 2, 4, 5)},
		{name: "a branch of its own age", retention: Retention{OlderThan: clock},
			change: func(h *History) {
				h.Refs["audit"] = Ref{SnapshotID: 6, Type: Branch, MaxSnapshotAge: 97 * time.Hour}
			}, snapshots: ids(1, 2)},
		{name: "a branch that goes keeps nothing", retention: Retention{OlderThan: clock},
			change: func(h *History) {
				h.Snapshots = append(h.Snapshots, HistorySnapshot{ID: 7, Parent: 3, Timestamp: at(7)})
				h.Refs["audit"] = Ref{SnapshotID: 7, Type: Branch, MinSnapshotsToKeep: 9, MaxRefAge: time.Hour}
			}, snapshots: ids(1, 2, 3, 4, 5, 7), refs: []string{"audit"}},
		{name: "what no ref names stays until it is old", retention: Retention{OlderThan: before(7)},
			change: func(h *History) {
				h.Snapshots = append(h.Snapshots, HistorySnapshot{ID: 7, Parent: 3, Timestamp: at(7)}, HistorySnapshot{ID: 8, Parent: 3, Timestamp: at(6)})
			}, snapshots: ids(1, 2, 3, 4, 5, 8)},
		{name: "an old one ends the branch although its parent is newer", retention: Retention{OlderThan: before(5)},
			change: func(h *History) { h.Snapshots[2].Timestamp = at(9) }, snapshots: ids(1, 2, 3, 4)},
		{name: "explicit ids", retention: Retention{SnapshotIDs: ids(2, 4, 99)}, snapshots: ids(2, 4)},
		{name: "explicit ids beside the old ones", retention: Retention{OlderThan: before(3), SnapshotIDs: ids(5)}, snapshots: ids(1, 2, 5)},
		{name: "an explicit id of a ref that goes", retention: Retention{SnapshotIDs: ids(2)},
			change:    func(h *History) { h.Refs["v1"] = Ref{SnapshotID: 2, Type: Tag, MaxRefAge: 1 * time.Millisecond} },
			snapshots: ids(2), refs: []string{"v1"}},
		{name: "a ref on a snapshot that is not there goes", change: func(h *History) { h.Refs["v1"] = Ref{SnapshotID: 77, Type: Tag} }, refs: []string{"v1"}},
		{name: "a parent that is not there ends the branch", retention: Retention{OlderThan: clock, MinSnapshotsToKeep: 9},
			change: func(h *History) { h.Snapshots[3].Parent = 77 }, snapshots: ids(1, 2, 3)},
		{name: "a history in a circle", retention: Retention{OlderThan: clock, MinSnapshotsToKeep: 2},
			change: func(h *History) { h.Snapshots[0].Parent = 6 }, snapshots: ids(1, 2, 3, 4)},
	} {
		h := line(6)
		if c.change != nil {
			c.change(&h)
		}
		expiry, err := h.Expired(c.retention, c.properties, clock)
		require.NoError(t, err, c.name)
		require.Equal(t, c.snapshots, expiry.Snapshots, c.name)
		require.Equal(t, c.refs, expiry.Refs, c.name)
		require.Equal(t, len(c.snapshots)+len(c.refs) == 0, expiry.Empty(), c.name)
	}
}

func TestARetentionThatCannotBeMetSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change     func(h *History)
		retention  Retention
		properties map[string]string
		message    string
	}{
		"the snapshot of a ref": {retention: Retention{SnapshotIDs: []int64{2}},
			change: func(h *History) {
				h.Refs["v1"], h.Refs["a"] = Ref{SnapshotID: 2, Type: Tag}, Ref{SnapshotID: 2, Type: Branch}
			},
			message: "snapshot 2 cannot expire: it is still needed by a, v1"},
		"the current snapshot": {retention: Retention{SnapshotIDs: []int64{6}}, message: "needed by main"},
		"no number":            {properties: map[string]string{propertyMinSnapshots: "ten"}, message: `history.expire.min-snapshots-to-keep: "ten" is not a whole number`},
		"negative":             {retention: Retention{MinSnapshotsToKeep: -1}, message: "negative"},
		"no timestamp":         {change: func(h *History) { h.Snapshots[0].Timestamp = 0 }, message: "no timestamp"},
		"twice":                {change: func(h *History) { h.Snapshots[0].ID = 2 }, message: "twice"},
		"two mains":            {change: func(h *History) { h.Current = 5 }, message: "the current snapshot is 5, but main is at 6"},
	} {
		h := line(6)
		if c.change != nil {
			c.change(&h)
		}
		_, err := h.Expired(c.retention, c.properties, clock)
		require.ErrorContains(t, err, c.message, name)
	}
}

func TestMetadataTellsItsRefsSnapshotsSchemasAndSpecs(t *testing.T) {
	t.Parallel()
	m, err := load(t, head+`"last-updated-ms":1700000000123,"last-sequence-number":9,"current-snapshot-id":2,
		"current-schema-id":1,"default-spec-id":3,"schemas":[{"type":"struct","schema-id":0,"fields":[{"id":1}]},{"schema-id":1}],
		"partition-specs":[{"spec-id":0,"fields":[]},{"spec-id":3}],
		"refs":{"main":{"snapshot-id":2,"type":"branch"},"v1":{"snapshot-id":1,"type":"tag","max-ref-age-ms":9223372036854775807},
			"b":{"snapshot-id":1,"type":"branch","min-snapshots-to-keep":4,"max-snapshot-age-ms":60000}},
		"snapshots":[{"snapshot-id":1,"timestamp-ms":1600000000000,"manifest-list":"s3://w/l1"},
			{"snapshot-id":2,"parent-snapshot-id":1,"sequence-number":8,"timestamp-ms":1700000000000,"schema-id":1,
			"summary":{"operation":"append","total-records":"5"},"manifest-list":"s3://w/l2"}]}`)
	require.NoError(t, err)
	require.Equal(t, int64(9), m.LastSequenceNumber)
	require.Equal(t, time.UnixMilli(1700000000123).UTC(), m.LastUpdated)
	require.Equal(t, map[string]Ref{
		"main": {SnapshotID: 2, Type: Branch}, "v1": {SnapshotID: 1, Type: Tag, MaxRefAge: 1<<63 - 1},
		"b": {SnapshotID: 1, Type: Branch, MinSnapshotsToKeep: 4, MaxSnapshotAge: time.Minute},
	}, m.Refs)
	require.Equal(t, []Snapshot{
		{ID: 1, Timestamp: time.UnixMilli(1600000000000).UTC(), SchemaID: -1, ManifestList: "s3://w/l1"},
		{ID: 2, ParentID: 1, SequenceNumber: 8, Timestamp: time.UnixMilli(1700000000000).UTC(), Operation: "append",
			Summary: map[string]string{"total-records": "5"}, SchemaID: 1, ManifestList: "s3://w/l2"},
	}, m.Snapshots)
	require.Equal(t, []int{0, 1}, m.SchemaIDs)
	require.Equal(t, []int{0, 3}, m.SpecIDs)
	require.Equal(t, []int{1, 3}, []int{m.CurrentSchemaID, m.DefaultSpecID})
	require.Equal(t, History{Current: 2, Refs: m.Refs, Snapshots: []HistorySnapshot{
		{ID: 1, Timestamp: 1600000000000}, {ID: 2, Parent: 1, Timestamp: 1700000000000},
	}}, m.History())

	old, err := load(t, head+`"current-snapshot-id":5}`)
	require.NoError(t, err)
	require.Equal(t, map[string]Ref{MainBranch: {SnapshotID: 5, Type: Branch}}, old.Refs)
	none, err := load(t, head+`"current-snapshot-id":-1}`)
	require.NoError(t, err)
	require.Zero(t, none.CurrentSnapshotID)
	require.Empty(t, none.Refs)
	require.Equal(t, -1, none.CurrentSchemaID)
	_, err = load(t, head+`"refs":{"x":{"snapshot-id":1,"type":"bookmark"}}}`)
	require.ErrorContains(t, err, `type "bookmark"`)
}

func TestMetadataInsideAnAnswerIsReadLikeAFile(t *testing.T) {
	t.Parallel()
	m, err := Parse(strings.NewReader(head + `"table-uuid":"u","current-snapshot-id":5}`))
	require.NoError(t, err)
	require.Equal(t, "u", m.UUID)
	_, err = Parse(strings.NewReader(head + `"x"`))
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = Parse(strings.NewReader(head + `"encryption-keys":[{"key-id":"1"}]}`))
	require.ErrorIs(t, err, ErrEncrypted)
	reset := errors.New("connection reset")
	_, err = Parse(iotest.ErrReader(reset))
	require.ErrorIs(t, err, reset)
	require.NotErrorIs(t, err, ErrCorrupt)
}
