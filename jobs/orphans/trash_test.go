package orphans_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs/orphans"
)

// stampPattern is the folder of a run of this century in the trash.
var stampPattern = regexp.MustCompile(`^\.deckhand-trash/202[1-9]\d{4}-\d{6}/`)

func TestOrphansInQuarantineAreMovedAndDeletedByALaterRun(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.plant("data//odd name%2F+é.parquet")
	all := y.below()
	dry, err := y.search(`{"quarantine":"7d","dry-run":true}`)
	require.NoError(t, err)
	require.Equal(t, all, y.below())
	require.EqualValues(t, 3, dry.Moved.Total().Files)
	require.Equal(t, "would move", y.list["data/orphan1"])

	r, err := y.search(`{"quarantine":"7d"}`)
	require.NoError(t, err)
	require.Equal(t, dry.Moved, r.Moved)
	require.Empty(t, r.Deleted)
	require.Equal(t, "moved", y.list["data/orphan1"])
	require.Len(t, r.Trash, 1)
	require.True(t, strings.HasPrefix(r.Trash[0], "s3://warehouse/db/t/.deckhand-trash/"))
	for _, name := range []string{"data/orphan1", "data/orphan2", "data//odd name%2F+é.parquet"} {
		y.Has(false, name)
		require.Equal(t, "orphan "+mt.InHome(name), string(y.Get(r.Trash[0]+"/"+name)))
	}

	// It is left alone until it has lain there for long enough, by the store's clock
	// and by its name.
	stamp := strings.TrimPrefix(r.Trash[0], mt.Home+"/.deckhand-trash/")
	again, err := y.search(`{"quarantine":"7d"}`)
	require.NoError(t, err)
	require.Empty(t, again.Deleted)
	require.Empty(t, again.Moved)
	y.Has(true, r.Trash[0]+"/data/orphan1")

	old := ".deckhand-trash/20200102-030405/"
	y.plant(old+"data/x.parquet", old+"data/young.parquet", old+"data/ageless.parquet", ".deckhand-trash/notes.txt", ".deckhand-trash/notes/x")
	y.ages["young.parquet"], y.ages["ageless.parquet"] = 6*24*time.Hour, unknown
	dry, err = y.search(`{"quarantine":"7d","dry-run":true}`)
	require.NoError(t, err)
	y.Has(true, old+"data/x.parquet")
	emptied, err := y.search(`{"quarantine":"7d"}`)
	require.NoError(t, err)
	require.Equal(t, dry.Deleted, emptied.Deleted)
	require.EqualValues(t, 1, emptied.Emptied.Files)
	require.EqualValues(t, 1, emptied.Deleted.Total().Files)
	y.Has(false, old+"data/x.parquet")
	y.Has(true, old+"data/young.parquet", old+"data/ageless.parquet", ".deckhand-trash/notes.txt", ".deckhand-trash/notes/x",
		".deckhand-trash/"+stamp+"/data/orphan1")
	require.Contains(t, strings.Join(emptied.Notes, "\n"), "notes.txt lies in the trash under no time")

	// Without the setting nothing empties it.
	r, err = y.search(quickly)
	require.NoError(t, err)
	require.Contains(t, strings.Join(r.Notes, "\n"), "only by runs with the setting quarantine")
	y.Has(true, ".deckhand-trash/"+stamp+"/data/orphan1")
}

func TestAFileInTheTrashThatTheTableNamesAgainStays(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.plant(".deckhand-trash/20200102-030405/data/f1", ".deckhand-trash/20200102-030405/data/g")
	r, err := y.search(`{"quarantine":"1d"}`)
	require.NoError(t, err)
	y.Has(true, ".deckhand-trash/20200102-030405/data/f1")
	y.Has(false, ".deckhand-trash/20200102-030405/data/g")
	require.EqualValues(t, 1, r.Kept[orphans.Adopted].Counts.Total().Files)
	require.Contains(t, strings.Join(r.Notes, "\n"), "data/f1, which is in its place")
}

func TestAFileThatIsAdoptedWhileItIsMovedIsPutBack(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Options{Files: 2, Snapshots: 1})
	y.plant("data/adopted.parquet", "data/orphan1")
	adopted := false
	y.Server.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
		// The table was looked at for the last time before.
		if strings.Contains(r.URL.Path, "/.deckhand-trash/") && strings.HasSuffix(r.URL.Path, "/adopted.parquet") && !adopted {
			adopted = true
			y.adopt("data/adopted.parquet")
		}
		return nil
	})
	r, err := y.search(`{"quarantine":"7d"}`)
	require.NoError(t, err)
	require.True(t, adopted)
	require.Equal(t, "orphan "+mt.InHome("data/adopted.parquet"), string(y.Get(mt.InHome("data/adopted.parquet"))))
	y.Has(true, r.Trash[0]+"/data/orphan1")
	y.Has(false, "data/orphan1", r.Trash[0]+"/data/adopted.parquet")
	require.EqualValues(t, 1, r.Moved.Total().Files)
	require.EqualValues(t, 1, r.Kept[orphans.Adopted].Counts.Total().Files)
	require.Contains(t, strings.Join(r.Notes, "\n"), "it was moved back")
}

// A run that was cut off between the move and the look after it.
func TestAFileThatTheTableLacksIsPutBackOutOfTheTrash(t *testing.T) {
	t.Parallel()
	y := small(t)
	trash := ".deckhand-trash/20200102-030405/data/f1"
	y.Put(mt.InHome(trash), y.Get(mt.InHome("data/f1")))
	y.Remove(mt.InHome("data/f1"))
	y.ages[trash] = time.Hour // it is not due
	r, err := y.search(`{"quarantine":"30d","dry-run":true}`)
	require.NoError(t, err)
	y.Has(true, trash)
	y.Has(false, "data/f1")
	require.Contains(t, strings.Join(r.Notes, "\n"), "a run that is not dry moves it back")
	r, err = y.search(`{"quarantine":"30d"}`)
	require.NoError(t, err)
	y.Has(false, trash)
	y.Has(true, "data/f1")
	require.EqualValues(t, 2, r.Moved.Total().Files)
}

func TestTheCapHoldsForTheTrashToo(t *testing.T) {
	t.Parallel()
	y := small(t)
	folder := ".deckhand-trash/20200102-030405/data/"
	y.plant(folder+"a", folder+"b", folder+"c")
	r, err := y.search(`{"quarantine":"1d","max-files":4}`)
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Moved.Total().Files)
	require.EqualValues(t, 2, r.Deleted.Total().Files)
	require.EqualValues(t, 1, r.Kept[orphans.BeyondCap].Counts.Total().Files)
	_, err = y.search(`{"quarantine":"1d","max-files":4}`)
	require.NoError(t, err)
	y.Has(false, folder+"a", folder+"b", folder+"c")
}

// Somebody has adopted files where they lay.
func TestAFileThatTheTableNamesInTheTrashStays(t *testing.T) {
	t.Parallel()
	folder := ".deckhand-trash/20200102-030405/data/"
	y := newYard(t)
	d := mt.NewDraft()
	d.Manifest("m1", "f1", mt.InHome(folder+"back"), "s3://other/db/t/"+folder+"mirrored", "s3://other/db/t/data/was-mirrored")
	d.Snapshot("m1")
	y.Lay(d, nil)
	y.plant(folder+"mirrored", folder+"was-mirrored", folder+"nobodys")
	r, err := y.search(`{"quarantine":"1d"}`)
	require.NoError(t, err)
	y.Has(true, folder+"back", folder+"mirrored", folder+"was-mirrored")
	y.Has(false, folder+"nobodys")
	require.EqualValues(t, 3, r.Kept[orphans.Adopted].Counts.Total().Files)
	require.Contains(t, strings.Join(r.Notes, "\n"), "data/back, which is in the trash: it stays there")
	_, err = y.search(`{"quarantine":"1d","prefix-mismatch-mode":"DELETE"}`)
	require.NoError(t, err)
	y.Has(true, folder+"back")
	y.Has(false, folder+"mirrored", folder+"was-mirrored")
}
