package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/ownership"
	"deckhand/internal/pgtest"
	"deckhand/internal/queue"
	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// purgeWorker runs a worker for purges and purge-files jobs.
func (w *wreck) purgeWorker(t *testing.T, dry bool) (q *queue.Queue, stop func()) {
	t.Helper()
	stores, err := storage.NewStores(storage.Config{Name: "lake", Locations: []string{"s3://warehouse/"}, S3: w.s3.StorageConfig()}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = stores.Close() })
	cfg := purge.Config{DryRun: dry, Catalogs: []purge.Catalog{{Realm: "POLARIS", Name: "lake", Stores: stores, Locations: []string{"s3://warehouse/"}, Policy: purge.Policy{Verify: ownership.Off}}}}
	tables, err := purge.New(cfg)
	require.NoError(t, err)
	files, err := purge.NewFiles(cfg)
	require.NoError(t, err)
	q, stop = runWorker(t, w.js, map[jobs.Kind]jobs.Handler{jobs.Purge: tables, jobs.PurgeFiles: files})
	t.Cleanup(stop)
	return q, stop
}

// work runs a worker until all jobs have ended.
func (w *wreck) work(t *testing.T, dry bool) {
	t.Helper()
	_, stop := w.purgeWorker(t, dry)
	require.Eventually(t, func() bool { return len(w.queued(t)) == 0 }, time.Minute, 20*time.Millisecond)
	stop()
}

func (w *wreck) open(t *testing.T) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), w.js, queue.Config{})
	require.NoError(t, err)
	return q
}

// crowdRows make three jobs, with paths about as long as S3 takes, of characters that
// need six bytes each in a job.
const crowdRows = 90

// newCrowd strands a table without its metadata file whose manifests fill several
// jobs: those of a real table, and many that are gone.
func newCrowd(t *testing.T) (*wreck, *icebergtable.Table) {
	t.Helper()
	w := newWreck(t)
	table := w.strand(t, false)
	id := map[string]any{"namespace": []string{"db"}, "name": "t"}
	for i := range crowdRows {
		path := fmt.Sprintf("%s/metadata/%s/%d.avro", table.Location, strings.Repeat("\x01", 950), i)
		w.task(t, "2", fmt.Sprintf("entityCleanup_4711_%s_%d", path[:60], i), map[string]any{"tableId": id, "manifestFileData": pgtest.ManifestFileData(path)}, table.Location, 2*time.Hour)
	}
	w.drop(t, 4711, "t", table.UUID, table.MetadataLocation, 2*time.Hour)
	return w, table
}

// strand writes a real table and the sub-task rows that the stock executor makes
// for it.
func (w *wreck) strand(t *testing.T, metadata bool) *icebergtable.Table {
	t.Helper()
	table, err := icebergtable.Write(t.Context(), icebergtable.Options{Location: "s3://warehouse/db/t", Files: 12, Snapshots: 4})
	require.NoError(t, err)
	require.NoError(t, table.Objects.Load(w.s3))
	w.s3.Put("warehouse", "db/t2/neighbour", []byte("x"))
	id := map[string]any{"namespace": []string{"db"}, "name": "t"}
	for i, f := range table.Files {
		name := fmt.Sprintf("entityCleanup_4711_%s_%d", f.Path, i)
		switch f.Kind {
		case tabletest.KindMetadata:
			if !metadata {
				w.remove(t, f.Path)
			}
		case tabletest.KindManifest:
			w.task(t, "2", name, map[string]any{"tableId": id, "manifestFileData": pgtest.ManifestFileData(f.Path)}, table.Location, 2*time.Hour)
		case tabletest.KindManifestList:
			w.task(t, "3", name, map[string]any{"tableId": id, "batchFiles": []string{f.Path}}, table.Location, 2*time.Hour)
		default:
		}
	}
	return table
}

func (w *wreck) remove(t *testing.T, location string) {
	t.Helper()
	bucket, key, err := tabletest.SplitS3(location)
	require.NoError(t, err)
	w.s3.Remove(bucket, key)
}

func pathsOf(table *icebergtable.Table, kind tabletest.FileKind) (paths []string) {
	for _, f := range table.Files {
		if f.Kind == kind {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// onlyManifests checks that the queued jobs name no listed file, and how many
// there are.
func (w *wreck) onlyManifests(t *testing.T, count int) {
	t.Helper()
	subjects := w.queued(t)
	require.Len(t, subjects, count)
	for _, subject := range subjects {
		require.NotContains(t, string(queuedJob(t, w.js, subject).Params), `"files"`)
	}
}

// finish adopts the lists of a crowd whose manifests are done.
func (w *wreck) finish(t *testing.T) {
	t.Helper()
	got := w.rescue(t, "--adopt")
	require.Equal(t, 0, got.Code, "%s%s", got.Stdout, got.Stderr)
	require.Empty(t, w.store.TaskIDs(t), got.Stdout)
	subjects := w.queued(t)
	require.Len(t, subjects, 1)
	require.Contains(t, string(queuedJob(t, w.js, subjects[0]).Params), `"files"`)
	w.work(t, false)
	require.Equal(t, []string{"db/t2/neighbour"}, w.s3.Keys("warehouse"))
}

func TestListedFilesWaitUntilTheJobsOfTheirManifestsHaveCompleted(t *testing.T) {
	t.Parallel()
	w, table := newCrowd(t)
	rows := w.store.TaskIDs(t)

	got := w.rescue(t)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, fmt.Sprintf("%d task rows: 0 to adopt, %[1]d kept", len(rows)))
	require.Contains(t, got.Stdout, "do it with --adopt")
	require.Empty(t, w.queued(t))

	adopt := func() {
		got := w.rescue(t, "--adopt")
		require.Equal(t, 0, got.Code, got.Stderr)
		require.Contains(t, got.Stdout, "0 of 3 jobs of its manifests have completed, and the lists that name them must not go before the rest; run rescue again")
		require.Equal(t, rows, w.store.TaskIDs(t))
		w.onlyManifests(t, 3)
	}
	adopt()
	adopt() // they wait

	// One of them runs and hangs at a manifest of the real table.
	hung, release := make(chan struct{}, 100), make(chan struct{})
	manifest := strings.TrimPrefix(pathsOf(table, tabletest.KindManifest)[0], "s3://")
	w.s3.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if op == "GetObject" && strings.HasSuffix(r.URL.Path, manifest) {
			hung <- struct{}{}
			<-release
		}
		return nil
	})
	_, stop := w.purgeWorker(t, false)
	<-hung
	require.Eventually(t, func() bool { return len(w.queued(t)) == 1 }, time.Minute, 20*time.Millisecond)
	got = w.rescue(t, "--adopt")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "2 of 3 jobs of its manifests have completed")
	require.Equal(t, rows, w.store.TaskIDs(t))
	w.onlyManifests(t, 1)

	close(release)
	require.Eventually(t, func() bool { return len(w.queued(t)) == 0 }, time.Minute, 20*time.Millisecond)
	stop()
	for _, list := range pathsOf(table, tabletest.KindManifestList) {
		require.Contains(t, w.s3.Locations(), list)
	}
	w.finish(t)
}

func TestADeadJobOfAManifestKeepsTheListsAndIsSaid(t *testing.T) {
	t.Parallel()
	w, table := newCrowd(t)
	rows := w.store.TaskIDs(t)
	require.Equal(t, 0, w.rescue(t, "--adopt").Code)
	manifest := strings.TrimPrefix(pathsOf(table, tabletest.KindManifest)[0], "s3://")
	w.s3.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if op == "GetObject" && strings.HasSuffix(r.URL.Path, manifest) {
			return &s3test.Fault{Status: 403, Code: "AccessDenied"}
		}
		return nil
	})
	w.work(t, false)
	w.s3.Fault(nil)

	got := w.rescue(t, "--adopt", "--again")
	require.Equal(t, 3, got.Code, "a letter is requeued, so that the job keeps its place")
	require.Regexp(t, `kept  db\.t  realm POLARIS, \d+ rows: "?the job jobs\.purge-files\.\S+ is dead: .+; mend it, "worker dead requeue purge-files\.\S+"`, got.Stdout)
	require.Equal(t, 1, strings.Count(got.Stdout, "is dead"))
	require.Equal(t, rows, w.store.TaskIDs(t))
	require.Empty(t, w.queued(t))

	for letter, err := range w.open(t).DeadLetters(t.Context(), "") {
		require.NoError(t, err)
		_, err = w.open(t).Requeue(t.Context(), letter.Subject)
		require.NoError(t, err)
	}
	w.work(t, false)
	w.finish(t)
}

func TestAJobThatIsOverAndHasDeletedNothingKeepsTheListsUntilItIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for want, end := range map[string]func(t *testing.T, w *wreck){
		"canceled: ": func(t *testing.T, w *wreck) {
			require.NoError(t, w.open(t).Cancel(t.Context(), w.queued(t)[0], "ann"))
			w.work(t, false)
		},
		"completed as a dry run": func(t *testing.T, w *wreck) { w.work(t, true) },
		"dead: ": func(t *testing.T, w *wreck) {
			w.s3.Fault(func(int64, string, *http.Request) *s3test.Fault {
				return &s3test.Fault{Status: 403, Code: "AccessDenied"}
			})
			w.work(t, false)
			w.s3.Fault(nil)
			for letter, err := range w.open(t).DeadLetters(t.Context(), "") {
				require.NoError(t, err)
				require.NoError(t, w.open(t).Drop(t.Context(), letter.Subject))
			}
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w, _ := newCrowd(t)
			rows := w.store.TaskIDs(t)
			require.Equal(t, 0, w.rescue(t, "--adopt").Code)
			end(t, w)

			got := w.rescue(t, "--adopt")
			require.Equal(t, 3, got.Code, got.Stdout)
			require.Regexp(t, `kept  db\.t  realm POLARIS, \d+ rows: "?the job jobs\.purge-files\.\S+ is `+want, got.Stdout)
			require.Contains(t, got.Stdout, "run rescue with --again to queue it once more, or delete the rows")
			require.Equal(t, rows, w.store.TaskIDs(t))
			require.Empty(t, w.queued(t))

			got = w.rescue(t, "--adopt", "--again")
			require.Equal(t, 0, got.Code, got.Stdout)
			require.NotEmpty(t, w.queued(t))
			w.onlyManifests(t, len(w.queued(t)))
			w.work(t, false)
			w.finish(t)
		})
	}
}

// A result is kept for 30 days. The job is harmless to repeat, and its end is then
// known.
func TestAJobOfWhichNothingIsKnownAnyMoreIsQueuedOnceMoreAndTheListsWait(t *testing.T) {
	t.Parallel()
	w, _ := newCrowd(t)
	rows := w.store.TaskIDs(t)
	require.Equal(t, 0, w.rescue(t, "--adopt").Code)
	before := w.queued(t)
	w.work(t, false)
	results, err := w.js.Stream(t.Context(), "RESULTS")
	require.NoError(t, err)
	require.NoError(t, results.Purge(t.Context(), jetstream.WithPurgeSubject(jobs.ResultSubjectPrefix+strings.TrimPrefix(before[1], jobs.SubjectPrefix))))

	got := w.rescue(t, "--adopt")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "2 of 3 jobs of its manifests have completed")
	require.Equal(t, before[1:2], w.queued(t))
	require.Equal(t, rows, w.store.TaskIDs(t))
	w.work(t, false)
	w.finish(t)
}
