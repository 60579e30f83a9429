package storage_test

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

func TestFoldersReadInParallelYieldWhatAListingYields(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	for n := range 1000 {
		put(t, fmt.Sprintf("%s/data/p=%d/q=%d/f%d", d.table, n%7, n%300, n))
	}
	for _, name := range []string{"f", "b/c", "bad\xffutf8/é", "new\nline/%2F", "..x/y..", " / ", "b/c.d/e"} {
		put(t, d.table+"/"+name)
	}
	put(t, d.warehouse+"/db/t2/f")
	require.NoError(t, os.MkdirAll(d.table+"/empty/empty", 0o755))
	require.NoError(t, os.Symlink("../t2", d.table+"/link"))
	require.NoError(t, syscall.Mkfifo(d.table+"/b/pipe", 0o644))
	for _, folder := range []string{"", "data", "b", "empty", "missing", "f"} {
		want := listed(t, d.Session, d.at(folder))
		slices.Sort(want)
		require.ElementsMatch(t, want, listedParallel(t, d.Session, d.at(folder)), folder)
	}
	require.Len(t, listedParallel(t, d.Session, d.at("")), 1009)
}

func TestWhoBreaksOffAListingOfFoldersWaitsForItsReaders(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	for n := range 500 {
		put(t, fmt.Sprintf("%s/%d/f", d.table, n))
	}
	n := 0
	for _, err := range d.ListParallel(t.Context(), d.at(""), storage.ListConfig{}) {
		require.NoError(t, err)
		if n++; n == 20 {
			break
		}
	}
	require.Equal(t, 20, n)
}

func TestAMissingWarehouseIsNoEmptyParallelListing(t *testing.T) {
	t.Parallel()
	d := openDisk(t, nil)
	require.NoError(t, os.RemoveAll(d.warehouse))
	n := 0
	for _, err := range d.ListParallel(t.Context(), d.at(""), storage.ListConfig{}) {
		require.ErrorIs(t, err, storage.ErrUnavailable)
		n++
	}
	require.Equal(t, 1, n)
}

func TestAFolderThatCannotBeReadEndsTheListingWithItsName(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root is denied nothing")
	}
	for _, mode := range []os.FileMode{0o000, 0o400, 0o100} { // names without what they are; neither
		d := openDisk(t, nil)
		put(t, d.table+"/data/a/f")
		put(t, d.table+"/data/locked/f")
		require.NoError(t, os.Chmod(d.table+"/data/locked", mode))
		t.Cleanup(func() { _ = os.Chmod(d.table+"/data/locked", 0o700) })
		for name, list := range map[string]func() error{
			"parallel": func() (last error) {
				for _, err := range d.ListParallel(t.Context(), d.at(""), storage.ListConfig{}) {
					last = err
				}
				return last
			},
			"flat": func() (last error) {
				for _, err := range d.List(t.Context(), d.at("")) {
					last = err
				}
				return last
			},
		} {
			err := list()
			require.ErrorIs(t, err, storage.ErrDenied, "%s %o", name, mode)
			require.ErrorContains(t, err, "list "+d.at("data/locked").String()+":")
		}
	}
}
