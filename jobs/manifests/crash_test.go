package manifests_test

import (
	"context"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/tabletest"
)

// ownOutput is what the names of the job's outputs look like.
var ownOutput = regexp.MustCompile(`/metadata/([0-9a-f-]{36}-m\d+|snap-\d+-\d+-[0-9a-f-]{36})\.avro$`)

// endsTheSame cuts a rewriting off at each request, resumes it, as the same job and
// as another one without a checkpoint, and compares with a whole run.
func endsTheSame(t *testing.T, y *yard, name string) {
	t.Helper()
	location, full := y.Ledger.Location, y.Server.Snapshot()
	y.Ledger.Requests = 0
	whole, err := y.rewrite(`{}`)
	require.NoError(t, err, name)
	require.Positive(t, whole.Written.Files, name)
	want := y.contentOf(current(t, y.Metadata()))
	left := 0
	for _, c := range y.Cuts(whole.Requests) {
		for _, same := range []bool{true, false} {
			y.Server.Restore(full)
			y.Open(location)
			y.Ledger.Requests = 0
			keys := y.Keys()
			job, progress := jobWith(`{}`), &jobtest.Progress{}
			_ = y.CutOff(c, func(ctx context.Context) error {
				_, err := y.run(ctx, job, progress)
				return err
			})
			if !same {
				job, progress = jobWith(`{}`), &jobtest.Progress{}
			}
			r, err := y.run(t.Context(), job, progress)
			require.NoError(t, err, "%s: %s", name, c)
			require.Equal(t, want, y.contentOf(current(t, y.Metadata())), "%s: %s", name, c)
			require.Len(t, y.manifestsOf(current(t, y.Metadata())), int(whole.After.Files), "%s: %s", name, c)
			require.Empty(t, y.Missing(keys), "%s: %s", name, c)
			snapshots := 0
			for _, s := range y.Metadata().Snapshots {
				if s.Operation == "replace" && s.Summary["engine-name"] == "deckhand" {
					snapshots++
				}
			}
			require.Equal(t, 1, snapshots, "%s: %s, same %t", name, c, same)
			outputs := slices.DeleteFunc(y.outputs(), func(key string) bool { return slices.Contains(keys, key) })
			left = max(left, len(outputs))
			for _, path := range outputs {
				require.Regexp(t, ownOutput, path)
			}
			if same {
				require.Equal(t, whole.Written.Files, r.Written.Files, "%s: %s", name, c)
				require.Equal(t, whole.Replaced.Files, r.Replaced.Files, "%s: %s", name, c)
				require.Equal(t, whole.Entries, r.Entries, "%s: %s", name, c)
			}
		}
	}
	require.LessOrEqual(t, left, int(whole.Written.Files)+1, "the outputs of one run, and its list")
}

func TestARewritingCutOffAtAnyRequestEndsTheSame(t *testing.T) {
	t.Parallel()
	endsTheSame(t, aForge(t, 2).yard, "forged")
}

func TestZooTablesCutOffAtAnyRequestEndTheSame(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.Server)
	full := y.Server.Snapshot()
	for _, name := range []string{"v1_plain", "v3_dv_shared"} {
		y.Server.Restore(full)
		y.Open(zoo.Table(t, name).MetadataLocation)
		endsTheSame(t, y, name)
	}
}

// Before a commit was sent, what a run has written is deleted by the next one.
func TestWhatACutOffRunHasWrittenIsDeletedByTheNext(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	location, full := f.Ledger.Location, f.Server.Snapshot()
	whole, err := f.rewrite(`{}`)
	require.NoError(t, err)
	cleaned := 0
	for _, c := range f.Cuts(whole.Requests) {
		if c.Catalog {
			continue
		}
		f.Server.Restore(full)
		f.Open(location)
		job, progress := jobWith(`{}`), &jobtest.Progress{}
		_ = f.CutOff(c, func(ctx context.Context) error {
			_, err := f.run(ctx, job, progress)
			return err
		})
		if f.Metadata().CurrentSnapshotID != forgedSnapshot {
			continue
		}
		if len(f.outputs()) > 0 {
			cleaned++
		}
		_, err := f.run(t.Context(), job, progress)
		require.NoError(t, err)
		require.Empty(t, f.outputs(), c)
	}
	require.Positive(t, cleaned)
}

func TestARewritingCutOffAgainAndAgainStillEnds(t *testing.T) {
	t.Parallel()
	f := aForge(t, 3)
	job, progress := jobWith(`{}`), &jobtest.Progress{}
	for n := 1; ; n++ {
		require.Less(t, n, 1000, "the rewriting makes no progress")
		cut := maintenancetest.Cut{N: n, Served: n%2 == 0}
		if f.CutOff(cut, func(ctx context.Context) error {
			_, err := f.run(ctx, job, progress)
			return err
		}) == nil {
			break
		}
	}
	require.Len(t, f.Metadata().Snapshots, 2)
}
