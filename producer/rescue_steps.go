package main

import (
	"context"
	"fmt"

	"deckhand/jobs"
)

// others keeps sub-tasks apart from the purge of their table, which an extension or
// a person may have queued: it reads the lists that they would delete.
func (r *rescuer) others(ctx context.Context, s sentence) (*verdict, error) {
	next := s.first
	if len(next) == 0 {
		next = s.batches
	}
	if r.js == nil || next[0].Job.Kind != jobs.PurgeFiles {
		return nil, nil
	}
	tail, err := r.purgeOf(ctx, jobs.StreamName, jobs.SubjectPrefix, next[0].Job)
	if err != nil {
		return nil, err
	}
	if tail != "" {
		return &verdict{fmt.Sprintf("a purge of a table of that name is queued (%s)", tail),
			"run rescue again when that has ended", needsTime}, nil
	}
	if s.table.dropped != nil {
		return nil, nil
	}
	tail, err = r.purgeOf(ctx, "DEAD", jobs.DeadSubjectPrefix, next[0].Job)
	if err != nil || tail == "" {
		return nil, err
	}
	return &verdict{fmt.Sprintf("a purge of a table of that name is dead (%s)", tail),
		fmt.Sprintf("settle that first: \"worker dead requeue %[1]s\", or \"worker dead drop %[1]s\" if its metadata file is gone", tail), needsPerson}, nil
}

// prepare sees to the jobs that come first: it queues those of which nothing is
// known. nil says that all have completed.
func (r *rescuer) prepare(ctx context.Context, s sentence) (*verdict, error) {
	completed, failed := 0, []verdict{}
	for _, batch := range s.first {
		if r.js == nil {
			r.log.ahead("would queue", batch)
			continue
		}
		end, reason, err := r.ending(ctx, batch.Job)
		if err != nil {
			return nil, err
		}
		subject := batch.Job.Subject()
		switch {
		case end == endCompleted && len(s.batches) > 0:
			completed++
		case end == endPending:
		case end == endDead:
			failed = append(failed, verdict{fmt.Sprintf("the job %s is dead: %s", subject, reason),
				fmt.Sprintf("mend it, \"worker dead requeue %s\", and run rescue again when it has ended", batch.Job.Tail()), needsPerson})
		case end == endVoid && !r.again:
			failed = append(failed, verdict{fmt.Sprintf("the job %s is %s", subject, reason),
				"run rescue with --again to queue it once more, or delete the rows if the files are to stay", needsPerson})
		case end == endCompleted && !r.again:
			// Its metadata file was looked at before.
			return &verdict{"its purge has completed, though its metadata file was still there a moment ago",
				"run rescue again, with --again if it says the same", needsTime}, nil
		default:
			publication, err := r.publish(ctx, batch.Job)
			if err != nil {
				return nil, err
			}
			r.log.ahead(string(publication.State), batch)
		}
	}
	switch {
	case len(failed) > 0:
		if more := len(failed) - 1; more > 0 {
			failed[0].reason += fmt.Sprintf(" (and %d more)", more)
		}
		return &failed[0], nil
	case completed == len(s.first):
		return nil, nil
	case len(s.batches) == 0:
		return &verdict{"its sub-tasks wait until its purge has completed, which reads what they delete", "run rescue again then", needsTime}, nil
	}
	return &verdict{fmt.Sprintf("%d of %d jobs of its manifests have completed, and the lists that name them must not go before the rest",
		completed, len(s.first)), "run rescue again when they have", needsTime}, nil
}
