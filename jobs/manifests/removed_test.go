package manifests_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/jobs/manifests"
)

// removedBy are the names of the files that entries of the current snapshot's
// manifests say it has removed. The counts of the manifest list are those of the
// entries.
func (y *yard) removedBy() map[string]bool {
	y.T.Helper()
	now := current(y.T, y.Metadata())
	names := map[string]bool{}
	for _, m := range y.manifestsOf(now) {
		entries, err := iceberg.ReadManifest(m, bytes.NewReader(y.Get(m.FilePath())), false)
		require.NoError(y.T, err)
		files, rows, live := int32(0), int64(0), int32(0)
		for _, e := range entries {
			if e.Status() != iceberg.EntryStatusDELETED {
				live++
				continue
			}
			files++
			rows += e.DataFile().Count()
			if e.SnapshotID() == now.ID {
				names[strings.TrimPrefix(e.DataFile().FilePath(), maintenancetest.InHome("data/"))] = true
			}
		}
		require.Equal(y.T, files, m.DeletedDataFiles())
		require.Equal(y.T, rows, m.DeletedRows())
		require.Equal(y.T, live, m.AddedDataFiles()+m.ExistingDataFiles())
	}
	return names
}

func TestAManifestOfRemovedFilesGoesWithTheNextCommit(t *testing.T) {
	t.Parallel()
	f := newYard(t).forge(2, byKey(0), byKey(1))
	f.manifest(1, forged{path: "a.parquet", partition: int32(1), sequence: 5})
	f.manifest(0, forged{path: "xp", content: positions, partition: int32(2), sequence: 9})
	f.manifest(1, forged{path: "xq", content: equalities, partition: int32(2), sequence: 9})
	f.open(nil)
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Written.Files)
	require.Zero(t, r.Entries)
	require.Equal(t, map[string]bool{"xp": true, "xq": true}, f.removedBy())
	list := f.manifestsOf(current(t, f.Metadata()))
	require.Len(t, list, 3)
	require.Equal(t, current(t, f.Metadata()).SequenceNumber, list[0].MinSequenceNum())

	location := f.Ledger.Location
	for range 2 {
		r, err = f.rewrite(`{}`)
		require.NoError(t, err)
		require.Zero(t, r.Replaced)
		require.Equal(t, location, f.Ledger.Location, "nothing to gain")
	}
	f.change(nil, forged{path: "b.parquet", partition: int32(1)})
	require.Len(t, f.manifestsOf(current(t, f.Metadata())), 4)
	r, err = f.rewrite(`{}`)
	require.NoError(t, err)
	require.EqualValues(t, 4, r.Replaced.Files)
	require.EqualValues(t, 1, r.After.Files)
	require.Empty(t, f.removedBy())
}

// Java's incremental expiry deletes the file of an entry of status DELETED without
// looking whether a live one names it too.
func TestNoEntrySaysThatAPuffinFileIsRemovedOfWhichAVectorApplies(t *testing.T) {
	t.Parallel()
	vector := func(puffin, about string, key int) forged {
		return forged{path: puffin, format: iceberg.PuffinFile, content: positions, partition: int32(key), sequence: 6, about: about}
	}
	for _, params := range []string{`{}`, `{"spec-id":0}`} {
		f := newYard(t).forge(3, byKey(0), byKey(1))
		f.manifest(0, forged{path: "a.parquet", partition: int32(1), sequence: 5})
		f.manifest(0, vector("shared.puffin", "a.parquet", 1), vector("shared.puffin", "gone.parquet", 1), vector("shared.puffin", "other.parquet", 1))
		f.manifest(0, vector("over-specs.puffin", "gone.parquet", 1), vector("done.puffin", "gone.parquet", 1), vector("done.puffin", "other.parquet", 1))
		f.manifest(1, vector("over-specs.puffin", "b.parquet", 1))
		f.manifest(1, forged{path: "b.parquet", partition: int32(1), sequence: 5})
		f.open(nil)
		r, err := f.rewrite(params)
		require.NoError(t, err)
		require.EqualValues(t, 5, r.Dropped.Total().Files)
		require.Equal(t, map[string]bool{"a.parquet": true, "b.parquet": true, "shared.puffin": true, "over-specs.puffin": true}, f.filesOf())
		if params == `{}` {
			require.Equal(t, map[string]bool{"done.puffin": true}, f.removedBy())
		} else {
			require.Empty(t, f.removedBy(), "vectors of another spec may be in the same file")
		}
		again, err := f.rewrite(params)
		require.NoError(t, err)
		require.Zero(t, again.Replaced)
	}
}

func TestWhatIsUsedAgainSaysWhichSnapshotRemovesItsFiles(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	f.Ledger.Race = func() {
		f.change(nil, forged{path: "late.parquet", partition: int32(1)})
		f.Ledger.Race = func() { f.change(nil, forged{path: "later.parquet", partition: int32(1)}) }
	}
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.Equal(t, 2, r.Conflicts)
	require.EqualValues(t, 2*r.Written.Files, r.Reused)
	require.Equal(t, map[string]bool{"xp": true}, f.removedBy())
	require.Empty(t, f.outputs())
}

// What was written for a table of v2 has no row ids, and must not be used for one of
// v3: they would be given twice.
func TestWhatWasWrittenBeforeAnUpgradeIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	f := newYard(t).forge(2)
	for n := range 10 {
		f.manifest(0, forged{path: fmt.Sprintf("f%d.parquet", n), partition: int32(n % 3), sequence: int64(n + 1)})
	}
	f.open(nil)
	f.Ledger.Race = func() {
		f.change(nil, forged{path: "late.parquet", partition: int32(1)})
		f.Edit(f.Ledger.Location, func(m object) { m["format-version"], m["next-row-id"] = 3, 0 })
		f.version = 3
	}
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.Equal(t, 1, r.Conflicts)
	require.Zero(t, r.Reused)
	require.Len(t, f.rowIDs(), 11)
	require.EqualValues(t, 110, f.nextRowID())
	require.Empty(t, f.outputs())
}

// A proxy that sends a commit twice hands on the conflict of the second with the
// first.
func TestACommitThatIsAnsweredWithAConflictWithItselfIsTakenForDone(t *testing.T) {
	t.Parallel()
	for _, last := range []bool{false, true} {
		f := aForge(t, 2)
		commits := 0
		f.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
			if op != "commit" {
				return maintenancetest.Fault{}
			}
			commits++
			return maintenancetest.Fault{Err: fmt.Errorf("commit: %w", polaris.ErrConflict), Served: !last || commits == maintenance.MaxCommits}
		}
		r, err := f.rewrite(`{}`)
		require.NoError(t, err)
		require.Equal(t, idText(f.Metadata().CurrentSnapshotID), r.SnapshotID)
		require.Len(t, f.Metadata().Snapshots, 2)
		f.currentContent()
		require.Empty(t, f.outputs())
	}
}

// heldClient loses the first commit, which comes when the second does.
type heldClient struct {
	*maintenancetest.Ledger
	between, before func()
	late            func()
}

func (h *heldClient) Commit(ctx context.Context, id polaris.Identifier, requirements []table.Requirement, updates []table.Update) (*polaris.Loaded, error) {
	if h.late == nil {
		h.late = func() { _, _ = h.Ledger.Commit(ctx, id, requirements, updates) }
		h.between()
		return nil, maintenancetest.ErrUnknown
	}
	h.before()
	h.late()
	return nil, fmt.Errorf("commit: %w", polaris.ErrConflict)
}

// The commit that was not answered takes place after all, once another was planned on
// a table that has been rolled back since: sequence numbers rule it out, in v1 there
// are none. Both are for one snapshot id.
func TestOfTwoCommitsTheOneThatTookPlaceKeepsItsFilesAlone(t *testing.T) {
	t.Parallel()
	f := aForge(t, 1)
	was := f.currentContent()
	handler := f.handler(&heldClient{
		Ledger:  f.Ledger,
		between: func() { f.change([]string{"f4.parquet"}) },
		before:  func() { f.Ledger.Change(maintenancetest.SetRef("main", "branch", forgedSnapshot)) },
	})
	r, err := jobtest.Run[manifests.Receipt](t.Context(), t, handler, jobWith(`{"remove-dangling-deletes":false}`), &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, idText(f.Metadata().CurrentSnapshotID), r.SnapshotID)
	require.Len(t, f.Metadata().Snapshots, 3)
	require.Equal(t, was, f.currentContent())
	require.Empty(t, f.outputs())
	require.Positive(t, r.Cleaned.Files)
}

func TestNothingIsDeletedWhileItIsNotKnownWhetherAConflictWasWithTheCommitItself(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	commits := 0
	f.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
		switch {
		case op == "commit":
			commits++
			return maintenancetest.Fault{Err: fmt.Errorf("commit: %w", polaris.ErrConflict), Served: commits == maintenance.MaxCommits}
		case commits == maintenance.MaxCommits:
			return maintenancetest.Fault{Err: fmt.Errorf("load: %w", polaris.ErrUnavailable)}
		}
		return maintenancetest.Fault{}
	}
	_, err := f.rewrite(`{}`)
	require.ErrorIs(t, err, polaris.ErrConflict)
	require.Len(t, f.Metadata().Snapshots, 2)
	require.NotEmpty(t, f.currentContent())
	require.Empty(t, f.outputs())
}
