package storage_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// disk is a warehouse folder with a session whose guard is the table's folder.
type disk struct {
	*storage.Session
	stores    *storage.Stores
	warehouse string
	table     string
}

func openDisk(t testing.TB, change func(*disk, *storage.SessionConfig)) disk {
	t.Helper()
	d := disk{warehouse: filepath.Join(t.TempDir(), "wh")}
	d.table = filepath.Join(d.warehouse, "db", "t")
	require.NoError(t, os.MkdirAll(d.table, 0o755))
	stores, err := storage.NewStores(storage.Config{Locations: []string{"file:" + d.warehouse}}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	guard, err := stores.Guard().Narrow("file://" + d.table)
	require.NoError(t, err)
	cfg := storage.SessionConfig{Guard: guard, FolderRoots: []storage.Location{d.at("")}}
	d.stores = stores
	if change != nil {
		change(&d, &cfg)
	}
	d.Session = stores.Session(cfg)
	return d
}

// at gives the location of a path below the table.
func (d disk) at(rel string) storage.Location {
	l := storage.Location{Scheme: "file", Key: d.table}
	if rel != "" {
		l.Key += "/" + rel
	}
	return l
}

func put(t testing.TB, path string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(filepath.Base(path)), 0o644))
}

// tree lists everything below the warehouse, folders with a slash.
func (d disk) tree(t testing.TB) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(d.warehouse, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(d.warehouse, path)
		if e.IsDir() {
			rel += "/"
		}
		found = append(found, rel)
		return err
	}))
	return found
}

func (d disk) delete(t testing.TB, locations ...storage.Location) []storage.Deletion {
	t.Helper()
	return d.Delete(t.Context(), locations)
}

func TestLocalNamesAreLiteral(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	names := []string{"data/cat=%C3%BC%2520/f.parquet", "data/cat=ü ü/f", "a b+c#d?e", "x__0x2f__y", "x/y", "back\\slash", "bad\xffutf8", "new\nline", "..x/y.."}
	var all []storage.Location
	var want []string
	for _, name := range names {
		require.NoError(t, d.Write(t.Context(), d.at(name), []byte(name)))
		_, err := os.Stat(filepath.Join(d.table, name))
		require.NoError(t, err)
		require.Equal(t, name, readAll(t, d.Session, d.at(name)))
		all, want = append(all, d.at(name)), append(want, d.at(name).Key)
	}
	require.ElementsMatch(t, want, listed(t, d.Session, d.at("")))
	require.NoError(t, d.delete(t, d.at("x__0x2f__y"))[0].Err)
	require.Equal(t, "x/y", readAll(t, d.Session, d.at("x/y")))
	requireDeleted(t, d.delete(t, all...), all)
	require.Empty(t, listed(t, d.Session, d.at("")))
}

func TestBothSpellingsOfAFileLocationAreTheSameFile(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	for _, prefix := range []string{"file:", "file://", ""} {
		put(t, d.table+"/f")
		require.NoError(t, d.delete(t, parse(t, prefix+d.table+"/f"))[0].Err)
		require.NoFileExists(t, d.table+"/f")
	}
}

func TestAMissingLocalFileCountsAsDeleted(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	put(t, d.table+"/f")
	all := []storage.Location{d.at("missing"), d.at("no/such/folder/f"), d.at("f/below-a-file")}
	requireDeleted(t, d.delete(t, all...), all)
	for _, l := range all {
		_, _, err := d.Open(t.Context(), l)
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
	require.FileExists(t, d.table+"/f")
	require.NoError(t, os.RemoveAll(d.table))
	requireDeleted(t, d.delete(t, all...), all)
	require.Empty(t, listed(t, d.Session, d.at("")), "a missing folder is empty")
}

func TestAConfiguredFolderThatIsMissingIsNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	require.NoError(t, os.RemoveAll(d.warehouse))
	r := d.delete(t, d.at("f"))[0]
	require.ErrorIs(t, r.Err, storage.ErrUnavailable)
	require.ErrorContains(t, r.Err, "mounted")
	for _, err := range d.List(t.Context(), d.at("")) {
		require.ErrorIs(t, err, storage.ErrUnavailable)
	}
}

func TestAFolderIsNeverDeletedAsAFile(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	require.NoError(t, os.MkdirAll(d.table+"/empty", 0o755))
	put(t, d.table+"/full/f")
	put(t, d.table+"/file")
	for _, name := range []string{"empty", "empty/", "full", "full/", "file/"} {
		require.ErrorIs(t, d.delete(t, d.at(name))[0].Err, storage.ErrRejected, name)
	}
	require.DirExists(t, d.table+"/empty")
	require.FileExists(t, d.table+"/full/f")
	require.FileExists(t, d.table+"/file")
	_, _, err := d.Open(t.Context(), d.at("full"))
	require.ErrorIs(t, err, storage.ErrRejected)
}

func TestDotDotAndNeighboursAreRefusedOnDisk(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	put(t, d.warehouse+"/db/t2/f")
	put(t, d.warehouse+"/db/t/data/f")
	for _, key := range []string{
		d.table + "/../t2/f", d.warehouse + "/db/t2/f", d.table + "/data/../../t2/f", d.table, d.table + "/./data/f", "//" + d.table + "/data/f",
	} {
		r := d.delete(t, storage.Location{Scheme: "file", Key: key})[0]
		require.ErrorIs(t, r.Err, storage.ErrOutside, key)
	}
	require.FileExists(t, d.warehouse+"/db/t2/f")
	require.FileExists(t, d.warehouse+"/db/t/data/f")
}

func TestSymbolicLinksThatLeaveTheTableAreRefused(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	neighbour, outside := d.warehouse+"/db/t2", t.TempDir()
	put(t, neighbour+"/f")
	put(t, outside+"/f")
	put(t, d.table+"/real/f")
	require.NoError(t, os.Symlink(outside, d.table+"/absolute"))
	require.NoError(t, os.Symlink("../t2", d.table+"/relative"))
	require.NoError(t, os.Symlink("real", d.table+"/inside"))
	for _, name := range []string{"absolute/f", "relative/f"} {
		r := d.delete(t, d.at(name))[0]
		require.ErrorIs(t, r.Err, storage.ErrOutside, name)
		require.ErrorContains(t, r.Err, "symbolic link")
		require.ErrorContains(t, r.Err, d.table+"/"+name)
		require.ErrorIs(t, d.Write(t.Context(), d.at(name), nil), storage.ErrOutside, name)
	}
	_, _, err := d.Open(t.Context(), d.at("absolute/f"))
	require.ErrorIs(t, err, storage.ErrOutside, "reading may not leave the warehouse either")
	require.FileExists(t, outside+"/f")
	require.FileExists(t, neighbour+"/f")
	require.ElementsMatch(t, []string{d.table + "/absolute", d.table + "/relative", d.table + "/inside", d.table + "/real/f"},
		listed(t, d.Session, d.at("")), "links are listed as what they are")
	require.NoError(t, d.delete(t, d.at("inside/f"))[0].Err)
	require.NoFileExists(t, d.table+"/real/f")
}

func TestDeletingALinkRemovesTheLinkAndNeverItsTarget(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	outside := t.TempDir()
	put(t, outside+"/f")
	require.NoError(t, os.Symlink(outside+"/f", d.table+"/link"))
	require.NoError(t, os.Symlink(outside, d.table+"/folder-link"))
	all := []storage.Location{d.at("link"), d.at("folder-link")}
	requireDeleted(t, d.delete(t, all...), all)
	require.FileExists(t, outside+"/f")
	_, err := os.Lstat(d.table + "/link")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestATableFolderThatIsALinkToAnotherTableIsRefused(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	put(t, d.warehouse+"/db/t2/f")
	require.NoError(t, os.Remove(d.table))
	require.NoError(t, os.Symlink("t2", d.table))
	r := d.delete(t, d.at("f"))[0]
	require.ErrorIs(t, r.Err, storage.ErrOutside)
	require.ErrorContains(t, r.Err, "symbolic link")
	require.FileExists(t, d.warehouse+"/db/t2/f")
}

func TestEmptyFoldersGoUpToTheTableAndNeverAboveIt(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	for i := range 300 {
		put(t, fmt.Sprintf("%s/data/p=%d/q=%d/f%d", d.table, i%7, i%3, i))
	}
	put(t, d.table+"/metadata/m")
	put(t, d.table+"/keep/stays")
	require.NoError(t, os.MkdirAll(d.table+"/was-empty", 0o755))
	var all []storage.Location
	for key := range strings.SplitSeq(strings.Join(listed(t, d.Session, d.at("")), "\x00"), "\x00") {
		if !strings.Contains(key, "keep") {
			all = append(all, storage.Location{Scheme: "file", Key: key})
		}
	}
	requireDeleted(t, d.delete(t, all...), all)
	require.Equal(t, []string{"./", "db/", "db/t/", "db/t/keep/", "db/t/keep/stays", "db/t/was-empty/"}, d.tree(t))
	require.NoError(t, os.Remove(d.table+"/was-empty"))
	require.NoError(t, d.delete(t, d.at("keep/stays"))[0].Err)
	require.Equal(t, []string{"./", "db/"}, d.tree(t), "the table's folder goes, the one above stays, empty as it is")
	// Once more, as after a crash between the unlink and the folder.
	require.NoError(t, os.MkdirAll(d.table+"/keep", 0o755))
	require.NoError(t, d.delete(t, d.at("keep/stays"))[0].Err)
	require.Equal(t, []string{"./", "db/"}, d.tree(t))
}

func TestAWideGuardDoesNotMakeFoldersGoAboveTheTable(t *testing.T) {
	t.Parallel()
	d := openDisk(t, func(d *disk, c *storage.SessionConfig) { c.Guard = d.stores.Guard() })
	put(t, d.table+"/data/f")
	require.NoError(t, d.delete(t, d.at("data/f"))[0].Err)
	require.Equal(t, []string{"./", "db/"}, d.tree(t))
}

func TestWithoutFolderRootsEmptyFoldersStay(t *testing.T) {
	t.Parallel()
	d := openDisk(t, func(_ *disk, c *storage.SessionConfig) { c.FolderRoots = nil })
	put(t, d.table+"/data/f")
	require.NoError(t, d.delete(t, d.at("data/f"))[0].Err)
	require.Equal(t, []string{"./", "db/", "db/t/", "db/t/data/"}, d.tree(t))
}

func TestAConfiguredLocationIsNeverRemoved(t *testing.T) {
	t.Parallel()
	d := openDisk(t, func(d *disk, c *storage.SessionConfig) {
		c.Guard = d.stores.Guard()
		c.FolderRoots = []storage.Location{{Scheme: "file", Key: d.warehouse + "/"}, {Scheme: "file", Key: "/"}}
	})
	put(t, d.table+"/f")
	require.NoError(t, d.delete(t, d.at("f"))[0].Err)
	require.Equal(t, []string{"./"}, d.tree(t))

	// Also when it lies inside another one.
	nested, err := storage.NewGuard(d.warehouse, d.warehouse+"/db")
	require.NoError(t, err)
	session := d.stores.Session(storage.SessionConfig{Guard: nested, FolderRoots: []storage.Location{{Scheme: "file", Key: d.warehouse}}})
	put(t, d.table+"/f")
	require.NoError(t, session.Delete(t.Context(), []storage.Location{d.at("f")})[0].Err)
	require.Equal(t, []string{"./", "db/"}, d.tree(t))
}

func TestLocalReadsAreRangedAndBoundToTheirContext(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	require.NoError(t, d.Write(t.Context(), d.at("f"), []byte("0123456789")))
	require.NoError(t, d.Write(t.Context(), d.at("f"), []byte("abcdefghij")), "an existing file is replaced")
	body, err := d.OpenRange(t.Context(), d.at("f"), 2, 3)
	require.NoError(t, err)
	var b strings.Builder
	_, err = copyAll(&b, body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, "cde", b.String())
	_, err = d.OpenRange(t.Context(), d.at("f"), 10, 1)
	require.ErrorIs(t, err, storage.ErrRejected)
	ctx, cancel := context.WithCancel(t.Context())
	stream, info, err := d.Open(ctx, d.at("f"))
	require.NoError(t, err)
	require.EqualValues(t, 10, info.Size)
	cancel()
	_, err = stream.Read(make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, stream.Close())
	require.Equal(t, map[string]int64{"write": 2, "read": 3}, d.Usage().Requests)
}

func TestANamedPipeIsNotRead(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	require.NoError(t, syscall.Mkfifo(d.table+"/pipe", 0o644))
	_, _, err := d.Open(t.Context(), d.at("pipe"))
	require.ErrorIs(t, err, storage.ErrRejected)
}

func TestAFolderWithoutPermissionIsDenied(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root is denied nothing")
	}
	d := openDisk(t, nil)
	put(t, d.table+"/locked/f")
	require.NoError(t, os.Chmod(d.table+"/locked", 0o500))
	t.Cleanup(func() { _ = os.Chmod(d.table+"/locked", 0o700) })
	require.ErrorIs(t, d.delete(t, d.at("locked/f"))[0].Err, storage.ErrDenied)
}

func TestManyLocalFilesAreUnlinkedAndCounted(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	var all []storage.Location
	for i := range 1000 {
		put(t, fmt.Sprintf("%s/data/%d", d.table, i))
		all = append(all, d.at(fmt.Sprintf("data/%d", i)))
	}
	require.Len(t, listed(t, d.Session, d.at("")), 1000)
	n := 0
	for _, err := range d.ListLimit(t.Context(), d.at(""), 5) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 5, n)
	requireDeleted(t, d.delete(t, all...), all)
	require.Equal(t, map[string]int64{"list": 4, "unlink": 1000}, d.Usage().Requests)
	require.Equal(t, []string{"./", "db/"}, d.tree(t))
}
