package queue

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

func TestTheStatusShowsWhatTheFleetDoes(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	empty, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.Empty(t, empty.Running)
	require.Empty(t, empty.Results)
	require.Len(t, empty.Kinds, len(jobs.Kinds()))

	running, waiting, done, dead := newJob(), newJob(), newJob(), newJob()
	dead.Kind = jobs.PurgeView
	saved, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, j *jobs.Job, p jobs.Progress) (any, error) {
		switch j.ID {
		case dead.ID:
			return nil, jobs.Permanentf("refused")
		case running.ID:
			if err := p.Save(ctx, nil, jobs.Counters{Files: 10, Bytes: 1000, Total: 50, Step: "data files"}); err != nil {
				return nil, err
			}
			saved <- struct{}{}
			select {
			case <-saved:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
			if err := p.Save(ctx, nil, jobs.Counters{Files: 30, Bytes: 3000, Total: 50, Step: "data files"}); err != nil {
				return nil, err
			}
			saved <- struct{}{}
			select {
			case <-release:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		return nil, nil
	}))
	b.result(done, b.enqueue(done))
	b.result(dead, b.enqueue(dead))
	b.gone()
	b.enqueue(running)
	waitFor(t, "a checkpoint", saved)
	b.enqueue(waiting)
	b.raw("jobs.purgee.POLARIS.lake.a.b.c", nats.Header{}, []byte("{}"))

	first, err := b.q.Status(t.Context())
	require.NoError(t, err)
	purges, views := first.Kinds[0], first.Kinds[slices.Index(jobs.Kinds(), jobs.PurgeView)]
	require.EqualValues(t, 1, purges.Waiting)
	require.Equal(t, 1, purges.Running)
	require.Zero(t, purges.Delayed)
	require.Positive(t, purges.OldestWaiting)
	require.Less(t, purges.OldestWaiting, patience)
	require.EqualValues(t, 1, views.Dead)
	require.Equal(t, dead.Tail(), views.NewestDead)
	require.Equal(t, []string{"jobs.purgee.POLARIS.lake.a.b.c"}, first.Unknown)
	require.EqualValues(t, 1, first.UnknownCount)
	require.Len(t, first.Running, 1)
	require.Equal(t, running.Tail(), first.Running[0].Tail)
	require.Equal(t, Holder{Worker: "w1", Job: running.ID, Kind: jobs.Purge, Since: first.Running[0].Holder.Since}, first.Running[0].Holder)
	require.Equal(t, jobs.Counters{Files: 10, Bytes: 1000, Total: 50, Step: "data files"}, first.Running[0].Counters)
	require.Len(t, first.Results, 2)
	require.Equal(t, jobs.Dead, first.Results[0].Result.Outcome, "newest first")
	require.Equal(t, done.Tail(), first.Results[1].Tail)

	saved <- struct{}{}
	waitFor(t, "another checkpoint", saved)
	second, err := b.q.Status(t.Context())
	require.NoError(t, err)
	first.Time = jobs.At(second.Time.Add(-2 * time.Second))
	second.RatesSince(first)
	require.InDelta(t, 10, second.Running[0].FilesPerSecond, 0.01)
	require.InDelta(t, 1000, second.Running[0].BytesPerSecond, 1)

	encoded, err := json.Marshal(second)
	require.NoError(t, err)
	var fields map[string]any
	requireJSON(t, encoded, &fields)
	require.Contains(t, fields, "kinds")
}

// The counts of a status are taken one after another, while a fleet is at work.
func TestJobsThatEndWhileTheyAreCountedAreNotOfAnUnknownKind(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	var last uint64
	for range 3 {
		last = b.enqueue(newJob())
	}
	b.raw("jobs.purgee.R.c.n.t", nats.Header{}, []byte("{}"))
	before := b.messages(b.q.jobs)
	require.NoError(t, b.q.removeJob(t.Context(), last))
	for _, list := range []uint64{0, 100} {
		s := &Status{}
		require.NoError(t, b.q.kindStatus(t.Context(), s, &jetstream.StreamInfo{}))
		require.NoError(t, b.q.unknownStatus(t.Context(), s, before, 2, list))
		require.EqualValues(t, 1, s.UnknownCount)
		require.NoError(t, b.q.unknownStatus(t.Context(), s, before, 3, 0))
		require.Zero(t, s.UnknownCount)
	}
}

// renewing does something after each look at a message.
type renewing struct {
	jetstream.Stream
	do func()
}

func (r renewing) GetMsg(ctx context.Context, sequence uint64, options ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	defer r.do()
	return r.Stream.GetMsg(ctx, sequence, options...)
}

// A renewal puts a lease behind those that have not been looked at yet.
func TestALeaseThatIsRenewedWhileLeasesAreListedIsListedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	var leases []*Lease
	for range 3 {
		job := newJob()
		lease, err := b.q.takeLease(t.Context(), job.LockKey(), Holder{Worker: "w1", Job: job.ID, Kind: job.Kind})
		require.NoError(t, err)
		leases = append(leases, lease)
	}
	q, renews := b.open(b.js), 0
	once := func(lease *Lease) jetstream.Stream {
		return renewing{b.q.locks.stream, sync.OnceFunc(func() { renews++; require.NoError(t, lease.renew(t.Context())) })}
	}
	q.locks.stream = once(leases[0])
	running, err := q.runningJobs(t.Context())
	require.NoError(t, err)
	require.Len(t, running, 3)
	q.locks.stream = once(leases[1]) // the first one now
	stray, err := (&sweep{q: q}).leasesWithoutJob(t.Context())
	require.NoError(t, err)
	require.Len(t, stray, 3)
	require.Equal(t, leases[1].revision, stray[0].revision)
	require.Equal(t, 2, renews)
}
