package queue

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// full is a server whose disk can be filled: a small file system of its own.
type full struct {
	*bundle
	folder string
}

// setupSmallDisk skips the test where file systems may not be mounted.
func setupSmallDisk(t *testing.T) *full {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("none", folder, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("unmount %s: %v", folder, err)
		}
	})
	server := natstest.Start(t, natstest.Config{Conf: "jetstream { max_file_store: 1GB }", Folder: folder})
	b := &bundle{t: t, server: server, config: Config{Drain: time.Second}}
	b.js = server.JetStream(t)
	assets := AssetsConfig{AckWait: wait, JobsMaxBytes: 8 << 20, DeadMaxBytes: 1 << 20, ResultsMaxBytes: 1 << 20,
		LocksMaxBytes: 1 << 20, ProgressMaxBytes: 1 << 20, ShardsMaxBytes: 1 << 20}
	_, err := Setup(t.Context(), b.js, assets)
	require.NoError(t, err)
	b.q = b.open(b.js)
	return &full{bundle: b, folder: folder}
}

// fill leaves no byte on the disk, free gives it back.
func (f *full) fill() (free func()) {
	f.t.Helper()
	path := filepath.Join(f.folder, "filler")
	file, err := os.Create(path)
	require.NoError(f.t, err)
	_, err = io.CopyN(file, zeros{}, 64<<20)
	require.ErrorIs(f.t, err, syscall.ENOSPC)
	require.NoError(f.t, file.Close())
	return func() { require.NoError(f.t, os.Remove(path)) }
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (b *bundle) floor(kind jobs.Kind) uint64 {
	b.t.Helper()
	consumer, err := b.js.Consumer(b.t.Context(), jobs.StreamName, string(kind))
	require.NoError(b.t, err)
	return consumer.CachedInfo().AckFloor.Stream
}

// Trap 19, for real: a full disk takes acknowledgements and removes nothing. After
// the restart, which alone heals the stream, the messages lie under the consumer's
// floor, block their subjects and are never delivered.
func TestASweepClearsUpAfterAFullDisk(t *testing.T) {
	f := setupSmallDisk(t)
	var queued []*jobs.Job
	for range 24 {
		job := newJob()
		job.RequestedBy = strings.Repeat("x", 300)
		f.enqueue(job)
		queued = append(queued, job)
	}
	free := f.fill()
	f.eventually("the stream notices that the disk is full", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := jobs.Publish(ctx, f.js, newJob(), jobs.PublishOptions{})
		return err != nil
	})
	var settled []uint64
	for range 16 {
		msg := f.pullOne(f.js)
		meta, err := msg.Metadata()
		require.NoError(t, err)
		require.NoError(t, msg.DoubleAck(t.Context()), "the server says that it is settled")
		settled = append(settled, meta.Sequence.Stream)
	}
	free()
	f.restarted()
	floor, orphans := f.floor(jobs.Purge), map[uint64]*jobs.Job{}
	for i, sequence := range settled {
		if msg, err := f.q.jobs.GetMsg(t.Context(), sequence); err == nil && msg.Sequence <= floor {
			orphans[sequence] = queued[i]
		}
	}
	require.Greater(t, len(orphans), 4, "the disk was full, so messages stayed; the floor is %d", floor)
	for _, job := range orphans {
		require.Equal(t, jobs.AlreadyQueued, f.publish(job).State, "nothing takes it, and nothing can be queued in its place")
	}
	// One of two had ended; of the other only the consumer says so.
	var want []SweepFinding
	lost := map[string]bool{}
	for _, sequence := range settled {
		job := orphans[sequence]
		if job == nil {
			continue
		}
		if len(want)%2 == 0 {
			id := identity{job: job.ID, sequence: sequence, created: f.q.streamCreated()}
			_, err := f.q.recordResult(t.Context(), job.Tail(), id, &jobs.Result{
				Version: 1, JobID: job.ID, Kind: job.Kind, Outcome: jobs.Completed, JobSequence: sequence, StreamCreated: id.created,
			}, 0)
			require.NoError(t, err)
			want = append(want, SweepFinding{What: SweepEnded, Action: SweepRemoved, Name: job.Subject(), Sequence: sequence})
			continue
		}
		lost[job.ID] = true
		want = append(want, SweepFinding{What: SweepUndelivered, Action: SweepRequeued, Name: job.Subject(), Sequence: sequence})
	}
	before := f.messages(f.q.jobs)
	require.Equal(t, want, f.sweepUp(true))
	require.Equal(t, before, f.messages(f.q.jobs), "a dry run only looks")
	require.Equal(t, want, f.sweepUp(false))
	require.Empty(t, f.sweepUp(false), "there is nothing left")
	require.Zero(t, f.messages(f.q.dead), "what was moved is in the queue again")

	ran := make(chan string, 100)
	f.start(f.q, "w1", 4, handlerFunc(func(_ context.Context, job *jobs.Job, _ jobs.Progress) (any, error) {
		ran <- job.ID
		return nil, nil
	}))
	f.gone()
	close(ran)
	for id := range ran {
		delete(lost, id)
	}
	require.Empty(t, lost, "each job without an end was run")
}
