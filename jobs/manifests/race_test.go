package manifests_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/jobs"
)

// aForge has ten data manifests of a file each, and two delete manifests.
func aForge(t *testing.T, version int) *forge {
	t.Helper()
	f := newYard(t).forge(version)
	for n := range 10 {
		f.manifest(0, forged{path: fmt.Sprintf("f%d.parquet", n), partition: int32(n % 3), sequence: int64(n + 1)})
	}
	if version > 1 {
		f.manifest(0, forged{path: "p1", content: positions, partition: int32(0), sequence: 9})
		f.manifest(0, forged{path: "p2", content: positions, partition: int32(1), sequence: 9}, forged{path: "xp", content: positions, partition: int32(7), sequence: 9})
	}
	f.open(nil)
	return f
}

var eachVersion = []int{1, 2, 3}

func TestAnAppendThatComesFirstIsKeptAndWhatWasWrittenServesAgain(t *testing.T) {
	t.Parallel()
	for _, version := range eachVersion {
		f := aForge(t, version)
		was := f.currentContent()
		f.Ledger.Race = func() { f.change(nil, forged{path: "late.parquet", partition: int32(1)}) }
		f.Server.ResetCounts()
		r, err := f.rewrite(`{}`)
		require.NoError(t, err)
		require.Equal(t, 1, r.Conflicts)
		require.EqualValues(t, r.Written.Files, r.Reused)
		now := f.currentContent()
		require.Len(t, now.without(was), 1)
		require.Contains(t, now.without(was)[0], "late.parquet")
		for _, dropped := range was.without(now) {
			require.Contains(t, dropped, "data/xp")
		}
		require.Empty(t, f.outputs(), "the list of the first commit is gone")
		require.EqualValues(t, 1, r.Cleaned.Files)
		require.Len(t, f.manifestsOf(current(t, f.Metadata())), int(r.After.Files))
	}
}

func TestADeleteThatComesFirstMakesThePlanAnew(t *testing.T) {
	t.Parallel()
	for _, version := range eachVersion {
		f := aForge(t, version)
		was := f.currentContent()
		f.Ledger.Race = func() { f.change([]string{"f4.parquet"}) }
		r, err := f.rewrite(`{"remove-dangling-deletes":false}`)
		require.NoError(t, err)
		require.Equal(t, 1, r.Conflicts)
		now := f.currentContent()
		require.Empty(t, now.without(was))
		require.Len(t, was.without(now), 1)
		require.Contains(t, was.without(now)[0], "f4.parquet")
		require.Empty(t, f.outputs())
	}
}

// A commit that adds a data file with an old sequence number, as compaction does it,
// may need a delete file that applied to nothing.
func TestDeletesAreLookedAtAgainWhenOldRowsComeBack(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	f.Ledger.Race = func() { f.change(nil, forged{path: "old.parquet", partition: int32(7), sequence: 5}) }
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.Equal(t, 1, r.Conflicts)
	require.Empty(t, r.Dropped)
	require.EqualValues(t, 1, r.Reused, "the data manifest")
	require.True(t, f.filesOf()["xp"])
	require.Empty(t, f.outputs())
}

func TestAnExpiryThatComesFirstIsNoConflict(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	f.change(nil, forged{path: "more.parquet", partition: int32(1)})
	first := int64(forgedSnapshot)
	f.Ledger.Race = func() { f.Ledger.Change(object{"action": "remove-snapshots", "snapshot-ids": []int64{first}}) }
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.Zero(t, r.Conflicts)
	require.Len(t, f.Metadata().Snapshots, 2)
}

func TestARollbackThatComesFirstIsRespected(t *testing.T) {
	t.Parallel()
	f := aForge(t, 3)
	was := f.currentContent()
	f.change(nil, forged{path: "more.parquet", partition: int32(1)})
	f.Ledger.Race = func() { f.Ledger.Change(maintenancetest.SetRef("main", "branch", forgedSnapshot)) }
	_, err := f.rewrite(`{"remove-dangling-deletes":false}`)
	require.NoError(t, err)
	require.Equal(t, was, f.currentContent())
	require.Empty(t, f.outputs())
}

func TestACommitWithoutAnAnswerIsLookedForAndTakesPlaceOnce(t *testing.T) {
	t.Parallel()
	for _, served := range []bool{true, false} {
		f := aForge(t, 2)
		first := true
		f.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
			if op == "commit" && first {
				first = false
				return maintenancetest.Fault{Err: maintenancetest.ErrUnknown, Served: served}
			}
			return maintenancetest.Fault{}
		}
		r, err := f.rewrite(`{}`)
		require.NoError(t, err, served)
		require.Len(t, f.Metadata().Snapshots, 2, served)
		require.Equal(t, idText(f.Metadata().CurrentSnapshotID), r.SnapshotID)
		require.Empty(t, f.outputs(), served)
		require.Zero(t, r.Conflicts)
	}
}

// A commit without an answer is followed by another writer's and a second plan; what
// it names stays, whether or not it comes.
func TestWhatACommitOfUnknownStateNamesStays(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	commits := 0
	f.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
		if op != "commit" {
			return maintenancetest.Fault{}
		}
		if commits++; commits == 1 {
			f.change([]string{"f4.parquet"})
			return maintenancetest.Fault{Err: maintenancetest.ErrUnknown}
		}
		return maintenancetest.Fault{}
	}
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.Equal(t, 2, commits)
	kept := r.Kept["may be needed by a commit of unknown state"]
	require.Positive(t, kept.Counts.Total().Files)
	require.Len(t, f.outputs(), int(kept.Counts.Total().Files))
}

func TestOutputsStayWhileTheStateOfTheLastCommitIsUnknown(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	f.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
		if op == "commit" {
			return maintenancetest.Fault{Err: maintenancetest.ErrUnknown}
		}
		return maintenancetest.Fault{}
	}
	job, progress := jobWith(`{}`), &jobtest.Progress{}
	r, err := f.run(t.Context(), job, progress)
	require.ErrorIs(t, err, polaris.ErrStateUnknown)
	require.False(t, jobs.IsPermanent(err))
	left := f.outputs()
	require.NotEmpty(t, left)
	require.EqualValues(t, len(left), r.Kept["may be needed by a commit of unknown state"].Counts.Total().Files)

	// The next run commits its own; what the first has written is not touched.
	f.Ledger.Fault = nil
	r, err = f.run(t.Context(), job, progress)
	require.NoError(t, err)
	require.Contains(t, strings.Join(r.Notes, "\n"), "orphan removal")
	require.Equal(t, left, f.outputs())

	// The same job again finds its own commit and does nothing.
	location := f.Ledger.Location
	again, err := f.run(t.Context(), job, progress)
	require.NoError(t, err)
	require.Equal(t, r.SnapshotID, again.SnapshotID)
	require.Equal(t, location, f.Ledger.Location)
}

func TestACatalogThatRefusesLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer    error
		permanent bool
	}{{polaris.ErrForbidden, true}, {polaris.ErrRejected, true}, {polaris.ErrConflict, false}, {polaris.ErrUnauthorized, false}} {
		f := aForge(t, 3)
		keys, commits := f.Keys(), 0
		f.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
			if op == "commit" {
				commits++
				return maintenancetest.Fault{Err: fmt.Errorf("commit: %w", test.answer)}
			}
			return maintenancetest.Fault{}
		}
		r, err := f.rewrite(`{}`)
		require.ErrorIs(t, err, test.answer)
		require.Equal(t, test.permanent, jobs.IsPermanent(err))
		require.Equal(t, keys, f.Keys())
		require.Empty(t, r.SnapshotID)
		if errors.Is(test.answer, polaris.ErrConflict) {
			require.Equal(t, maintenance.MaxCommits, commits)
		}
	}
}

func TestATableThatIsGoneIsDone(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 3; n++ {
		f := aForge(t, 2)
		keys := f.Keys()
		f.Ledger.Fault = func(i int, op string) maintenancetest.Fault {
			switch {
			case i >= n && op == "load":
				return maintenancetest.Fault{Err: fmt.Errorf("load: %w", polaris.ErrNotFound)}
			case op == "commit":
				return maintenancetest.Fault{Err: fmt.Errorf("commit: %w", polaris.ErrConflict)}
			}
			return maintenancetest.Fault{}
		}
		r, err := f.rewrite(`{}`)
		require.NoError(t, err)
		require.True(t, r.Gone)
		require.Equal(t, keys, f.Keys())
	}
}

func TestARunThatLostItsLeaseCommitsNothingAndTheNextOneCleansUp(t *testing.T) {
	t.Parallel()
	lost := errors.New("lease lost")
	for saves := range 3 {
		f := aForge(t, 2)
		location, job := f.Ledger.Location, jobWith(`{}`)
		progress := &jobtest.Progress{Fail: lost, FailAfter: saves}
		_, err := f.run(t.Context(), job, progress)
		require.ErrorIs(t, err, lost)
		require.Equal(t, location, f.Ledger.Location)
		require.Empty(t, f.Ledger.Commits)
		_, err = f.run(t.Context(), job, jobtest.After(progress.Checkpoint()))
		require.NoError(t, err)
		require.Empty(t, f.outputs(), saves)
	}
}
