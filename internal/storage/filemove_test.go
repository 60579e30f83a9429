package storage_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"deckhand/internal/storage"
)

func TestALocalFileIsMovedAndItsEmptyFolderGoes(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	put(t, d.table+"/data/p=1/f")
	put(t, d.table+"/data/g")
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(d.table+"/data/p=1/f", old, old))
	var listed storage.Object
	for o, err := range d.List(t.Context(), d.at("data/p=1")) {
		require.NoError(t, err)
		listed = o
	}
	require.NoError(t, d.MoveListed(t.Context(), listed, d.at(".trash/1/data/p=1/f")))
	require.Equal(t, []string{
		"./", "db/", "db/t/", "db/t/.trash/", "db/t/.trash/1/", "db/t/.trash/1/data/", "db/t/.trash/1/data/p=1/",
		"db/t/.trash/1/data/p=1/f", "db/t/data/", "db/t/data/g",
	}, d.tree(t))
	info, err := os.Stat(d.table + "/.trash/1/data/p=1/f")
	require.NoError(t, err)
	require.True(t, info.ModTime().Equal(old))
	require.EqualValues(t, 1, d.Usage().Requests["rename"])

	require.NoError(t, d.MoveListed(t.Context(), listed, d.at(".trash/1/data/p=1/f")), "repeated")
	require.ErrorIs(t, d.MoveListed(t.Context(), listed, d.at(".trash/2/f")), storage.ErrNotFound)
	require.ErrorIs(t, d.Move(t.Context(), d.at("no/such/folder"), d.at(".trash/3/f")), storage.ErrNotFound)
	require.NoDirExists(t, d.table+"/.trash/3")
	listed.Size++
	require.ErrorIs(t, d.MoveListed(t.Context(), listed, d.at(".trash/1/data/p=1/f")), storage.ErrExists)
}

func TestALocalFileIsMovedOnlyAsItWasListed(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	put(t, d.table+"/f")
	info, err := os.Stat(d.table + "/f")
	require.NoError(t, err)
	for _, o := range []storage.Object{
		{Location: d.at("f"), Size: 2}, {Location: d.at("f"), Size: 1, ModTime: info.ModTime().Add(time.Nanosecond)},
	} {
		require.ErrorIs(t, d.MoveListed(t.Context(), o, d.at("trash/f")), storage.ErrChanged)
		require.FileExists(t, d.table+"/f")
	}
	require.NoError(t, d.MoveListed(t.Context(), storage.Object{Location: d.at("f"), Size: 1, ModTime: info.ModTime()}, d.at("trash/f")))
	require.FileExists(t, d.table+"/trash/f")
}

func TestNoFileIsWrittenOverByAMove(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	put(t, d.table+"/f")
	put(t, d.table+"/trash/f")
	put(t, d.table+"/file")
	require.NoError(t, os.Mkdir(d.table+"/trash/folder", 0o755))
	before := d.tree(t)
	for _, to := range []string{"trash/f", "trash/folder", "file/f"} {
		require.ErrorIs(t, d.Move(t.Context(), d.at("f"), d.at(to)), storage.ErrExists, to)
	}
	for _, c := range [][2]string{{"trash", "x"}, {"f/", "x"}, {"f", "x/"}, {"f", "f"}} {
		require.ErrorIs(t, d.Move(t.Context(), d.at(c[0]), d.at(c[1])), storage.ErrRejected, c)
	}
	require.Equal(t, before, d.tree(t))
	// A move by links that was cut off before the old name went.
	require.NoError(t, os.Link(d.table+"/f", d.table+"/trash/linked"))
	require.NoError(t, d.Move(t.Context(), d.at("f"), d.at("trash/linked")))
	require.NoFileExists(t, d.table+"/f")
	require.FileExists(t, d.table+"/trash/linked")
}

func TestALocalMoveFollowsNoLinkOutOfTheTable(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	outside := filepath.Join(d.warehouse, "db", "other")
	put(t, outside+"/live")
	put(t, d.table+"/f")
	require.NoError(t, os.Symlink(outside, d.table+"/link"))
	for _, c := range [][2]storage.Location{
		{d.at("link/live"), d.at("trash/live")}, {d.at("f"), d.at("link/f")},
		{d.at("f"), {Scheme: "file", Key: outside + "/f"}}, {{Scheme: "file", Key: outside + "/live"}, d.at("x")},
	} {
		require.ErrorIs(t, d.Move(t.Context(), c[0], c[1]), storage.ErrOutside)
	}
	require.FileExists(t, outside+"/live")
	require.FileExists(t, d.table+"/f")
	require.NoError(t, d.Move(t.Context(), d.at("link"), d.at("trash/link")), "the link itself is moved")
	require.FileExists(t, outside+"/live")
	target, err := os.Readlink(d.table + "/trash/link")
	require.NoError(t, err)
	require.Equal(t, outside, target)
}

func TestALocalMoveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	put(t, d.table+"/f")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, d.Move(ctx, d.at("f"), d.at("trash/f")), context.Canceled)
	require.FileExists(t, d.table+"/f")
}

func TestMovesDoNotStumbleOverFoldersThatOthersEmpty(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	names := []string{"f0", "f1", "f2", "f3"}
	for _, name := range names {
		put(t, d.table+"/a/x/"+name)
	}
	var group errgroup.Group
	for _, name := range names {
		group.Go(func() error {
			here, there := d.at("a/x/"+name), d.at("b/y/"+name)
			for range 100 {
				if err := d.Move(t.Context(), here, there); err != nil {
					return err
				}
				here, there = there, here
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, []string{"./", "db/", "db/t/", "db/t/a/", "db/t/a/x/", "db/t/a/x/f0", "db/t/a/x/f1", "db/t/a/x/f2", "db/t/a/x/f3"}, d.tree(t))
}
