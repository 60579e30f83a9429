package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/queue"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func serve(t *testing.T, cfg ServerConfig) string {
	t.Helper()
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(Build{})
	}
	server, err := Serve(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close(context.Background())) })
	return "http://" + server.Address()
}

func TestHealthFollowsItsProbes(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	url := serve(t, ServerConfig{
		Live: func() error { return nil },
		Ready: func() error {
			if ready.Load() {
				return nil
			}
			return errors.New("waiting for NATS")
		},
	})
	code, body := get(t, url+"/livez")
	require.Equal(t, 200, code)
	require.Equal(t, "ok\n", body)
	code, body = get(t, url+"/readyz")
	require.Equal(t, 503, code)
	require.Equal(t, "waiting for NATS\n", body)
	ready.Store(true)
	code, _ = get(t, url+"/readyz")
	require.Equal(t, 200, code)
}

func TestProfilesAreServedOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	code, _ := get(t, serve(t, ServerConfig{})+"/debug/pprof/")
	require.Equal(t, 404, code)
	code, body := get(t, serve(t, ServerConfig{PProf: true})+"/debug/pprof/")
	require.Equal(t, 200, code)
	require.Contains(t, body, "goroutine")
}

func TestTakenAddressIsAnError(t *testing.T) {
	t.Parallel()
	url := serve(t, ServerConfig{})
	_, err := Serve(ServerConfig{Address: strings.TrimPrefix(url, "http://"), Metrics: NewMetrics(Build{})})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

type running struct{}

func (running) Running() map[jobs.Kind]int { return map[jobs.Kind]int{jobs.Purge: 3} }
func (running) ProgressAge() map[jobs.Kind]time.Duration {
	return map[jobs.Kind]time.Duration{jobs.Purge: 90 * time.Second}
}

func TestMetricsHaveTheirDocumentedNames(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Build{Version: "v1", Revision: "abc", Go: "go1"})
	m.Slots(jobs.Purge, 4)
	m.Watch(running{}, []jobs.Kind{jobs.Purge, jobs.PurgeView})
	m.JobStarted(jobs.Purge, 2*time.Second)
	m.JobSettled(jobs.Purge, queue.EndCompleted, 3*time.Second, 2)
	m.JobSettled(jobs.PurgeView, queue.EndDead, 0, 0)
	m.Heartbeat(time.Millisecond)
	m.LeaseLost()
	m.StorageRequest("DeleteObjects", "OK")
	m.StorageThrottled("bucket")
	m.FileDeleted(100)
	m.FileDeleted(-1)
	m.FileMoved()
	m.Published("lake", jobs.Orphans, 2)
	m.WatchStorage(func() []storage.Limit {
		return []storage.Limit{{Bucket: "b", Window: 32, Waiting: 7, Batches: storage.Pace{Rate: 3.5, Sent: 20, Refused: 1}}}
	})
	_, body := get(t, serve(t, ServerConfig{Metrics: m})+"/metrics")
	for _, want := range []string{
		`deckhand_jobs_settled_total{kind="purge",outcome="completed"} 1`,
		`deckhand_jobs_settled_total{kind="purge-view",outcome="dead"} 1`,
		`deckhand_job_duration_seconds_sum{kind="purge",outcome="completed"} 3`,
		`deckhand_job_queue_seconds_sum{kind="purge"} 2`,
		`deckhand_job_attempts_sum{kind="purge"} 2`,
		`deckhand_job_slots{kind="purge"} 4`,
		`deckhand_jobs_running{kind="purge"} 3`,
		`deckhand_jobs_running{kind="purge-view"} 0`,
		`deckhand_job_progress_age_seconds{kind="purge"} 90`,
		`deckhand_lease_lost_total 1`,
		`deckhand_heartbeat_seconds_count 1`,
		`deckhand_files_deleted_total 2`,
		`deckhand_bytes_deleted_total 100`,
		`deckhand_files_moved_total 1`,
		`deckhand_jobs_published_total{catalog="lake",kind="orphans"} 2`,
		`deckhand_storage_requests_total{code="OK",op="DeleteObjects"} 1`,
		`deckhand_storage_throttled_total 1`,
		`deckhand_storage_window{bucket="b",endpoint=""} 32`,
		`deckhand_storage_waiting{bucket="b",endpoint=""} 7`,
		`deckhand_storage_rate{bucket="b",endpoint="",requests="batches"} 3.5`,
		`deckhand_storage_sent_total{bucket="b",endpoint="",requests="batches"} 20`,
		`deckhand_storage_refused_total{bucket="b",endpoint="",requests="batches"} 1`,
		`deckhand_build_info{goversion="go1",revision="abc",version="v1"} 1`,
		`go_goroutines`,
	} {
		require.Contains(t, body, want)
	}
	require.NotContains(t, body, `deckhand_storage_rate{bucket="b",endpoint="",requests="reads"}`, "reads are not paced")
	require.NotContains(t, body, `deckhand_job_duration_seconds_sum{kind="purge-view"`, "a job that did not run has no duration")
}

func TestLogsAreJSONUnlessSomeoneReadsThem(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	NewLogger(&out, LogConfig{}).Info("job settled", slog.String(KeyJob, "j1"), slog.Duration("ran", 1500*time.Millisecond))
	var record map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &record))
	require.Equal(t, "j1", record["job"])
	require.Equal(t, "1.5s", record["ran"])

	out.Reset()
	NewLogger(&out, LogConfig{Format: "text", Level: slog.LevelWarn}).Info("hidden")
	require.Empty(t, out.String())
	NewLogger(&out, LogConfig{Format: "text"}).Info("shown", slog.String(KeyJob, "j1"))
	require.Contains(t, out.String(), "INF shown job=j1")
	require.NotContains(t, out.String(), "\x1b", "no colour where no terminal is")
}

func TestVersionNamesTheCommit(t *testing.T) {
	t.Parallel()
	build := Build{Go: "go1"}
	build.fill(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"},
	}})
	require.Equal(t, "v1.2.3 (0123456789ab-dirty, go1)", build.String())
	build = Build{Version: "linked", Go: "go1"}
	build.fill(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}})
	require.Equal(t, "linked (go1)", build.String())
	require.NotEmpty(t, ReadBuild("").Version)
}

func TestSweepsCountWhatTheyFound(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Build{})
	m.Swept(&queue.SweepReport{Findings: []queue.SweepFinding{
		{What: queue.SweepEnded, Action: queue.SweepRemoved}, {What: queue.SweepEnded, Action: queue.SweepRemoved},
		{What: queue.SweepUndelivered, Action: queue.SweepRequeued, Error: "denied"},
	}}, nil)
	m.Swept(nil, errors.New("no answer"))
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body := answer.Body.String()
	for _, want := range []string{
		`deckhand_sweeps_total{result="done"} 1`, `deckhand_sweeps_total{result="failed"} 1`,
		`deckhand_sweep_findings_total{action="removed",what="ended"} 2`,
		`deckhand_sweep_findings_total{action="failed",what="undelivered"} 1`,
	} {
		require.Contains(t, body, want+"\n")
	}
}
