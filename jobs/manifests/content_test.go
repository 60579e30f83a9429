package manifests_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/table"
)

// content is what the live entries of a snapshot say, read by iceberg-go with what
// they inherit: each entry as text, and how often it is there.
type content map[string]int

func (y *yard) manifestsOf(s *table.Snapshot) []iceberg.ManifestFile {
	y.T.Helper()
	list, err := iceberg.ReadManifestList(bytes.NewReader(y.Get(s.ManifestList)))
	require.NoError(y.T, err)
	return list
}

func (y *yard) contentOf(s *table.Snapshot) content {
	y.T.Helper()
	c := content{}
	for _, m := range y.manifestsOf(s) {
		entries, err := iceberg.ReadManifest(m, bytes.NewReader(y.Get(m.FilePath())), true)
		require.NoError(y.T, err, m.FilePath())
		for _, e := range entries {
			c[entryText(m, e)]++
		}
	}
	return c
}

func entryText(m iceberg.ManifestFile, e iceberg.ManifestEntry) string {
	f := e.DataFile()
	number := func(n *int64) any {
		if n == nil {
			return nil
		}
		return *n
	}
	referenced := ""
	if r := f.ReferencedDataFile(); r != nil {
		referenced = *r
	}
	return fmt.Sprint("spec ", m.PartitionSpecID(), " content ", f.ContentType(), " ", f.FilePath(), " ", f.FileFormat(), " of ", e.SnapshotID(),
		" sequence ", e.SequenceNum(), " ", number(e.FileSequenceNum()), " rows ", f.Count(), " from ", number(f.FirstRowID()), " bytes ", f.FileSizeBytes(),
		" partition ", sorted(f.Partition()), " sizes ", sorted(f.ColumnSizes()), sorted(f.ValueCounts()), sorted(f.NullValueCounts()),
		sorted(f.NaNValueCounts()), sorted(f.LowerBoundValues()), sorted(f.UpperBoundValues()), " splits ", f.SplitOffsets(),
		" equality ", f.EqualityFieldIDs(), " order ", pointed(f.SortOrderID()), " about ", referenced, " at ", number(f.ContentOffset()), number(f.ContentSizeInBytes()))
}

func pointed(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}

func sorted[V any](m map[int]V) string {
	text := ""
	for _, key := range slices.Sorted(maps.Keys(m)) {
		text += fmt.Sprint(key, ":", m[key], " ")
	}
	return "{" + text + "}"
}

// current snapshot of main.
func current(t testing.TB, m *table.Metadata) *table.Snapshot {
	t.Helper()
	for i, s := range m.Snapshots {
		if s.ID == m.CurrentSnapshotID {
			return &m.Snapshots[i]
		}
	}
	return nil
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }
