package purge_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/receipt"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs/purge"
)

// versioned makes the yard's bucket keep versions.
func (y *yard) versioned() *yard {
	y.server.SetVersioning("warehouse", true)
	return y
}

// versionsOf are the keys of the versions in the bucket, with a "!" for each marker.
func (y *yard) versionsOf() []string {
	found := []string{}
	for _, v := range y.server.Versions("warehouse") {
		location := "s3://warehouse/" + v.Key
		if v.Marker {
			location += "!"
		}
		found = append(found, location)
	}
	slices.Sort(found)
	return found
}

func printed(t *testing.T, done *purge.Receipt) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, done.WriteText(&text))
	return text.String()
}

func TestAPurgeSaysWhatABucketWithVersionsMakesOfItsDeletes(t *testing.T) {
	t.Parallel()
	y := newYard(t).versioned()
	h := numbered(4, 5)
	y.lay(h)
	before := len(y.versionsOf())
	done, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.NoError(t, err)
	total := done.Deleted.Total()
	require.Equal(t, &receipt.Versions{Buckets: map[string]string{"warehouse": "enabled"}, Hidden: &total}, done.Versions)
	require.Len(t, y.versionsOf(), before+int(total.Files), "each delete made a marker")
	require.Contains(t, printed(t, done), "stay billed: the deletes only made markers")
	require.EqualValues(t, 1, done.Requests.ByOperation["GetBucketVersioning"])
}

func TestAPurgeOfABucketThatKeepsNothingAsksOnceAndSaysNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(4, 5)
	y.lay(h)
	for _, versions := range []purge.Versions{purge.VersionsKeep, purge.VersionsDelete} {
		y.lay(h)
		y.server.ResetCounts()
		done, err := y.purge(purge.Policy{Versions: versions}, h, &jobtest.Progress{})
		require.NoError(t, err)
		require.Nil(t, done.Versions)
		require.NotContains(t, printed(t, done), "versions")
		require.LessOrEqual(t, y.server.Counts()["GetBucketVersioning"], int64(1))
		require.Zero(t, y.server.Counts()["ListObjectVersions"])
	}
}

func TestAPurgeThatMayNotAskSaysThatItIsUnknown(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(2, 2)
	y.lay(h)
	y.server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "GetBucketVersioning" {
			return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	})
	done, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"warehouse": "unknown"}, done.Versions.Buckets)
	require.True(t, done.Versions.AtMost)
	require.Contains(t, done.Versions.Unknown, "grant s3:GetBucketVersioning")
	require.Contains(t, printed(t, done), "at most")
}

func TestADryRunSaysWhatItsDeletesWouldMake(t *testing.T) {
	t.Parallel()
	y := newYard(t).versioned()
	h := numbered(2, 2)
	y.lay(h)
	job := jobFor(tabletest.HandmadeUUID, h.Root)
	job.DryRun = true
	done, err := run(t, y.tables(purge.Policy{Versions: purge.VersionsKeep}), job, &jobtest.Progress{})
	require.NoError(t, err)
	require.NotNil(t, done.Versions.Hidden)
	require.Contains(t, printed(t, done), "would make markers")
}

func TestAPurgeThatDeletesVersionsLeavesNoneOfItsTable(t *testing.T) {
	t.Parallel()
	y := newYard(t).versioned()
	h := numbered(4, 5)
	y.lay(h)
	// Some are there twice, some were deleted before: a manifest among them.
	y.lay(h)
	for _, path := range []string{h.Manifests[3].Path, h.Manifests[0].Entries[0].Path, h.Manifests[3].Entries[1].Path} {
		y.remove(path)
	}
	neighbours := len(y.versionsOf())
	done, err := y.purge(purge.Policy{Versions: purge.VersionsDelete}, h, &jobtest.Progress{})
	require.NoError(t, err)
	for _, left := range y.versionsOf() {
		inTable := len(left) > len(home) && left[:len(home)+1] == home+"/"
		hiddenEntry := slices.ContainsFunc(h.Manifests[3].Entries, func(e tabletest.HandmadeEntry) bool { return e.Path == left || e.Path+"!" == left })
		require.True(t, !inTable || hiddenEntry, "%s: only what the absent manifest named may be left", left)
	}
	require.Less(t, len(y.versionsOf()), neighbours)
	require.Nil(t, done.Versions.Hidden)
	require.Equal(t, int64(2), done.Versions.Markers, "of the manifest and of a file; the other file's manifest could not be read")
	require.Contains(t, printed(t, done), "by their ids")
	require.EqualValues(t, 3, done.Deleted[purge.Manifests].Files)
	require.EqualValues(t, 1, done.Absent[purge.Manifests].Files)
}

func TestAPurgeOfVersionsThatWasCutOffAnywhereEndsTheSame(t *testing.T) {
	t.Parallel()
	for n := int64(1); ; n += 3 {
		y := newYard(t).versioned()
		h := numbered(3, 4)
		neighbours := y.lay(h)
		y.lay(h)
		handler := y.tables(purge.Policy{Versions: purge.VersionsDelete})
		progress := &jobtest.Progress{}
		ctx, cancel := context.WithCancel(t.Context())
		cut := false
		y.server.Fault(s3test.CutOff(n, n%2 == 0, func() { cut = true; cancel() }))
		_, err := runContext(ctx, t, handler, jobFor(tabletest.HandmadeUUID, h.Root), progress)
		cancel()
		y.server.Fault(nil)
		if !cut {
			require.NoError(t, err)
			require.Greater(t, n, int64(10))
			return
		}
		_, err = run(t, handler, jobFor(tabletest.HandmadeUUID, h.Root), progress)
		require.NoError(t, err, "cut off at request %d", n)
		var left []string
		for _, location := range y.versionsOf() {
			if !slices.Contains(left, location) {
				left = append(left, location)
			}
		}
		require.Equal(t, slices.DeleteFunc(neighbours, func(l string) bool { return l[:len("s3://warehouse")] != "s3://warehouse" }), left, "cut off at request %d", n)
	}
}

func TestTheBucketIsAskedForVersionsWhileItIsListed(t *testing.T) {
	t.Parallel()
	y := newYard(t).versioned()
	h := numbered(1, 1)
	y.lay(h)
	asked := make(chan struct{})
	together := make(chan bool, 1)
	y.server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		switch op {
		case "GetBucketVersioning":
			close(asked)
		case "ListObjectsV2":
			select {
			case <-asked:
				together <- true
			case <-time.After(10 * time.Second):
				together <- false
			case <-r.Context().Done():
			}
		}
		return nil
	})
	done, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.NoError(t, err)
	require.True(t, <-together)
	require.Equal(t, "enabled", done.Versions.Buckets["warehouse"])
	require.Equal(t, done.Deleted.Total(), *done.Versions.Hidden)
}
