package purge_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// torn is a table with all that makes sums and levels hard: files of two shards,
// deleted entries, an absent manifest, a manifest that another one names as data.
func torn(y *yard) (h tabletest.HandmadeTable, full *s3test.Snapshot, want *purge.Receipt, left []string) {
	y.t.Helper()
	h = numbered(4, 2)
	h.Metadata = map[string]any{
		"statistics":   []any{map[string]any{"statistics-path": home + "/metadata/s.puffin", "file-size-in-bytes": 7}},
		"metadata-log": []any{map[string]any{"metadata-file": home + "/metadata/8.metadata.json"}},
	}
	h.Manifests[1].Entries = append(h.Manifests[1].Entries,
		tabletest.HandmadeEntry{Path: home + "/data/2-0", Size: 100}, tabletest.HandmadeEntry{Status: 2, Path: home + "/data/0-1", Size: 100},
		entry(h.Manifests[2].Path))
	y.lay(h)
	y.server.Put("warehouse", "db/t/metadata/s.puffin", []byte("1234567"))
	y.server.Put("warehouse", "db/t/metadata/8.metadata.json", []byte("{}"))
	y.remove(h.Manifests[3].Path)
	full = y.server.Snapshot()
	want, err := run(y.t, y.tables(purge.Policy{}), jobFor(tabletest.HandmadeUUID, h.Root), &jobtest.Progress{})
	require.NoError(y.t, err)
	return h, full, want, y.keys()
}

// mustEnd lets the rest of a purge run that was cut off.
func (l *line) mustEnd(job *jobs.Job, want *purge.Receipt, left []string, message string) {
	l.t.Helper()
	l.drain()
	require.Empty(l.t, l.dead, message)
	require.Empty(l.t, l.waiting(), message)
	require.Equal(l.t, left, l.keys(), message)
	got, result := l.ended(job)
	require.NotNil(l.t, got, message)
	require.Equal(l.t, job.ID, result.JobID, message)
	require.Equal(l.t, want.Deleted, got.Deleted, message)
	require.Equal(l.t, want.Absent.Clone(), got.Absent.Clone(), message)
	require.False(l.t, got.AtMost, message)
	require.Equal(l.t, 1, l.count(jobs.PurgeFinish), message)
	plan, _, err := l.q.Shards().Plan(l.t.Context(), job)
	require.NoError(l.t, err)
	require.Nil(l.t, plan, "%s: the plan is forgotten with the end", message)
}

func TestAPurgeInShardsCutOffAtAnyStepOfTheQueueEndsTheSame(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h, full, want, left := torn(y)
	l := newLine(y, purge.Policy{}, 1)
	job := numberedJob(tabletest.HandmadeUUID, h.Root, 0)
	y.server.Restore(full)
	l.submit(job)
	l.drain()
	steps := l.steps
	require.Greater(t, steps, 20)
	l.mustEnd(job, want, left, "not cut off")
	for n := 1; n <= steps; n++ {
		for _, taken := range []bool{false, true} {
			y.server.Restore(full)
			l.reset()
			l.cut, l.taken = n, taken
			job := numberedJob(tabletest.HandmadeUUID, h.Root, 2*n+boolInt(taken))
			l.submit(job)
			require.ErrorIs(t, l.drainUntilCut(), errKilled, "step %d", n)
			l.mustEnd(job, want, left, name("step", n, taken))
		}
	}
}

func TestAPurgeInShardsCutOffAtAnyRequestOfStorageEndsTheSame(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h, full, want, left := torn(y)
	l := newLine(y, purge.Policy{}, 1)
	job := numberedJob(tabletest.HandmadeUUID, h.Root, 0)
	y.server.Restore(full)
	y.server.ResetCounts()
	l.submit(job)
	l.drain()
	requests := int(y.server.Total())
	require.Greater(t, requests, 20)
	for n := 1; n <= requests; n++ {
		taken := n%2 == 0
		y.server.Restore(full)
		l.reset()
		job := numberedJob(tabletest.HandmadeUUID, h.Root, n)
		l.submit(job)
		y.server.Fault(s3test.CutOff(int64(n), taken, func() { l.kill(errKilled) }))
		err := l.drainUntilCut()
		y.server.Fault(nil)
		if n < requests { // a listing that fails keeps nobody from ending
			require.ErrorIs(t, err, errKilled, name("request", n, taken))
		}
		l.mustEnd(job, want, left, name("request", n, taken))
	}
}

func TestAPurgeInShardsCutOffAgainAndAgainStillEnds(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h, full, want, left := torn(y)
	l := newLine(y, purge.Policy{}, 1)
	y.server.Restore(full)
	job := numberedJob(tabletest.HandmadeUUID, h.Root, 0)
	l.submit(job)
	for n := 1; ; n++ {
		require.Less(t, n, 500, "the purge makes no progress")
		l.steps, l.cut, l.taken = 0, 1+n%3, n%2 == 0
		if err := l.drainUntilCut(); err == nil {
			break
		}
	}
	l.steps, l.cut = 0, 0
	require.Empty(t, l.dead)
	require.Equal(t, left, y.keys())
	got, _ := l.ended(job)
	require.NotNil(t, got)
	require.Equal(t, want.Deleted, got.Deleted)
}
