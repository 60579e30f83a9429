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
	// streams that were looked at, by name.
	streams map[string]jetstream.Stream
	log     *rescueLog
	// again queues once more what was canceled, died and left no letter, or was a
	// dry run.
	again bool
}

// rescue queues a table's jobs, and deletes the rows of each once it is stored.
// The error ends the rescue: what is needed cannot be reached.
func (r *rescuer) rescue(ctx context.Context, s sentence) error {
	if s.kept == nil {
		var err error
		if s.kept, err = r.others(ctx, s); err != nil {
			return err
		}
	}
	if s.kept == nil && len(s.first) > 0 {
		var err error
		if s.kept, err = r.prepare(ctx, s); err != nil {
			return err
		}
	}
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
			var rest []*metastore.Task
			for _, batch := range s.batches[i:] {
				rest = append(rest, batch.Rows...)
			}
			r.log.kept(rest, s.table.name(), verdict{err.Error(), "", needsPerson})
			return nil
		}
		if err != nil {
			return err
		}
		if v, err := r.another(ctx, batch.Job, publication); v != nil || err != nil {
			if v != nil {
				r.log.kept(batch.Rows, s.table.name(), *v)
			}
			return err
		}
		lost, err := r.forget(ctx, batch.Rows)
		r.log.queued(publication, batch, lost)
		if err != nil {
			return fmt.Errorf("%s is queued, but its rows are not all deleted (running this again is safe): %w", publication.Subject, err)
		}
	}
	return nil
}

// another keeps the row of a purge that found its subject taken by the purge of
// other metadata: a table that was registered again and dropped again has the same
// UUID. Deleting the row would lose what only its metadata name.
func (r *rescuer) another(ctx context.Context, job *jobs.Job, publication jobs.Publication) (*verdict, error) {
	if publication.State != jobs.AlreadyQueued || job.MetadataLocation == "" {
		return nil, nil
	}
	queued, err := r.queuedJob(ctx, publication.Subject)
	if err != nil {
		return nil, err
	}
	if queued != nil && queued.MetadataLocation == job.MetadataLocation {
		return nil, nil
	}
	return &verdict{"an earlier purge of the same table, with another metadata file, is still queued",
		"run rescue again when that has ended", needsTime}, nil
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
