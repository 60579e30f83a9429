package manifests_test

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/table"
)

// change commits to main as another writer: without the manifests that name any of
// the removed files, whose other files are written anew, and with one more of the
// added ones.
func (f *forge) change(removed []string, added ...forged) {
	f.T.Helper()
	m := f.Metadata()
	now := current(f.T, m)
	id, sequence := now.ID+1, m.LastSequenceNumber+1
	gone := map[string]bool{}
	for _, path := range removed {
		gone[maintenancetest.InHome("data/"+path)] = true
	}
	var list []iceberg.ManifestFile
	for n, old := range f.manifestsOf(now) {
		entries, err := iceberg.ReadManifest(old, bytes.NewReader(f.Get(old.FilePath())), true)
		require.NoError(f.T, err)
		if !slices.ContainsFunc(entries, func(e iceberg.ManifestEntry) bool { return gone[e.DataFile().FilePath()] }) {
			list = append(list, old)
			continue
		}
		list = append(list, f.write(fmt.Sprintf("metadata/changed-%d-%d.avro", id, n), int(old.PartitionSpecID()), id, old.ManifestContent(), func(w *iceberg.ManifestWriter) {
			for _, e := range entries {
				if gone[e.DataFile().FilePath()] {
					require.NoError(f.T, w.Delete(e))
				} else {
					require.NoError(f.T, w.Existing(e))
				}
			}
		}))
	}
	if len(added) > 0 {
		spec := len(f.specs) - 1
		list = append(list, f.write(fmt.Sprintf("metadata/added-%d.avro", id), spec, id, contentOfFiles(added), func(w *iceberg.ManifestWriter) {
			for _, file := range added {
				var old *int64 // as compaction gives it to what it has rewritten
				if file.sequence > 0 {
					old = &file.sequence
				}
				require.NoError(f.T, w.Add(iceberg.NewManifestEntry(iceberg.EntryStatusADDED, &id, old, nil, f.file(spec, file, nil))))
			}
		}))
	}
	path := maintenancetest.InHome(fmt.Sprintf("metadata/snap-changed-%d.avro", id))
	var out bytes.Buffer
	next := f.nextRowID()
	require.NoError(f.T, iceberg.WriteManifestList(f.version, &out, id, &now.ID, &sequence, next, list))
	f.Put(path, out.Bytes())
	snapshot := object{"snapshot-id": id, "parent-snapshot-id": now.ID, "sequence-number": sequence, "timestamp-ms": now.Timestamp.UnixMilli() + 1,
		"manifest-list": path, "schema-id": 0, "summary": object{"operation": "append"}}
	if f.version > 2 {
		snapshot["first-row-id"], snapshot["added-rows"] = next, 10_000
	}
	f.Ledger.Change(object{"action": "add-snapshot", "snapshot": snapshot}, maintenancetest.SetRef("main", "branch", id))
}

func (f *forge) nextRowID() int64 {
	loaded, err := f.Ledger.Current()
	require.NoError(f.T, err)
	var m struct {
		Next int64 `json:"next-row-id"`
	}
	f.decode(loaded.RawMetadata, &m)
	return m.Next
}

// contents of the snapshots that main has had, by iceberg-go.
func (f *forge) currentContent() content {
	f.T.Helper()
	return f.contentOf(current(f.T, f.Metadata()))
}

// without the entries that the other has.
func (c content) without(other content) []string {
	var rest []string
	for entry, n := range c {
		if other[entry] != n {
			rest = append(rest, entry)
		}
	}
	return rest
}

// outputs are the files that no snapshot of the table reaches.
func (y *yard) outputs() []string {
	y.T.Helper()
	reached := y.Reach(y.Metadata()).Union(y.Metadata())
	var rest []string
	for _, key := range y.Files() {
		if !reached[table.Identity(key)] {
			rest = append(rest, key)
		}
	}
	return rest
}
