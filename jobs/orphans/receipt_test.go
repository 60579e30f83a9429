package orphans_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/receipt"
)

func TestTheReceiptSaysForPeopleWhatWent(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.plant("data/_SUCCESS", "data/young", "sub/_delta_log/0", "sub/f")
	y.ages["data/young"] = time.Hour
	print := func(params string) string {
		r, err := y.search(params)
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, r.WriteText(&out))
		return out.String()
	}
	dry := print(`{"dry-run":true}`)
	require.Regexp(t, `would delete +data +2 files`, dry)
	done := print(`{"max-files":1}`)
	for _, line := range []string{
		`looked +through +s3://warehouse/db/t\n`, `listed +\d+ files +`, `named +by the table +\d+ files`, `deleted +data +1 files`,
		`kept +data +1 files +left for the next run\n`, `kept +data +2 files +hidden\n`, `kept +data +1 files +too young\n`,
		`kept +data +1 files +somebody else's\n`, `left alone +folder +s3://warehouse/db/t/sub/: it has _delta_log/\n`, `requests +`, `took +`,
	} {
		require.Regexp(t, line, done)
	}
	y.Open("")
	require.Regexp(t, `table +is gone\n`, print(quickly))
}

// A receipt fits into a result whatever there is.
func TestTheReceiptOfAThousandOddFoldersFits(t *testing.T) {
	t.Parallel()
	y := small(t)
	long := strings.Repeat("long/", 150)
	for n := range 300 {
		y.plant(fmt.Sprintf("z/%s%d/_delta_log/0", long, n), fmt.Sprintf("z/%s%d/_hidden", long, n), fmt.Sprintf("y/%s%d/orphan", long, n))
	}
	r, err := y.search(`{"max-files":10}`)
	require.NoError(t, err)
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	require.LessOrEqual(t, len(encoded), receipt.MaxSize)
	require.EqualValues(t, 10, r.Deleted.Total().Files)
	require.NotEmpty(t, r.Foreign)
}

func TestADryRunStoresNoCheckpoint(t *testing.T) {
	t.Parallel()
	y := small(t)
	progress := &jobtest.Progress{}
	_, err := y.run(t.Context(), `{"dry-run":true}`, progress)
	require.NoError(t, err)
	require.Zero(t, progress.Saves())
	_, err = y.run(t.Context(), quickly, progress)
	require.NoError(t, err)
	require.Positive(t, progress.Saves())
}
