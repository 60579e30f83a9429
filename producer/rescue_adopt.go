package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/metastore"
	"deckhand/jobs"
)

// rescuer carries out verdicts. Without js it only says what it would do.
type rescuer struct {
	store *metastore.Store
	js    jetstream.JetStream
	log   *rescueLog
}

// rescue queues a table's jobs, and deletes the rows of each once it is stored.
// The error ends the rescue: what is needed cannot be reached.
func (r *rescuer) rescue(ctx context.Context, s sentence) error {
	if s.kept != nil {
		r.log.kept(s.table.rows(), s.table.name(), *s.kept)
		return nil
	}
	for i, batch := range s.batches {
		if r.js == nil {
			r.log.would(batch)
			continue
		}
		publication, err := r.publish(ctx, batch.Job)
		var field *jobs.FieldError
		if errors.As(err, &field) {
			rest := s.later
			for _, batch := range s.batches[i:] {
				rest = append(rest, batch.Rows...)
			}
			r.log.kept(rest, s.table.name(), verdict{err.Error(), "", needsPerson})
			return nil
		}
		if err != nil {
			return err
		}
		lost, err := r.forget(ctx, batch.Rows)
		r.log.queued(publication, batch, lost)
		if err != nil {
			return fmt.Errorf("%s is queued, but its rows are not all deleted (running this again is safe): %w", publication.Subject, err)
		}
	}
	if len(s.later) > 0 {
		r.log.kept(s.later, s.table.name(), verdict{"its manifests do not leave room for them in the same job, and they must not go before those",
			"run rescue again when the jobs of its manifests have ended", needsTime})
	}
	return nil
}

func (r *rescuer) publish(ctx context.Context, job *jobs.Job) (jobs.Publication, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, errors.New("no answer from NATS"))
	defer cancel()
	return jobs.Publish(ctx, r.js, job, jobs.PublishOptions{})
}

// forget deletes rows. lost are those that somebody else has changed or removed
// since they were read: that is theirs now, and no error.
func (r *rescuer) forget(ctx context.Context, rows []*metastore.Task) (lost []*metastore.Task, err error) {
	for _, row := range rows {
		deleted, err := r.store.Delete(ctx, row)
		if err != nil {
			return lost, err
		}
		if !deleted {
			lost = append(lost, row)
		}
	}
	return lost, nil
}
