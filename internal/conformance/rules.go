package conformance

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule is a commit on a table that has the snapshots 1, 2 and 3 on main, and what
// becomes of it. before runs first.
type rule struct {
	name     string
	versions string // of the format, those that it is tried with: "123"
	before   func(*written)
	commit   func(*written) answer
	refused  bool // with 400 or 409
	want     state
}

// main3 is the state of the table before, with changes.
func main3(change func(*state)) state {
	s := state{Snapshots: []int64{1, 2, 3}, Refs: map[string]int64{"main": 3}, Current: 3, Log: []int64{1, 2, 3}}
	change(&s)
	return s
}

func unchanged(*state) {}

func addSnapshot(s object) object { return object{"action": "add-snapshot", "snapshot": s} }

func commitOf(updates ...object) func(*written) answer {
	return func(w *written) answer { return w.commit(updates...) }
}

func removed(ids ...int64) func(*written) { return func(w *written) { w.ok(remove(ids...)) } }

// putBack adds a snapshot again as it was, and points a ref to it.
func putBack(id int64, ref, kind string) func(*written) answer {
	return func(w *written) answer { return w.commit(addSnapshot(w.made[id]), setRef(ref, kind, id)) }
}

func append9(change func(object)) func(*written) answer {
	return func(w *written) answer {
		s := w.snapshot(9, 3)
		change(s)
		return w.commit(addSnapshot(s), setRef("main", "branch", 9))
	}
}

var rules = []rule{
	{
		name: "a tag on a removed snapshot vanishes without a word", versions: "123",
		before: func(w *written) { w.ok(setRef("t", "tag", 1)) }, commit: commitOf(remove(1)),
		want: main3(func(s *state) { s.Snapshots, s.Log = []int64{2, 3}, []int64{2, 3} }),
	},
	{
		name: "removing the current snapshot removes main", versions: "123", commit: commitOf(remove(3)),
		want: state{Snapshots: []int64{1, 2}, Refs: map[string]int64{}},
	},
	{
		name: "the log forgets all before a snapshot that is removed", versions: "123", commit: commitOf(remove(2)),
		want: main3(func(s *state) { s.Snapshots, s.Log = []int64{1, 3}, []int64{3} }),
	},
	{
		name: "unknown snapshots count as removed", versions: "123", commit: commitOf(remove(77)), want: main3(unchanged),
	},
	{
		name: "statistics go with their snapshot", versions: "123",
		before: func(w *written) {
			w.ok(object{"action": "set-statistics", "statistics": object{
				"snapshot-id": 1, "statistics-path": w.location + "/metadata/s.puffin", "file-size-in-bytes": 1,
				"file-footer-size-in-bytes": 1, "blob-metadata": []object{},
			}})
			w.ok(object{"action": "set-partition-statistics", "partition-statistics": object{
				"snapshot-id": 1, "statistics-path": w.location + "/metadata/p.parquet", "file-size-in-bytes": 1,
			}})
			require.Len(w.t, w.state().Stats, 2)
		},
		commit: commitOf(remove(1)),
		want:   main3(func(s *state) { s.Snapshots, s.Log = []int64{2, 3}, []int64{2, 3} }),
	},
	{
		name: "in format 1 a removed snapshot can be put back", versions: "1", before: removed(1), commit: putBack(1, "kept", "tag"),
		want: main3(func(s *state) {
			s.Snapshots, s.Log, s.Refs["kept"] = []int64{2, 3, 1}, []int64{2, 3}, 1
		}),
	},
	{
		name: "in formats 2 and 3 the first snapshot cannot be put back", versions: "23", before: removed(1),
		commit: putBack(1, "kept", "tag"), refused: true,
		want: main3(func(s *state) { s.Snapshots, s.Log = []int64{2, 3}, []int64{2, 3} }),
	},
	{
		name: "in formats 2 and 3 a later snapshot cannot be put back", versions: "23", before: removed(2),
		commit: putBack(2, "kept", "branch"), refused: true,
		want: main3(func(s *state) { s.Snapshots, s.Log = []int64{1, 3}, []int64{3} }),
	},
	{
		name: "a snapshot with an old sequence number is refused", versions: "23",
		commit: append9(func(s object) { s["sequence-number"] = 3 }), refused: true, want: main3(unchanged),
	},
	{
		name: "a snapshot with old row ids is refused", versions: "3",
		commit: append9(func(s object) { s["first-row-id"] = 0 }), refused: true, want: main3(unchanged),
	},
	{
		name: "a snapshot without row ids is refused", versions: "3",
		commit: append9(func(s object) { delete(s, "first-row-id") }), refused: true, want: main3(unchanged),
	},
	{
		name: "snapshots are removed and added in one commit", versions: "123",
		commit: func(w *written) answer {
			return w.commit(remove(1, 2), addSnapshot(w.snapshot(9, 3)), setRef("main", "branch", 9))
		},
		want: state{Snapshots: []int64{3, 9}, Refs: map[string]int64{"main": 9}, Current: 9, Log: []int64{3, 9}},
	},
	{
		name: "only the last of several new snapshots was current", versions: "123",
		commit: func(w *written) answer {
			return w.commit(addSnapshot(w.snapshot(9, 3)), setRef("main", "branch", 9),
				addSnapshot(w.snapshot(10, 9)), setRef("main", "branch", 10))
		},
		want: state{
			Snapshots: []int64{1, 2, 3, 9, 10}, Refs: map[string]int64{"main": 10}, Current: 10, Log: []int64{1, 2, 3, 10},
		},
	},
	{
		name: "main can go back", versions: "123", commit: commitOf(setRef("main", "branch", 1)),
		want: main3(func(s *state) { s.Refs["main"], s.Current, s.Log = 1, 1, []int64{1, 2, 3, 1} }),
	},
	{
		name: "main can be removed", versions: "123",
		commit: commitOf(object{"action": "remove-snapshot-ref", "ref-name": "main"}),
		want:   main3(func(s *state) { s.Refs, s.Current = map[string]int64{}, 0 }),
	},
	{
		name: "a ref needs a snapshot", versions: "123", commit: commitOf(setRef("t", "tag", 99)), refused: true,
		want: main3(unchanged),
	},
	{
		name: "a tag keeps no number of snapshots", versions: "12", refused: true, want: main3(unchanged),
		commit: func(w *written) answer {
			tag := setRef("t", "tag", 3)
			tag["min-snapshots-to-keep"] = 2
			return w.commit(tag)
		},
	},
	{
		name: "the current schema cannot be removed", versions: "12", refused: true, want: main3(unchanged),
		commit: commitOf(object{"action": "remove-schemas", "schema-ids": []int{0}}),
	},
	{
		name: "the default spec cannot be removed", versions: "12", refused: true, want: main3(unchanged),
		commit: commitOf(object{"action": "remove-partition-specs", "spec-ids": []int{0}}),
	},
}

// commits tries each rule on a table of its own, in each version of the format.
func (s *suite) commits(t *testing.T) {
	for i, r := range rules {
		for _, version := range r.versions {
			t.Run(r.name+", format "+string(version), func(t *testing.T) {
				w := s.newTable(t, string(version), []string{"commits"}, fmt.Sprintf("rule%d_v%c", i, version))
				w.grow(3)
				if r.before != nil {
					r.before(w)
				}
				before := w.state()
				a := r.commit(w)
				if r.refused {
					require.Contains(t, []int{http.StatusBadRequest, http.StatusConflict}, a.status, "%v", a.body)
				} else {
					require.Equal(t, http.StatusOK, a.status, "%v", a.body)
				}
				after := w.state()
				require.ElementsMatch(t, r.want.Snapshots, after.Snapshots, "snapshots")
				require.Equal(t, r.want.Refs, after.Refs, "refs")
				require.Equal(t, r.want.Current, after.Current, "current snapshot")
				require.Equal(t, r.want.Log, after.Log, "log")
				require.Empty(t, after.Stats, "statistics")
				if r.refused || reflect.DeepEqual(before, after) {
					require.Equal(t, before.Location, after.Location, "no new metadata for nothing")
				} else {
					require.Equal(t, before.Files+1, after.Files, "the replaced metadata is in the log")
				}
			})
		}
	}
}
