package purge_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// levels are the kinds of files in the order in which they may go.
var levels = [][]tabletest.FileKind{
	{tabletest.KindData, tabletest.KindPositionDeletes, tabletest.KindEqualityDeletes, tabletest.KindDV},
	{tabletest.KindManifest},
	{tabletest.KindManifestList},
	{tabletest.KindStatistics, tabletest.KindPartitionStatistics},
	{tabletest.KindMetadata},
}

func TestADamagedManifestLeavesEverythingAboveItAndARequeueFinishes(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]tabletest.Damage{
		"truncated": tabletest.Truncate(60), "sync": tabletest.BreakSync, "not avro": tabletest.NotAvro, "empty": tabletest.Empty,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			table, neighbours := y.write(icebergtable.Everything())
			manifest := filesOf(table, tabletest.KindManifest)[0]
			bucket, key, err := tabletest.SplitS3(manifest)
			require.NoError(t, err)
			y.server.Put(bucket, key, damage(table.Objects[manifest]))

			job, progress := jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{}
			receipt, err := run(t, y.tables(purge.Policy{}), job, progress)
			require.ErrorContains(t, err, manifest)
			require.True(t, jobs.IsPermanent(err))
			require.Equal(t, map[purge.Kind]int64{purge.Manifests: 1}, fileCounts(receipt.Kept[purge.Unreadable].Counts))
			remaining := y.keys()
			for _, level := range levels[1:] {
				for _, kind := range level {
					for _, path := range filesOf(table, kind) {
						require.Contains(t, remaining, path, "a level above was begun")
					}
				}
			}
			require.Positive(t, receipt.Deleted[purge.Data].Files, "the rest of the level goes")

			y.server.Put(bucket, key, table.Objects[manifest])
			receipt, err = run(t, y.tables(purge.Policy{}), job, progress)
			require.NoError(t, err)
			require.Equal(t, neighbours, y.keys())
			require.Equal(t, countsOf(table.Files), fileCounts(receipt.Deleted))
		})
	}
}

func TestAnUnreadableListLeavesEverythingAboveTheData(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Everything())
	list := filesOf(table, tabletest.KindManifestList)[1]
	bucket, key, err := tabletest.SplitS3(list)
	require.NoError(t, err)
	y.server.Put(bucket, key, tabletest.Truncate(50)(table.Objects[list]))
	job, progress := jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{}
	_, err = run(t, y.tables(purge.Policy{}), job, progress)
	require.ErrorContains(t, err, list)
	for _, path := range filesOf(table, tabletest.KindManifest) {
		require.Contains(t, y.keys(), path)
	}
	y.server.Put(bucket, key, table.Objects[list])
	_, err = run(t, y.tables(purge.Policy{}), job, progress)
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
}

func TestMissingManifestsAndListsAreReportedAndDoNotStopTheRest(t *testing.T) {
	t.Parallel()
	h := numbered(3, 2)
	h.Manifests[1].Absent = true
	h.Lists = append(h.Lists, tabletest.HandmadeList{Path: home + "/metadata/l2.avro", Absent: true})
	y := newYard(t)
	neighbours := y.lay(h)
	receipt, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, map[purge.Kind]int64{purge.Manifests: 1, purge.ManifestLists: 1}, fileCounts(receipt.Absent))
	// Nothing else names the files of the missing manifest: they are left, and said so.
	left := slices.DeleteFunc(y.keys(), func(key string) bool { return slices.Contains(neighbours, key) })
	require.Equal(t, []string{home + "/data/1-0", home + "/data/1-1"}, left)
	require.Equal(t, left, receipt.Left.Paths)
	require.EqualValues(t, len(left), receipt.Left.Files)
}

// Each single file of the table is refused in turn.
func TestARefusedFileStopsBeforeTheNextLevelAndARequeueFinishes(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Everything())
	full := y.server.Snapshot()
	for at, level := range levels {
		for _, kind := range level {
			for _, refused := range filesOf(table, kind) {
				y.server.Restore(full)
				y.server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
					if op == "DeleteObject" && "s3:/"+r.URL.Path == strings.Replace(refused, "s3://", "s3:/", 1) {
						return &s3test.Fault{Status: 403, Code: "AccessDenied"}
					}
					return &s3test.Fault{Key: func(key string) string {
						if strings.HasSuffix(refused, "/"+key) {
							return "AccessDenied"
						}
						return ""
					}}
				})
				job, progress := jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{}
				receipt, err := run(t, y.tables(purge.Policy{}), job, progress)
				require.ErrorContains(t, err, refused)
				require.True(t, jobs.IsPermanent(err))
				require.Equal(t, map[purge.Kind]int64{purge.Kind(kind): 1}, fileCounts(receipt.Kept[purge.Refused].Counts))
				remaining := y.keys()
				require.Contains(t, remaining, table.MetadataLocation)
				for above, kinds := range levels {
					for _, k := range kinds {
						for _, path := range filesOf(table, k) {
							if above < at || above == at && path != refused && path != table.MetadataLocation {
								require.NotContains(t, remaining, path, "refused %s", refused)
							} else {
								require.Contains(t, remaining, path, "refused %s", refused)
							}
						}
					}
				}
				y.server.Fault(nil)
				receipt, err = run(t, y.tables(purge.Policy{}), job, progress)
				require.NoError(t, err)
				require.Equal(t, neighbours, y.keys())
				if at == 0 {
					require.Equal(t, countsOf(table.Files), fileCounts(receipt.Deleted), refused)
				}
			}
		}
	}
}

func TestAReceiptStaysSmallWhateverIsKept(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, _ := y.write(icebergtable.Options{Files: 300, Snapshots: 1, RowsPerFile: 4})
	for i := range 300 {
		y.server.Put("warehouse", fmt.Sprintf("db/t/%s/%d", strings.Repeat("long/", 180), i), []byte("x"))
	}
	y.server.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Key: func(string) string { return "AccessDenied" }}
	})
	receipt, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.ErrorContains(t, err, "300 problems")
	require.Less(t, len(err.Error()), 8<<10)
	require.EqualValues(t, 300, receipt.Kept[purge.Refused].Counts[purge.Data].Files)
	require.NotEmpty(t, receipt.Kept[purge.Refused].Paths)
}
