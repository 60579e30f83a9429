package orphans_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/jobtest"
	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/receipt"
	"deckhand/internal/table"
	"deckhand/jobs"
	"deckhand/jobs/orphans"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// yard is a stage whose files are ten days old, but for some.
type yard struct {
	*mt.Yard
	cfg orphans.Config
	// times of objects whose locations end so, in place of ten days ago; a negative
	// duration is a time that is not told.
	ages map[string]time.Duration
	// list is what the job said of each path, in so many records.
	list    map[string]string
	records int
}

const (
	tenDays  = 240 * time.Hour
	unknown  = time.Duration(-1)
	quickly  = `{}`
	homeTree = mt.Home + "/"
)

func newYard(t testing.TB) *yard {
	t.Helper()
	return yardOf(mt.NewYard(t))
}

func yardOf(stage *mt.Yard) *yard {
	y := &yard{Yard: stage, ages: map[string]time.Duration{}}
	began := time.Now()
	y.Server.SetTimes(func(bucket, key string, _ time.Time) time.Time {
		for end, age := range y.ages {
			switch {
			case !strings.HasSuffix("s3://"+bucket+"/"+key, end):
			case age == unknown:
				return time.Time{}
			default:
				return began.Add(-age)
			}
		}
		return began.Add(-tenDays)
	})
	return y
}

// plant puts files that nothing names below the table's home.
func (y *yard) plant(names ...string) {
	y.T.Helper()
	for _, name := range names {
		if !strings.Contains(name, "://") {
			name = mt.InHome(name)
		}
		y.Put(name, []byte("orphan "+name))
	}
}

func (y *yard) handler() *orphans.Handler {
	cfg := y.cfg
	cfg.Config = y.Over(nil)
	if y.ages == nil { // a benchmark, in which nobody listens
		handler, err := orphans.New(cfg)
		require.NoError(y.T, err)
		return handler
	}
	y.list, y.records = map[string]string{}, 0
	cfg.List = func(r receipt.PathRecord) {
		y.records++
		say := r.Action
		if r.Reason != "" {
			say += " " + string(r.Reason)
		}
		y.list[strings.TrimPrefix(r.Location, homeTree)] = say
	}
	handler, err := orphans.New(cfg)
	require.NoError(y.T, err)
	return handler
}

func (y *yard) search(params string) (*orphans.Receipt, error) {
	y.T.Helper()
	return y.run(y.T.Context(), params, &jobtest.Progress{})
}

func (y *yard) run(ctx context.Context, params string, progress *jobtest.Progress) (*orphans.Receipt, error) {
	y.T.Helper()
	return jobtest.Run[orphans.Receipt](ctx, y.T, y.handler(), mt.Job(jobs.Orphans, params), progress)
}

// below are the keys of the table's home, without it.
func (y *yard) below() []string {
	var names []string
	for _, key := range y.Keys() {
		if name, found := strings.CutPrefix(key, homeTree); found {
			names = append(names, name)
		}
	}
	return names
}

// reaches is all that the table names, by location.
func (y *yard) reaches() map[string]bool {
	m := y.Metadata()
	all := y.Reach(m).Union(m)
	all[table.Identity(y.Ledger.Location)] = true
	for _, path := range m.MetadataLog {
		all[table.Identity(path)] = true
	}
	return all
}

// without are the names but for some.
func without(names []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(gone, name) })
}
