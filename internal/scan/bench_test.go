package scan_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/polaris"
	"deckhand/internal/pulltest"
	"deckhand/internal/scan"
	"deckhand/internal/standin"
)

// snapshots of each table of [scanMany], one a day old at most, so that none is due.
const snapshots = 20

// scanMany scans many tables once for the first time and then again, over HTTP, and
// tells what the second scan asked for and the peak heap in MiB of both, that of the
// stand-in included.
func scanMany(tb testing.TB, tables int) (summary *scan.Summary, server *standin.Server, peakMiB float64) {
	tb.Helper()
	folder, now := tb.TempDir(), time.Now()
	server = standin.Start(tb, standin.Options{Catalogs: []standin.Catalog{{Name: "lake", Location: "file://" + folder}}})
	var ages []time.Duration
	for i := range snapshots {
		ages = append(ages, time.Duration(snapshots-i)*time.Hour)
	}
	for i := range tables {
		id := uuid.NewString()
		path := filepath.Join(folder, id+".metadata.json")
		require.NoError(tb, os.WriteFile(path, pulltest.Metadata(id, fmt.Sprintf("file://%s/%s", folder, id), now, ages), 0o600))
		require.NoError(tb, server.Register(tb.Context(), in(fmt.Sprintf("n%d", i%100), fmt.Sprintf("table_%d", i)), "file://"+path))
	}
	keep := policy("keep5", fiveDays)
	require.NoError(tb, server.PutPolicy(keep))
	require.NoError(tb, server.Attach(keep, standin.Target{}))
	client, err := polaris.New(polaris.Config{
		URI: server.URI(), Warehouse: "lake", Realm: "POLARIS", Credential: standin.RootID + ":" + standin.RootSecret,
		RequestsPerSecond: 1e6, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(tb, err)
	defer client.Close()
	scanner, err := scan.New(scan.Config{
		Catalogs: []scan.Catalog{{Realm: "POLARIS", Name: "lake", Client: client}}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(tb, err)
	peakMiB = jobtest.PeakHeap(func() {
		_, err = scanner.Scan(tb.Context())
		require.NoError(tb, err)
		server.ResetCounts()
		summary, err = scanner.Scan(tb.Context())
		require.NoError(tb, err)
	})
	require.Empty(tb, summary.Catalogs[0].Error)
	require.Equal(tb, tables, summary.Catalogs[0].Unchanged)
	require.EqualValues(tb, tables, server.Count(standin.LoadTable))
	require.EqualValues(tb, tables, server.Count(standin.LoadTable, http.StatusNotModified))
	return summary, server, peakMiB
}

// BenchmarkScan reports what a scan of ten thousand unchanged tables costs.
func BenchmarkScan(b *testing.B) {
	const tables = 10_000
	b.Run("unchanged", func(b *testing.B) {
		var peak, loads, calls float64
		for range b.N {
			summary, server, mib := scanMany(b, tables)
			peak = max(peak, mib)
			loads = max(loads, float64(server.Count(standin.LoadTable)))
			calls = max(calls, float64(summary.Catalogs[0].PolicyCalls))
		}
		b.ReportMetric(peak, "peak-MiB")
		b.ReportMetric(loads, "loads")
		b.ReportMetric(calls, "policy-calls")
	})
}

func TestAnUnchangedTableCostsOneRequest(t *testing.T) {
	summary, server, _ := scanMany(t, 200)
	require.Zero(t, summary.Catalogs[0].PolicyCalls)
	require.Zero(t, server.Count(standin.ApplicablePolicies))
	require.EqualValues(t, 1+101, server.Count(standin.ListNamespaces))
}
