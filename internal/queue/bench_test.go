package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

const benchSlots = 8

// benchQueue fills JOBS with b.N jobs on a server with file storage, in the
// process and over TCP, as "worker run --embedded" has it.
func benchQueue(b *testing.B) (jetstream.JetStream, *Queue) {
	b.Helper()
	server := natstest.Start(b, natstest.Config{})
	js := server.JetStream(b)
	cfg := smallAssets(2 * time.Minute)
	cfg.JobsMaxBytes, cfg.ResultsMaxBytes, cfg.LocksMaxBytes, cfg.ProgressMaxBytes = 1<<30, 1<<30, 256<<20, 256<<20
	_, err := Setup(b.Context(), js, cfg)
	require.NoError(b, err)
	q, err := Open(b.Context(), js, Config{})
	require.NoError(b, err)
	var publishers sync.WaitGroup
	for p := range 16 {
		publishers.Go(func() {
			for i := p; i < b.N; i += 16 {
				job := newJob()
				job.TableUUID = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
				if _, err := jobs.Publish(b.Context(), js, job, jobs.PublishOptions{}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	return js, q
}

// BenchmarkProtocol sets the whole life of a job in a worker beside the least
// that a queue can do on the same server.
func BenchmarkProtocol(b *testing.B) {
	b.Run("deckhand", benchJobs)
	b.Run("rival", benchNextDoubleAck)
}

// benchJobs runs jobs with a handler that does nothing.
func benchJobs(b *testing.B) {
	_, q := benchQueue(b)
	done := make(chan struct{})
	var count atomic.Int64
	observer := &countdown{left: int64(b.N), count: &count, done: done}
	worker, err := NewWorker(q, WorkerConfig{
		Name: "bench", Slots: map[jobs.Kind]int{jobs.Purge: benchSlots},
		Handlers: map[jobs.Kind]jobs.Handler{jobs.Purge: handlerFunc(
			func(context.Context, *jobs.Job, jobs.Progress) (any, error) { return nil, nil })},
		Observer: observer, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(b, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	cpu := cpuTime()
	b.ResetTimer()
	go func() { ended <- worker.Run(ctx) }()
	<-done
	b.StopTimer()
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-µs/job")
	stop()
	require.NoError(b, <-ended)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// countdown is an Observer that tells when all jobs are completed.
type countdown struct {
	ignore
	left  int64
	count *atomic.Int64
	done  chan struct{}
}

func (c *countdown) JobSettled(_ jobs.Kind, ending Ending, _ time.Duration, _ int) {
	if ending == EndCompleted && c.count.Add(1) == c.left {
		close(c.done)
	}
}

// benchNextDoubleAck takes messages and acknowledges them safely.
func benchNextDoubleAck(b *testing.B) {
	js, _ := benchQueue(b)
	consumer, err := js.Consumer(b.Context(), jobs.StreamName, string(jobs.Purge))
	require.NoError(b, err)
	var left atomic.Int64
	left.Store(int64(b.N))
	var slots sync.WaitGroup
	cpu := cpuTime()
	b.ResetTimer()
	for range benchSlots {
		slots.Go(func() {
			for left.Add(-1) >= 0 {
				msg, err := consumer.Next(jetstream.FetchMaxWait(30 * time.Second))
				if err == nil {
					err = msg.DoubleAck(b.Context())
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	slots.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-µs/job")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// cpuTime is what the process, client and server, has used so far. Unlike jobs/s
// it means something on a busy machine.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
