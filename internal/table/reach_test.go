package table

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
)

// shown collects what a table reaches, by the one spelling of each path.
type shown struct {
	mu    sync.Mutex
	kinds map[string]map[ReachedKind]int
	sizes map[string]int64
}

func newShown() *shown {
	return &shown{kinds: map[string]map[ReachedKind]int{}, sizes: map[string]int64{}}
}

func (s *shown) show(f Reached) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := Identity(f.Path)
	if s.kinds[id] == nil {
		s.kinds[id] = map[ReachedKind]int{}
	}
	s.kinds[id][f.Kind]++
	if f.Size >= 0 {
		s.sizes[id] = f.Size
	}
	return nil
}

func (s *shown) paths(kind ReachedKind) []string {
	var paths []string
	for path, kinds := range s.kinds {
		if kinds[kind] > 0 {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// counted counts how often each object is opened.
type counted struct {
	Opener
	mu     sync.Mutex
	opened map[string]int
}

func (c *counted) Open(ctx context.Context, l storage.Location) (io.ReadCloser, storage.Info, error) {
	c.mu.Lock()
	c.opened[l.String()]++
	c.mu.Unlock()
	return c.Opener.Open(ctx, l)
}

var zooKinds = map[tabletest.FileKind]ReachedKind{
	tabletest.KindMetadata: ReachedMetadata, tabletest.KindManifestList: ReachedList, tabletest.KindManifest: ReachedManifest,
	tabletest.KindData: ReachedData, tabletest.KindPositionDeletes: ReachedPositionDeletes,
	tabletest.KindEqualityDeletes: ReachedEqualityDeletes, tabletest.KindDV: ReachedDV,
	tabletest.KindStatistics: ReachedStatistics, tabletest.KindPartitionStatistics: ReachedPartitionStatistics,
}

func zooObjects(t *testing.T) (zoo *tabletest.Zoo, objects map[string][]byte) {
	zoo, objects = tabletest.LoadZoo(t), map[string][]byte{}
	for name, data := range zoo.Objects() {
		objects["s3://"+name] = data
	}
	return zoo, objects
}

func TestEveryTableOfTheZooReachesWhatItsEnginesSay(t *testing.T) {
	t.Parallel()
	zoo, objects := zooObjects(t)
	for _, of := range zoo.Tables {
		t.Run(of.Name, func(t *testing.T) {
			t.Parallel()
			from := &counted{Opener: shelf{objects: objects}, opened: map[string]int{}}
			m := loadAt(t, from, of.MetadataLocation)
			found := newShown()
			require.NoError(t, NewReach(from, ReachConfig{}).Files(t.Context(), m, of.MetadataLocation, found.show))

			byKind := map[ReachedKind][]string{}
			for _, f := range of.Files {
				byKind[zooKinds[f.Kind]] = append(byKind[zooKinds[f.Kind]], Identity(f.Path))
			}
			data := map[string]bool{}
			for _, kind := range slices.Sorted(maps.Values(zooKinds)) {
				slices.Sort(byKind[kind])
				require.Equal(t, byKind[kind], found.paths(kind), kind)
			}
			for _, path := range byKind[ReachedData] {
				data[path] = true
			}
			for _, path := range found.paths(ReachedReferenced) {
				require.True(t, data[path], "%s is referenced", path)
			}
			require.Equal(t, of.Count(tabletest.KindDV) > 0, len(found.paths(ReachedReferenced)) > 0 && len(found.paths(ReachedDV)) > 0)
			for path, n := range from.opened {
				require.Equal(t, 1, n, "%s was read again", path)
			}

			// Nothing is left of a listing but what the zoo knows as unreferenced.
			var left []string
			for path := range objects {
				if inside(t, path, of.Locations) && found.kinds[path] == nil {
					left = append(left, path)
				}
			}
			require.ElementsMatch(t, of.Unreferenced, left)
			for path, size := range found.sizes {
				if stored, there := objects[path]; there {
					require.EqualValues(t, len(stored), size, path)
				}
			}
		})
	}
}

func loadAt(t *testing.T, from Opener, path string) *Metadata {
	t.Helper()
	root, err := storage.Parse(path)
	require.NoError(t, err)
	m, err := Load(t.Context(), from, root)
	require.NoError(t, err)
	return m
}

func inside(t *testing.T, path string, folders []string) bool {
	t.Helper()
	l, err := storage.Parse(path)
	require.NoError(t, err)
	return slices.ContainsFunc(folders, func(folder string) bool {
		f, err := storage.Parse(folder)
		require.NoError(t, err)
		return l.Within(f)
	})
}

func TestWhatTheMetadataFileNamesItselfIsReached(t *testing.T) {
	t.Parallel()
	const root = "s3a://meta/t/v3.metadata.json"
	m := &Metadata{
		Location: "s3://w/t/", Properties: map[string]string{"write.metadata.path": "s3://next/t"}, Size: 7,
		MetadataLog:         []string{"s3://meta/t/v1.metadata.json", "weird"},
		Statistics:          []StatisticsFile{{SnapshotID: 99, Path: "s3://w/t/s.puffin", Size: 3}}, // of a snapshot that is gone
		PartitionStatistics: []StatisticsFile{{Path: "s3://w/t/p.parquet", Size: 4}},
	}
	found := newShown()
	require.NoError(t, NewReach(shelf{}, ReachConfig{}).Files(t.Context(), m, root, found.show))
	require.Equal(t, []string{"s3://meta/t/v1.metadata.json", "s3://meta/t/v3.metadata.json", "weird"}, found.paths(ReachedMetadata))
	require.Equal(t, []string{
		"s3://meta/t/version-hint.text", "s3://next/t/version-hint.text", "s3://w/t/metadata/version-hint.text",
	}, found.paths(ReachedVersionHint))
	require.Equal(t, []string{"s3://w/t/s.puffin"}, found.paths(ReachedStatistics))
	require.Equal(t, []string{"s3://w/t/p.parquet"}, found.paths(ReachedPartitionStatistics))
	require.EqualValues(t, 7, found.sizes["s3://meta/t/v3.metadata.json"])
	require.Len(t, found.kinds, 8)
}

// threeSnapshots share a manifest, which they spell differently; the last names one
// inline as early v1 tables do.
func threeSnapshots() tabletest.HandmadeTable {
	entry := func(status int64, path string) tabletest.HandmadeEntry {
		return tabletest.HandmadeEntry{Status: status, Path: path, Size: 1}
	}
	return tabletest.HandmadeTable{
		Location: "s3://w/t", Root: "s3://w/t/metadata/v.metadata.json",
		Manifests: []tabletest.HandmadeManifest{
			{Path: "s3://w/t/metadata/a.avro", Entries: []tabletest.HandmadeEntry{entry(1, "s3a://w/t/data/1"), entry(2, "s3://w/t/data/gone")}},
			{Path: "s3://w/t/metadata/b.avro", Entries: []tabletest.HandmadeEntry{entry(0, "s3://w/t/data/1"), entry(1, "s3n://w/t/data/2"), entry(1, "hdfs://n/3")}},
			{Path: "s3://w/t/metadata/inline.avro", Entries: []tabletest.HandmadeEntry{entry(1, "/w/4")}},
		},
		Lists: []tabletest.HandmadeList{
			{Path: "s3://w/t/metadata/l1.avro", Manifests: []string{"s3://w/t/metadata/a.avro"}},
			{Path: "s3a://w/t/metadata/l2.avro", Manifests: []string{"s3n://w/t/metadata/a.avro", "s3://w/t/metadata/b.avro"}},
		},
		Metadata: map[string]any{"snapshots": []map[string]any{
			{"snapshot-id": 1, "manifest-list": "s3://w/t/metadata/l1.avro"},
			{"snapshot-id": 2, "manifest-list": "s3a://w/t/metadata/l2.avro"},
			{"snapshot-id": 3, "manifests": []string{"s3a://w/t/metadata/inline.avro"}},
		}},
	}
}

// stored keeps objects by the one spelling of their location.
func stored(h tabletest.HandmadeTable) map[string][]byte {
	objects := map[string][]byte{}
	for path, data := range h.Objects() {
		objects[Identity(path)] = data
	}
	return objects
}

func TestLiveEntriesOfEverySnapshotAreReachedByEverySpelling(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	from := &counted{Opener: shelf{objects: stored(h)}, opened: map[string]int{}}
	found := newShown()
	m := loadAt(t, from, h.Root)
	require.NoError(t, NewReach(from, ReachConfig{Lists: 1, Manifests: 1}).Files(t.Context(), m, h.Root, found.show))
	require.Equal(t, []string{"file:///w/4", "hdfs://n/3", "s3://w/t/data/1", "s3://w/t/data/2"}, found.paths(ReachedData))
	require.Equal(t, []string{"s3://w/t/metadata/a.avro", "s3://w/t/metadata/b.avro", "s3://w/t/metadata/inline.avro"}, found.paths(ReachedManifest))
	require.Equal(t, []string{"s3://w/t/metadata/l1.avro", "s3://w/t/metadata/l2.avro"}, found.paths(ReachedList))
	require.Equal(t, 1, from.opened["s3://w/t/metadata/a.avro"])
}

func TestATableThatWasReadBeforeCostsOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	from := &counted{Opener: shelf{objects: stored(h)}, opened: map[string]int{}}
	newer := loadAt(t, from, h.Root)
	older := *newer
	older.Snapshots = newer.Snapshots[:1]
	reach := NewReach(from, ReachConfig{})
	require.NoError(t, reach.Files(t.Context(), &older, "s3://w/t/metadata/v0.metadata.json", newShown().show))

	found := newShown()
	require.NoError(t, reach.Files(t.Context(), newer, h.Root, found.show))
	require.Equal(t, map[string]int{
		h.Root: 1, "s3://w/t/metadata/l1.avro": 1, "s3://w/t/metadata/l2.avro": 1,
		"s3://w/t/metadata/a.avro": 1, "s3://w/t/metadata/b.avro": 1, "s3://w/t/metadata/inline.avro": 1,
	}, from.opened)
	require.Equal(t, []string{"s3://w/t/metadata/v.metadata.json"}, found.paths(ReachedMetadata))
	require.Contains(t, found.paths(ReachedData), "s3://w/t/data/2", "of the new manifest")
}

func TestAListOrManifestThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	damages := map[string]func(objects map[string][]byte, path string){
		"absent":   func(objects map[string][]byte, path string) { delete(objects, path) },
		"cut":      func(objects map[string][]byte, path string) { objects[path] = tabletest.Truncate(60)(objects[path]) },
		"broken":   func(objects map[string][]byte, path string) { objects[path] = tabletest.BreakSync(objects[path]) },
		"not Avro": func(objects map[string][]byte, path string) { objects[path] = tabletest.NotAvro(nil) },
		"empty":    func(objects map[string][]byte, path string) { objects[path] = nil },
	}
	for kind, paths := range map[ReachedKind][]string{
		ReachedList:     {"s3://w/t/metadata/l1.avro", "s3://w/t/metadata/l2.avro"},
		ReachedManifest: {"s3://w/t/metadata/a.avro", "s3://w/t/metadata/b.avro", "s3://w/t/metadata/inline.avro"},
	} {
		for _, path := range paths {
			for name, damage := range damages {
				h := threeSnapshots()
				objects := stored(h)
				damage(objects, path)
				err := NewReach(shelf{objects: objects}, ReachConfig{}).Files(t.Context(),
					loadAt(t, shelf{objects: objects}, h.Root), h.Root, newShown().show)
				var unread *UnreadError
				require.ErrorAs(t, err, &unread, "%s %s", name, path)
				require.Equal(t, path, Identity(unread.Path), name)
				require.Equal(t, kind, unread.Kind)
				require.Equal(t, name == "absent", unread.State == Absent)
				require.Equal(t, name != "absent", unread.State == Unreadable)
				require.ErrorContains(t, err, kind.String()+" "+unread.Path)
			}
		}
	}
}

func TestAnEncryptedManifestStopsTheReaching(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	h.Lists[0].Encrypted = true
	from := shelf{objects: stored(h)}
	err := NewReach(from, ReachConfig{}).Files(t.Context(), loadAt(t, from, h.Root), h.Root, newShown().show)
	require.ErrorIs(t, err, ErrEncrypted)
	require.ErrorContains(t, err, h.Lists[0].Path)
}

func TestAStoreThatFailsCondemnsNoFileAndTheReachingMayBeRepeated(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	from := &flaky{Opener: shelf{objects: stored(h)}}
	m := loadAt(t, from, h.Root)
	reach := NewReach(from, ReachConfig{Lists: 1, Manifests: 1})
	for _, path := range []string{"s3://w/t/metadata/l2.avro", "s3://w/t/metadata/b.avro"} {
		from.fails = path
		err := reach.Files(t.Context(), m, h.Root, newShown().show)
		require.ErrorIs(t, err, errReset)
		require.ErrorContains(t, err, strings.TrimPrefix(path, "s3"))
		var unread *UnreadError
		require.False(t, errors.As(err, &unread))
	}
	from.fails = ""
	found := newShown()
	require.NoError(t, reach.Files(t.Context(), m, h.Root, found.show))
	require.Contains(t, found.paths(ReachedData), "s3://w/t/data/2")
}

var errReset = errors.New("connection reset")

// flaky fails to open one object.
type flaky struct {
	Opener
	fails string
}

func (f *flaky) Open(ctx context.Context, l storage.Location) (io.ReadCloser, storage.Info, error) {
	if l.String() == f.fails {
		return nil, storage.Info{}, errReset
	}
	return f.Opener.Open(ctx, l)
}

func TestAnErrorOfWhoIsShownTheFilesIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	from := shelf{objects: stored(h)}
	m := loadAt(t, from, h.Root)
	stop := errors.New("stop")
	for _, kind := range []ReachedKind{ReachedMetadata, ReachedVersionHint, ReachedList, ReachedManifest, ReachedData} {
		reach := NewReach(from, ReachConfig{})
		err := reach.Files(t.Context(), m, h.Root, func(f Reached) error {
			if f.Kind == kind {
				return stop
			}
			return nil
		})
		require.Equal(t, stop, err, kind)
		// What was not shown to its end comes again.
		found := newShown()
		require.NoError(t, reach.Files(t.Context(), m, h.Root, found.show))
		require.Len(t, found.paths(ReachedData), 4)
	}
}

func TestReachingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	from := shelf{objects: stored(h)}
	m := loadAt(t, from, h.Root)
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("the lease is lost")
	err := NewReach(from, ReachConfig{Manifests: 1}).Files(ctx, m, h.Root, func(f Reached) error {
		if f.Kind == ReachedManifest {
			cancel(lost)
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
}

func TestANewerFormatIsRefusedWithTheNameOfItsFile(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	objects := stored(h)
	var raw map[string]any
	require.NoError(t, json.Unmarshal(objects[h.Root], &raw))
	raw["format-version"] = MaxFormatVersion + 1
	objects[h.Root], _ = json.Marshal(raw)
	root, err := storage.Parse(h.Root)
	require.NoError(t, err)
	_, err = Load(t.Context(), shelf{objects: objects}, root)
	require.ErrorIs(t, err, ErrNewerFormat)
	require.ErrorContains(t, err, h.Root)
}
