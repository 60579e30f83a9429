package conformance

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// written is a table of the suite whose commits are sent as they are.
type written struct {
	*caller
	t         *testing.T
	namespace []string
	name      string
	version   string
	location  string
	started   int64 // timestamp of the first snapshot
	rows      int64 // added so far, in v3
	sequence  int64
	made      map[int64]object // snapshots by id, as they were added
}

// openTable is for commits to a table that is there, without snapshots.
func (c *caller) openTable(t *testing.T, version string, namespace []string, name string) *written {
	t.Helper()
	w := &written{caller: c, t: t, namespace: namespace, name: name, version: version, made: map[int64]object{}}
	a := c.must(t, http.StatusOK, http.MethodGet, c.table(namespace, name), nil)
	metadata, _ := a.body["metadata"].(object)
	w.location, _ = metadata["location"].(string)
	w.started = number(metadata["last-updated-ms"])
	return w
}

// newTable makes a table as root and opens it as the principal.
func (s *suite) newTable(t *testing.T, version string, namespace []string, name string) *written {
	t.Helper()
	s.root.createNamespace(t, namespace...)
	s.root.createTable(t, namespace, name, version)
	return s.maint.openTable(t, version, namespace, name)
}

func number(v any) int64 {
	n, _ := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	return n
}

// snapshot makes the JSON of one; each has a row, and is a second after the last.
func (w *written) snapshot(id, parent int64) object {
	w.sequence++
	s := object{
		"snapshot-id": id, "timestamp-ms": w.started + w.sequence*1000, "schema-id": 0,
		"manifest-list": fmt.Sprintf("%s/metadata/snap-%d.avro", w.location, id),
		"summary":       object{"operation": "append"},
	}
	if parent != 0 {
		s["parent-snapshot-id"] = parent
	}
	if w.version != "1" {
		s["sequence-number"] = w.sequence
	}
	if w.version == "3" {
		s["first-row-id"], s["added-rows"] = w.rows, 1
		w.rows++
	}
	w.made[id] = s
	return s
}

// commit sends updates without requirements.
func (w *written) commit(updates ...object) answer {
	w.t.Helper()
	return w.do(w.t, http.MethodPost, w.table(w.namespace, w.name), object{"requirements": []object{}, "updates": updates})
}

// ok commits what has to be taken.
func (w *written) ok(updates ...object) {
	w.t.Helper()
	a := w.commit(updates...)
	require.Equal(w.t, http.StatusOK, a.status, "%v", a.body)
}

// grow appends snapshots 1 to n to main.
func (w *written) grow(n int64) {
	w.t.Helper()
	for id := int64(1); id <= n; id++ {
		w.ok(object{"action": "add-snapshot", "snapshot": w.snapshot(id, id-1)}, setRef("main", "branch", id))
	}
}

func setRef(name, kind string, id int64) object {
	return object{"action": "set-snapshot-ref", "ref-name": name, "type": kind, "snapshot-id": id}
}

func remove(ids ...int64) object { return object{"action": "remove-snapshots", "snapshot-ids": ids} }

// state is what of a table's metadata commits are about.
type state struct {
	Snapshots []int64
	Refs      map[string]int64
	Current   int64 // 0: none
	Log       []int64
	Stats     []int64
	Location  string
	Files     int // in the metadata log
}

func (w *written) state() state {
	w.t.Helper()
	a := w.must(w.t, http.StatusOK, http.MethodGet, w.table(w.namespace, w.name)+"?snapshots=all", nil)
	metadata, _ := a.body["metadata"].(object)
	s := state{Refs: map[string]int64{}}
	ids := func(name, field string) (all []int64) {
		list, _ := metadata[name].([]any)
		for _, entry := range list {
			all = append(all, number(entry.(object)[field]))
		}
		return all
	}
	s.Snapshots, s.Log = ids("snapshots", "snapshot-id"), ids("snapshot-log", "snapshot-id")
	s.Stats = append(ids("statistics", "snapshot-id"), ids("partition-statistics", "snapshot-id")...)
	refs, _ := metadata["refs"].(object)
	for name, r := range refs {
		s.Refs[name] = number(r.(object)["snapshot-id"])
	}
	if s.Current = number(metadata["current-snapshot-id"]); s.Current == -1 {
		s.Current = 0
	}
	s.Location, _ = a.body["metadata-location"].(string)
	s.Files = len(ids("metadata-log", "timestamp-ms"))
	return s
}
