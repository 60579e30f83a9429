package table

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/manifest"
	"deckhand/internal/tabletest"
)

func paths(manifests []*Manifest) []string {
	var all []string
	for _, m := range manifests {
		all = append(all, m.Path)
	}
	return all
}

func TestAListIsReadOnceAndAManifestIsThereOnce(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	from := &counted{Opener: shelf{objects: stored(h)}, opened: map[string]int{}}
	shelf := NewShelf(from, 0)
	first, err := shelf.Read(t.Context(), Names{Lists: []string{"s3a://w/t/metadata/l1.avro", "s3n://w/t/metadata/l1.avro"}})
	require.NoError(t, err)
	require.Len(t, first.Lists, 1)
	both, err := shelf.Read(t.Context(), Names{
		Lists: []string{"s3://w/t/metadata/l2.avro", "s3://w/t/metadata/l1.avro"}, Manifests: []string{"s3a://w/t/metadata/a.avro", "weird", "weird"},
	})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"s3://w/t/metadata/l1.avro": 1, "s3://w/t/metadata/l2.avro": 1}, from.opened)
	require.Same(t, first.Lists[0], both.Lists[1])

	// The smallest path stays, whichever list was read first.
	require.Equal(t, []string{"s3://w/t/metadata/a.avro", "s3://w/t/metadata/b.avro", "weird"}, paths(both.Manifests))
	require.Same(t, first.Manifests[0], both.Manifests[0])
	require.Equal(t, paths(both.Manifests[1:]), paths(both.Without(first)))
	require.Empty(t, first.Without(both))
	require.True(t, first.Has(both.Manifests[0]))
	require.False(t, first.Has(both.Manifests[1]))
	require.Equal(t, both.Manifests[:2], slices.SortedFunc(both.Lists[0].Manifests(), func(a, b *Manifest) int { return int(a.number) - int(b.number) }))
	require.Empty(t, both.Unread())
}

// A list says no more of a manifest than another one did, but it may say less.
func TestWhatListsSayOfAManifestDoesNotDependOnTheirOrder(t *testing.T) {
	t.Parallel()
	whole := manifest.ListEntry{
		Path: "s3n://w/m", Length: 5, SpecID: 2, Deletes: true, SequenceNumber: 3, MinSequenceNumber: 2, AddedSnapshotID: 9,
		AddedFiles: 4, ExistingFiles: 6, DeletedFiles: 1, FirstRowID: 100,
	}
	want := whole
	want.Path = "s3a://w/m"
	old := manifest.ListEntry{ // of format version 1
		Path: "s3a://w/m", Length: 5, SpecID: 2, AddedSnapshotID: 9, AddedFiles: -1, ExistingFiles: -1, DeletedFiles: -1, FirstRowID: -1,
	}
	inline := inlineEntry("s3b-is-no-scheme")
	inline.Path = "s3n://w/m"
	for _, order := range [][]manifest.ListEntry{{whole, old, inline}, {inline, old, whole}, {old, whole, inline}} {
		shelf := NewShelf(nil, 0)
		for _, entry := range order {
			require.Zero(t, shelf.number(&entry))
		}
		require.Equal(t, want, shelf.manifests[0].ListEntry)
		require.EqualValues(t, 10, shelf.manifests[0].Live())
	}
	require.EqualValues(t, -1, (&Manifest{ListEntry: inline}).Live())
}

func TestAListOfManyManifestsThatOthersNameTooTakesFewBytes(t *testing.T) {
	t.Parallel()
	// As writers append: each snapshot names its own manifest and all those before.
	const snapshots = 150
	h := tabletest.HandmadeTable{Location: "s3://w/t", Root: "s3://w/t/metadata/v.metadata.json"}
	var named []string
	for s := range snapshots {
		for m := range 10 {
			named = append([]string{fmt.Sprintf("s3://w/t/metadata/m%d-%d.avro", s, m)}, named...)
		}
		h.Lists = append(h.Lists, tabletest.HandmadeList{Path: fmt.Sprintf("s3://w/t/metadata/l%d.avro", s), Manifests: slices.Clone(named)})
	}
	from := shelf{objects: stored(h)}
	tree, err := NewShelf(from, 8).Read(t.Context(), loadAt(t, from, h.Root).Names(nil))
	require.NoError(t, err)
	require.Len(t, tree.Manifests, 10*snapshots)
	bytes := 0
	for s, list := range tree.Lists {
		require.Len(t, slices.Collect(list.Manifests()), 10*(s+1))
		bytes += cap(list.names)
	}
	require.Less(t, bytes, 64*snapshots, "%d names in lists", 5*snapshots*(snapshots+1))
}

func TestRangesHoldTheirNumbers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	for range 200 {
		var numbers []uint32
		for range random.IntN(50) {
			number := random.Uint32N(60)
			if random.IntN(20) == 0 {
				number = 1<<32 - 2 - number
			}
			numbers = append(numbers, number)
		}
		held := rangesOf(slices.Clone(numbers))
		slices.Sort(numbers)
		require.Equal(t, slices.Compact(numbers), slices.Collect(held.all()))
		require.LessOrEqual(t, len(held), 10+2*len(numbers)+8*8)
	}
	for range rangesOf([]uint32{1, 2, 9}).all() {
		break // stops without a complaint
	}
}

func TestListsThatCannotBeReadArePartOfTheTree(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	h.Lists[0].Encrypted = true
	objects := stored(h)
	from := &counted{Opener: shelf{objects: objects}, opened: map[string]int{}}
	objects["s3://w/t/metadata/l2.avro"] = tabletest.BreakSync(objects["s3://w/t/metadata/l2.avro"])
	shelf := NewShelf(from, 0)
	names := Names{Lists: []string{"s3://w/t/metadata/l1.avro", "s3://w/t/metadata/l2.avro", "s3://w/t/metadata/none.avro", "hdfs://w/l"}}
	for range 2 {
		tree, err := shelf.Read(t.Context(), names)
		require.NoError(t, err)
		require.Empty(t, tree.Manifests, "of half a list nothing is taken")
		require.Equal(t, tree.Lists, tree.Unread())
		require.ErrorIs(t, tree.Lists[0].Err, ErrEncrypted)
		require.Equal(t, []State{Unreadable, Unreadable, Absent, Unreadable},
			[]State{tree.Lists[0].State, tree.Lists[1].State, tree.Lists[2].State, tree.Lists[3].State})
	}
	require.Equal(t, 1, from.opened["s3://w/t/metadata/l2.avro"])
}

func TestListsThatWereReadStayReadWhenAnotherFails(t *testing.T) {
	t.Parallel()
	h := threeSnapshots()
	count := &counted{Opener: shelf{objects: stored(h)}, opened: map[string]int{}}
	from := &flaky{Opener: count, fails: "s3://w/t/metadata/l2.avro"}
	shelf := NewShelf(from, 1)
	names := loadAt(t, from, h.Root).Names(map[int64]bool{3: true})
	require.Empty(t, names.Manifests)
	_, err := shelf.Read(t.Context(), names)
	require.ErrorIs(t, err, errReset)
	require.ErrorContains(t, err, "manifest list s3a://w/t/metadata/l2.avro")
	from.fails = ""
	tree, err := shelf.Read(t.Context(), names)
	require.NoError(t, err)
	require.Len(t, tree.Manifests, 2)
	require.Equal(t, 1, count.opened["s3://w/t/metadata/l1.avro"])
	require.Equal(t, 1, count.opened["s3://w/t/metadata/l2.avro"])
}

func TestAListIsCarriedWithAllThatItSays(t *testing.T) {
	t.Parallel()
	zoo, objects := zooObjects(t)
	from := shelf{objects: objects}
	m := loadAt(t, from, zoo.Table(t, "v3_lineage").MetadataLocation)
	path := m.Snapshots[len(m.Snapshots)-1].ManifestList
	carried := 0
	require.NoError(t, CarryList(t.Context(), from, path, 3, func(kept *manifest.Kept) error {
		carried++
		require.NotEmpty(t, kept.Path)
		return nil
	}))
	require.Positive(t, carried)

	err := CarryList(t.Context(), from, path+"x", 3, nil)
	state, temporary := StateOf(err)
	require.Equal(t, Absent, state)
	require.False(t, temporary)
}
