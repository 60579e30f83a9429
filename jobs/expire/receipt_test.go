package expire_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/receipt"
)

func TestTheReceiptSaysForPeopleWhatWent(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a", "s3://warehouse/db/other/x")
	d.Manifest("m2", "b")
	d.Snapshot("m1")
	d.Snapshot("m2")
	y.Lay(d, object{"refs": object{
		"main": object{"snapshot-id": 2, "type": "branch"}, "old": object{"snapshot-id": 1, "type": "tag", "max-ref-age-ms": 1},
	}})
	var told []string
	y.Config.List = func(r receipt.PathRecord) {
		told = append(told, r.Action+" "+strings.TrimPrefix(r.Location, maintenancetest.Home+"/"))
	}
	print := func(params string) string {
		told = nil
		r, err := y.expire(params)
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, r.WriteText(&out))
		slices.Sort(told)
		return out.String()
	}
	dry := print(`{"older-than":"0s","retain-last":1,"dry-run":true}`)
	require.Regexp(t, `would remove +1 snapshots +of 2\n`, dry)
	require.Regexp(t, `would delete +total +3 files`, dry)
	require.Equal(t, []string{
		"kept s3://warehouse/db/other/x", "would delete data/a", "would delete metadata/list-1.avro", "would delete metadata/m1",
	}, told)
	done := print(expireAll)
	require.Regexp(t, `removed +1 snapshots +of 2\n`, done)
	require.Regexp(t, `removed +refs +old\n`, done)
	require.Regexp(t, `deleted +data +1 files +10 B\n`, done)
	require.Regexp(t, `kept +data +1 files +outside the scope\n`, done)
	require.Equal(t, []string{"deleted data/a", "deleted metadata/list-1.avro", "deleted metadata/m1", "kept s3://warehouse/db/other/x"}, told)
	require.Regexp(t, `removed +nothing +of 1 snapshots\n`, print(expireAll))
	y.Open("")
	require.Regexp(t, `table +is gone\n`, print(expireAll))
	require.Empty(t, told)
}

// Old v1 tables name their manifests in the snapshot and have no list.
func TestManifestsThatSnapshotsNameInlineAreReachedToo(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a", "b")
	d.Manifest("m2", "b", "c")
	d.Manifest("m3", "d")
	d.Snapshot("m1")
	d.Snapshot("m2")
	inline := func(n int, names ...string) {
		delete(d.Snapshots[n], "manifest-list")
		for i := range names {
			names[i] = maintenancetest.InHome("metadata/" + names[i])
		}
		d.Snapshots[n]["manifests"] = names
	}
	inline(0, "m1", "m3")
	inline(1, "m2")
	d.Lists = nil
	y.Lay(d, object{"format-version": 1})
	r, err := y.expire(`{"older-than":"0s","retain-last":1,"clean-expired-metadata":true}`)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"data": 2, "manifest": 2}, fileCounts(r))
	y.Has(true, "data/b", "data/c", "metadata/m2")
	y.Has(false, "data/a", "data/d", "metadata/m1", "metadata/m3")
	require.Contains(t, strings.Join(r.Notes, " "), "partition specs stay")
}
