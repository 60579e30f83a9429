package storms

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/chaos/fleet"
	"deckhand/internal/s3test"
)

// ask lets a worker make requests, until each is answered.
func ask(t *testing.T, s *Store, op string, times int) (faults []*s3test.Fault) {
	t.Helper()
	for n := range times {
		r := httptest.NewRequest(http.MethodPost, "/warehouse", nil)
		r.Header.Set(fleet.HeaderWorker, "w1-1")
		faults = append(faults, s.Fault(int64(n), op, r))
	}
	return faults
}

func TestEachFaultIsMetAndTold(t *testing.T) {
	t.Parallel()
	for fault, c := range map[string]struct {
		weather Weather
		op      string
		is      func(*s3test.Fault) bool
	}{
		Throttled: {Weather{Throttled: 1000}, "GetObject", func(f *s3test.Fault) bool { return f.Status == 503 && f.Code == "SlowDown" }},
		Failed:    {Weather{Failed: 1000}, "GetObject", func(f *s3test.Fault) bool { return f.Status == 500 }},
		Reset:     {Weather{Reset: 1000}, "PutObject", func(f *s3test.Fault) bool { return f.Drop }},
		Broken:    {Weather{Broken: 1000}, "GetObject", func(f *s3test.Fault) bool { return f.BreakAfter > 0 }},
		Partial: {Weather{Partial: 1000}, "DeleteObjects", func(f *s3test.Fault) bool {
			refused := map[string]int{}
			for n := range 1000 {
				refused[f.Key(strconv.Itoa(n))]++
			}
			return refused["InternalError"] > 0 && refused["SlowDown"] > 0 && refused[""] > 900
		}},
	} {
		s, met := NewStore(seeded(1)), map[string]int{}
		s.Met = func(fault, worker string) { met[fault+" "+worker]++ }
		require.Nil(t, ask(t, s, c.op, 1)[0], "in calm weather nothing goes wrong")
		s.Set(c.weather)
		for _, f := range ask(t, s, c.op, 3) {
			require.NotNil(t, f, fault)
			require.True(t, c.is(f), fault)
		}
		require.Equal(t, map[string]int{fault + " w1-1": 3}, met)
	}
}

func TestAResetIsBeforeOrAfterTheRequestIsCarriedOut(t *testing.T) {
	t.Parallel()
	s := NewStore(seeded(1))
	s.Set(Weather{Reset: 1000})
	served := map[bool]int{}
	for _, f := range ask(t, s, "DeleteObjects", 50) {
		served[f.Serve]++
	}
	require.Len(t, served, 2)
}

func TestWhatComesPastTheFrontsIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := NewStore(seeded(1))
	s.Set(Weather{Throttled: 1000})
	require.Nil(t, s.Fault(1, "GetObject", httptest.NewRequest(http.MethodGet, "/warehouse/key", nil)))
}

func TestRequestsToTheCatalogAreLostInEachWay(t *testing.T) {
	t.Parallel()
	s, met := NewStore(seeded(1)), 0
	s.Met = func(fault, _ string) {
		require.Equal(t, Lost, fault)
		met++
	}
	require.Equal(t, fleet.LossNone, s.Lose())
	s.Set(Weather{Catalog: 1000})
	seen := map[fleet.Loss]bool{}
	for range 50 {
		seen[s.Lose()] = true
	}
	require.Equal(t, 50, met)
	require.Equal(t, []fleet.Loss{fleet.LossBefore, fleet.LossAfter, fleet.LossRefused}, slices.Sorted(maps.Keys(seen)))
}
