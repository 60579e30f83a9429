package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/chaos/history"
	"deckhand/internal/chaos/storms"
	"deckhand/internal/chaos/verdict"
	"deckhand/jobs"
)

// missing is what the run was to meet and has not.
func (r *round) missing() []string {
	wanted := slices.Clone(storms.Faults)
	for _, kind := range slices.Concat(r.workersMeet, r.brokersMeet) {
		wanted = append(wanted, string(kind))
	}
	slices.Sort(wanted)
	return verdict.Missing(verdict.Met(r.record.Events()), slices.Compact(wanted))
}

// calmDown waits until the queue is empty, as long as jobs go on ending.
func (r *round) calmDown(ctx context.Context) error {
	t := &traffic{js: r.js}
	last, moved := "", time.Now()
	for {
		queued, err := t.queued(ctx)
		if err == nil && len(queued) == 0 {
			break
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if now := fmt.Sprint(len(queued), r.lastResult(ctx)); now != last {
			last, moved = now, time.Now()
		}
		if time.Since(moved) > calm {
			break // what is left is a violation, see judge
		}
		time.Sleep(100 * time.Millisecond)
	}
	return r.results.finish(ctx)
}

// lastResult is the sequence of the newest; 0 when nobody answers.
func (r *round) lastResult(ctx context.Context) uint64 {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stream, err := r.js.Stream(ctx, "RESULTS")
	if err != nil {
		return 0
	}
	return stream.CachedInfo().State.LastSeq
}

// judge collects every violation.
func (r *round) judge(ctx context.Context) []string {
	events := r.record.Events()
	found := verdict.Overlaps(events)
	found = append(found, verdict.Ends(events)...)
	found = append(found, verdict.Exits(events)...)
	found = append(found, verdict.Panics(events)...)
	found = append(found, r.queued(ctx)...)
	found = append(found, r.plans(ctx)...)
	found = append(found, r.warehouse.Violations(ctx)...)
	if !r.disk { // nothing can be saved while it is full, so that more is done again
		found = append(found, r.work.Violations()...)
	}
	found = append(found, r.missing()...)
	r.summary(events)
	return found
}

// queued are the jobs that are left.
func (r *round) queued(ctx context.Context) []string {
	t := &traffic{js: r.js}
	subjects, err := t.queued(ctx)
	if err != nil {
		return []string{fmt.Sprintf("look at %s: %v", jobs.StreamName, err)}
	}
	var found []string
	for subject := range subjects {
		found = append(found, fmt.Sprintf("%s is still queued, and nothing has ended for %s", subject, calm))
	}
	return found
}

// plans are what is left of purges in shards: their end takes everything away.
func (r *round) plans(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	bucket, err := r.js.KeyValue(ctx, "shards")
	if err != nil {
		return []string{fmt.Sprintf("look at the bucket shards: %v", err)}
	}
	keys, err := bucket.Keys(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return []string{fmt.Sprintf("look at the bucket shards: %v", err)}
	}
	var found []string
	for _, key := range keys {
		found = append(found, fmt.Sprintf("%s is left in the bucket shards, although no job is queued", key))
	}
	return found
}

// summary says how much happened.
func (r *round) summary(events []history.Event) {
	counts := map[history.What]int{}
	for _, e := range events {
		counts[e.What]++
	}
	files, repeated := r.work.Counts()
	fmt.Printf("  %d jobs accepted, %d shared out, %d ended, %d runs begun, %d requests, %d commits\n",
		counts[history.Published], counts[history.Planned], counts[history.Ended], counts[history.Begins], counts[history.Asked], counts[history.Committed])
	fmt.Printf("  met: %s\n", verdict.List(verdict.Met(events)))
	fmt.Printf("  said: %s\n", verdict.List(verdict.Said(events)))
	fmt.Printf("  for living tables: %s (snapshots, files, manifests)\n", verdict.List(verdict.Done(events)))
	fmt.Printf("  %d files of dropped tables, %d deletes repeated: %.1f %%\n", files, repeated, 100*float64(repeated)/float64(max(files, 1)))
}
