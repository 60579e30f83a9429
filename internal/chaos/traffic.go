package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/chaos/history"
	"deckhand/internal/chaos/verdict"
	"deckhand/internal/chaos/warehouse"
	"deckhand/jobs"
)

// traffic is what is asked of the queue.
type traffic struct {
	js        jetstream.JetStream
	warehouse *warehouse.Warehouse
	record    *history.Record
	work      *verdict.Work
	random    *rand.Rand
	// size picks the next dropped table's.
	size func(*rand.Rand) warehouse.Size
	// most purges wait or run before the next table is dropped, and mostJobs of all
	// kinds.
	most, mostJobs int
}

// drop makes tables and publishes their purges until ctx ends. An accepted job is one
// that the queue has told of; what was not answered is asked again.
func (t *traffic) drop(ctx context.Context) error {
	for n := 1; ctx.Err() == nil; n++ {
		if !t.room(ctx) {
			return nil
		}
		d, err := t.warehouse.Drop(ctx, fmt.Sprintf("t%dx", n), t.size(t.random))
		if ctx.Err() != nil && err != nil {
			return nil
		}
		if err != nil {
			return err
		}
		t.work.Files(d.Files)
		// Once begun it is seen through: the table is dropped.
		if err := t.publish(context.WithoutCancel(ctx), d.Job, true); err != nil {
			return err
		}
		d.Accepted.Store(true)
	}
	return nil
}

// room waits until few enough jobs are queued; it is false when ctx has ended.
func (t *traffic) room(ctx context.Context) bool {
	for {
		if queued, err := t.queued(ctx); err == nil && len(queued) < t.mostJobs && purges(queued) < t.most {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// purges counts those that are not parts of others.
func purges(queued map[string]uint64) (n int) {
	for subject := range queued {
		if strings.HasPrefix(subject, jobs.SubjectPrefix+string(jobs.Purge)+".") {
			n++
		}
	}
	return n
}

// queued are the subjects of all jobs that wait or run.
func (t *traffic) queued(ctx context.Context) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stream, err := t.js.Stream(ctx, jobs.StreamName)
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return nil, err
	}
	return info.State.Subjects, nil
}

// maintain publishes jobs for the living tables until ctx ends.
func (t *traffic) maintain(ctx context.Context, pause time.Duration, random *rand.Rand) error {
	kinds := []jobs.Kind{jobs.Expire, jobs.Orphans, jobs.Manifests}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		living := t.warehouse.Living()
		job := living[random.IntN(len(living))].Job(kinds[random.IntN(len(kinds))])
		if err := t.publish(ctx, job, false); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// patience is how long the queue may take to accept a job.
const patience = 90 * time.Second

// publish asks until the queue takes the job. only says that no other job has its
// subject, so that "already queued" is about this one.
func (t *traffic) publish(ctx context.Context, job *jobs.Job, only bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the queue took no job for "+patience.String()))
	defer cancel()
	publication, err := jobs.Publish(ctx, t.js, job, jobs.PublishOptions{})
	for errors.Is(err, jobs.ErrQueueFull) && ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		publication, err = jobs.Publish(ctx, t.js, job, jobs.PublishOptions{})
	}
	if err != nil {
		return err
	}
	e := history.Event{What: history.Published, Job: job.ID, Tail: job.Tail(), Sequence: publication.Sequence, Text: string(publication.State)}
	if only && publication.Sequence == 0 {
		e.Text = "only"
	}
	t.record.Add(e)
	return nil
}
