package polaristest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func twoServers(t *testing.T, r *ring) {
	one, first := r.serve(t, nil)
	two, second := r.serve(t, nil)
	r.create(t, first, 40)
	for i := range 40 {
		drop(t, []*Client{first, second}[i%2], i, i+1)
	}
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == 40 }, "not all purges are published")
	r.work(t)
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == 0 }, "not all purges end")
	awaitSweeps(t, one, two)
	_, taken := r.published(t)
	require.EqualValues(t, 40, taken, "a purge that had ended is published anew")
	require.Zero(t, r.taskRows(t))
	require.Empty(t, r.files(t))
}

// awaitSweeps waits until each server has begun and ended a sweep.
func awaitSweeps(t *testing.T, servers ...*Server) {
	t.Helper()
	sweeps := func(s *Server) float64 {
		n, err := s.Metric(t.Context(), "deckhand_outbox_sweeps_total", "")
		require.NoError(t, err)
		return n
	}
	for _, server := range servers {
		before := sweeps(server)
		// the one that ends next may have begun already
		eventually(t, func() bool { return sweeps(server) >= before+2 }, "%s does not sweep", server.URL)
	}
}
