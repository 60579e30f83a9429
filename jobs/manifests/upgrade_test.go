package manifests_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"
)

// rowIDs are the first row ids of the live data files of main by path, with what they
// inherit.
func (f *forge) rowIDs() map[string]int64 {
	f.T.Helper()
	ids, taken := map[string]int64{}, map[int64]bool{}
	for _, m := range f.manifestsOf(current(f.T, f.Metadata())) {
		if m.ManifestContent() != iceberg.ManifestContentData {
			continue
		}
		entries, err := iceberg.ReadManifest(m, bytes.NewReader(f.Get(m.FilePath())), true)
		require.NoError(f.T, err)
		for _, e := range entries {
			first := e.DataFile().FirstRowID()
			require.NotNil(f.T, first, e.DataFile().FilePath())
			ids[e.DataFile().FilePath()] = *first
			for row := range e.DataFile().Count() {
				require.False(f.T, taken[*first+row], "row id %d is there twice", *first+row)
				taken[*first+row] = true
			}
		}
	}
	return ids
}

// upgraded is a table of v2 that was made one of v3 without a commit since.
func upgraded(t *testing.T) *forge {
	t.Helper()
	f := newYard(t).forge(2)
	for n := range 10 {
		f.manifest(0, forged{path: fmt.Sprintf("f%d.parquet", n), partition: int32(n % 3), sequence: int64(n + 1)})
	}
	f.open(nil)
	f.Edit(f.Ledger.Location, func(m object) { m["format-version"], m["next-row-id"] = 3, 0 })
	f.version = 3
	return f
}

func TestTheFirstCommitAfterAnUpgradeGivesRowIDsAndFurtherOnesKeepThem(t *testing.T) {
	t.Parallel()
	f := upgraded(t)
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Written.Files)
	ids := f.rowIDs()
	require.Len(t, ids, 10)
	require.EqualValues(t, 100, f.nextRowID())
	for n := range 3 {
		f.change(nil, forged{path: fmt.Sprintf("g%d.parquet", n), partition: int32(1)})
	}
	ids = f.rowIDs()
	require.Len(t, ids, 13)
	next := f.nextRowID()
	r, err = f.rewrite(`{}`)
	require.NoError(t, err)
	require.Positive(t, r.Written.Files)
	require.Equal(t, ids, f.rowIDs())
	require.Equal(t, next, f.nextRowID(), "no row id is used up")
}

// A commit that comes first gives row ids to the manifests that were rewritten.
func TestRowIDsThatACommitGaveMeanwhileAreKept(t *testing.T) {
	t.Parallel()
	f := upgraded(t)
	var ids map[string]int64
	f.Ledger.Race = func() {
		f.change(nil, forged{path: "late.parquet", partition: int32(1)})
		ids = f.rowIDs()
	}
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.Equal(t, 1, r.Conflicts)
	require.Zero(t, r.Reused)
	require.Len(t, ids, 11)
	require.Equal(t, ids, f.rowIDs())
	require.Empty(t, f.outputs())
}
