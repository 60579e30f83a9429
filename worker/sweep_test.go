package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/natstest"
	"deckhand/internal/queue"
	"deckhand/jobs"
)

func TestWhatASweepFoundIsATable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	report := &queue.SweepReport{DryRun: true, Unlisted: 2, Findings: []queue.SweepFinding{
		{What: queue.SweepEnded, Action: queue.SweepRemoved, Name: "jobs.purge.R.c.n.t.u", Detail: "it has ended"},
		{What: queue.SweepOld, Action: queue.SweepReported, Name: "jobs.x\x1b[2J", Detail: "queued since yesterday"},
		{What: queue.SweepNote, Action: queue.SweepRemoved, Name: "k", Error: "the stream is full"},
	}}
	require.NoError(t, printSweep(&out, report))
	require.Equal(t, `FOUND  ACTION            NAME                  WHY
ended  would be removed  jobs.purge.R.c.n.t.u  it has ended
old    reported          "jobs.x\x1b[2J"       queued since yesterday
note   failed            k                     the stream is full
and 2 more
`, out.String())
	require.ErrorContains(t, unfinished(report), "1 thing could not be put right")
}

func TestSweepsByHandAndByWorkersFindTheSame(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	js := server.JetStream(t)
	_, err := queue.Setup(t.Context(), js, queue.AssetsConfig{})
	require.NoError(t, err)
	got := worker(t, "sweep", "--nats-url", server.URL())
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, "nothing was found\n", got.Stdout)

	_, err = js.Publish(t.Context(), "jobs.purgee.R.c.n.t", []byte("{}"))
	require.NoError(t, err)
	got = worker(t, "sweep", "--dry-run", "--json", "--nats-url", server.URL())
	require.Equal(t, 0, got.Code, got.Stderr)
	report := decode[queue.SweepReport](t, got.Stdout)
	require.True(t, report.DryRun)
	require.Len(t, report.Findings, 1)
	require.Equal(t, queue.SweepUnknown, report.Findings[0].What)

	y := newYard(t, "")
	process, health := startWorker(t, y, "--nats-url", server.URL(), "--sweep-every", "2s")
	waitReady(t, process, health)
	clitest.Eventually(t, func() bool { return strings.Contains(process.Output(), "sweep found something to look at") }, "no sweep: %s", process.Output())
	clitest.Eventually(t, func() bool {
		_, metrics := get(t, health+"/metrics")
		return strings.Contains(metrics, `deckhand_sweep_findings_total{action="reported",what="unknown_kind"} 1`)
	}, "no metric")
	process.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, process.Wait(t), process.Output())
	require.Contains(t, process.Output(), "jobs.purgee.R.c.n.t")
	queued, err := js.Stream(t.Context(), jobs.StreamName)
	require.NoError(t, err)
	require.EqualValues(t, 1, queued.CachedInfo().State.Msgs)
}
