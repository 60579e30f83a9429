package polaristest

import (
	"os"
	"testing"
)

// TestFiguresOfARealPolaris prints how long drops take through the extension and
// in a stock server, and how quickly a backlog drains. The figures are for people:
// no machine is quiet enough to assert on them.
func TestFiguresOfARealPolaris(t *testing.T) {
	if os.Getenv("BENCH_POLARIS") == "" {
		t.Skip("the figures of a real Polaris are asked for by make bench-polaris")
	}
	home := find(t)
	for _, persistence := range []string{inMemory, onPostgres} {
		t.Run("drops, "+persistence, func(t *testing.T) {
			for _, stock := range []bool{true, false, true, false} {
				timeDrops(t, newRing(t, home, persistence == onPostgres), stock)
			}
		})
	}
	t.Run("backlog", func(t *testing.T) { backlog(t, newRing(t, home, true)) })
}

func timeDrops(t *testing.T, r *ring, stock bool) {
	const n, warm = 200, 50
	server, c := r.serve(t, func(o *Options) { o.Stock = stock })
	defer server.Stop()
	r.create(t, c, n+warm)
	drop(t, c, n, n+warm)
	name := map[bool]string{true: "stock server", false: "with the extension"}[stock]
	t.Logf("%d drops, %s: %s", n, name, inWords(drop(t, c, 0, n)))
}
