package orphans_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs/orphans"
)

func TestATableThatIsDroppedOrMadeAnewMeanwhileIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(y *yard)
		check  func(r *orphans.Receipt, err error)
	}{
		"dropped": {
			func(y *yard) { y.Ledger.Location = "" },
			func(r *orphans.Receipt, err error) { require.NoError(t, err); require.True(t, r.Gone) },
		},
		"made anew": {
			func(y *yard) {
				y.Edit(y.Ledger.Location, func(m mt.Object) { m["table-uuid"] = "aaaaaaaa-0000-0000-0000-000000000000" })
			},
			func(_ *orphans.Receipt, err error) { require.ErrorContains(t, err, "created anew") },
		},
		"shared": {
			func(y *yard) {
				y.Ledger.Change(mt.Object{"action": "set-properties", "updates": mt.Object{"gc.enabled": "false"}})
			},
			func(_ *orphans.Receipt, err error) { require.ErrorContains(t, err, "gc.enabled") },
		},
		"moved": {
			func(y *yard) {
				y.Ledger.Change(mt.Object{"action": "set-properties", "updates": mt.Object{"write.data.path": "s3://other/x"}})
			},
			func(_ *orphans.Receipt, err error) { require.ErrorContains(t, err, "locations were changed") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			y := small(t)
			y.Ledger.Fault = func(n int, _ string) mt.Fault {
				if n == 2 {
					c.change(y)
				}
				return mt.Fault{}
			}
			r, err := y.search(quickly)
			c.check(r, err)
			y.Has(true, "data/orphan1", "data/orphan2")
		})
	}
}

func TestAFileThatALaterCommitAdoptsStays(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	made := y.Write(icebergtable.Options{Files: 2, Snapshots: 1})
	y.plant("data/orphan1", "data/region=north/adopted.parquet", "data/elsewhere.parquet")
	y.Ledger.Fault = func(n int, op string) mt.Fault {
		if n == 2 {
			y.adopt("data/region=north/adopted.parquet", "s3://other/db/t/data/elsewhere.parquet")
		}
		return mt.Fault{}
	}
	r, err := y.search(quickly)
	require.NoError(t, err)
	y.Has(true, "data/region=north/adopted.parquet", "data/elsewhere.parquet")
	y.Has(false, "data/orphan1")
	require.EqualValues(t, 2, r.Kept[orphans.Adopted].Counts.Total().Files)
	require.Equal(t, 1, r.Commits)
	require.NotEqual(t, made.MetadataLocation, r.MetadataLocation)
}

// adopt commits a snapshot that names files which are there already, as add_files
// does.
func (y *yard) adopt(names ...string) {
	m := y.Metadata()
	n := len(m.Snapshots) + 1
	d := mt.NewDraft()
	d.Snapshots = nil
	list := mt.InHome("metadata/adopting-" + time.Duration(n).String() + ".avro")
	manifest := "adopting-m" + time.Duration(n).String()
	d.Manifest(manifest, func() (files []string) {
		for _, name := range names {
			if !strings.Contains(name, "://") {
				name = mt.InHome(name)
			}
			files = append(files, name)
		}
		return files
	}()...)
	d.Lists = []tabletest.HandmadeList{{Path: list, Manifests: []string{mt.InHome("metadata/" + manifest)}}}
	d.Root = mt.InHome("adopting/nothing")
	d.Metadata = mt.CompleteMetadata([]mt.Object{{"snapshot-id": 1, "timestamp-ms": 1}})
	objects := d.Objects()
	delete(objects, d.Root)
	y.Load(objects)
	y.Ledger.Change(mt.Object{"action": "add-snapshot", "snapshot": mt.Object{
		"snapshot-id": 1000 + n, "sequence-number": m.LastSequenceNumber + 1, "timestamp-ms": time.Now().UnixMilli(),
		"manifest-list": list, "summary": mt.Object{"operation": "append"}, "schema-id": 0,
	}}, mt.SetRef("main", "branch", int64(1000+n)))
}

// Its list is gone when the search comes to read it, and nothing is wrong.
func TestAnExpiryWhileTheTableIsReadIsNoDamage(t *testing.T) {
	t.Parallel()
	y := small(t)
	expired := false
	y.Server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if op == "GetObject" && strings.HasSuffix(r.URL.Path, "list-1.avro") && !expired {
			expired = true
			y.Ledger.Change(mt.Object{"action": "remove-snapshots", "snapshot-ids": []int{1}})
			y.Remove(mt.InHome("metadata/list-1.avro"))
		}
		return nil
	})
	r, err := y.search(quickly)
	require.NoError(t, err)
	require.True(t, expired)
	require.Equal(t, 1, r.Commits)
	require.Equal(t, y.Ledger.Location, r.MetadataLocation)
	y.Has(false, "data/orphan1", "data/orphan2")
	for name := range y.reaches() {
		y.Has(true, name)
	}
}
