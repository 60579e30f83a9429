package scan

import (
	"context"
	"encoding/json"
	"fmt"

	"deckhand/internal/policy"
	"deckhand/internal/queue"
	"deckhand/jobs"
)

// histories are those of a catalog's jobs, by tail.
type histories struct {
	byTail map[string]tableHistory
	// after is the sequence of the newest result that was read, by kind.
	after        map[jobs.Kind]uint64
	queued, dead map[string]bool
}

func newHistories() histories {
	return histories{byTail: map[string]tableHistory{}, after: map[jobs.Kind]uint64{}}
}

// refresh reads what has happened since the last time.
func (h *histories) refresh(ctx context.Context, q Queue, kinds []policy.Kind, realm, catalog string) error {
	h.queued, h.dead = map[string]bool{}, map[string]bool{}
	if q == nil {
		return nil
	}
	if err := h.startOver(ctx, q); err != nil {
		return err
	}
	for _, kind := range kinds {
		// What is queued before what has ended: a job that ends in between is seen
		// twice rather than not at all.
		queued, err := q.QueuedTails(ctx, kind, realm, catalog)
		if err != nil {
			return fmt.Errorf("%w: read what is queued: %w", ErrQueue, err)
		}
		dead, err := q.DeadTails(ctx, kind, realm, catalog)
		if err != nil {
			return fmt.Errorf("%w: read dead letters: %w", ErrQueue, err)
		}
		for result, err := range q.Results(ctx, queue.CatalogTails(kind, realm, catalog), h.after[kind]) {
			if err != nil {
				return fmt.Errorf("%w: read the history: %w", ErrQueue, err)
			}
			h.after[kind] = result.Sequence
			h.byTail[result.Tail] = after(h.byTail[result.Tail], result)
		}
		for tail := range queued {
			h.queued[tail] = true
		}
		for tail := range dead {
			h.dead[tail] = true
		}
	}
	return nil
}

// startOver forgets the results when their stream was made anew: its sequences
// begin at one again.
func (h *histories) startOver(ctx context.Context, q Queue) error {
	last, err := q.LastResultSequence(ctx)
	if err != nil {
		return fmt.Errorf("%w: read the history: %w", ErrQueue, err)
	}
	for _, after := range h.after {
		if after > last {
			*h = histories{byTail: map[string]tableHistory{}, after: map[jobs.Kind]uint64{}, queued: h.queued, dead: h.dead}
			return nil
		}
	}
	return nil
}

// tableHistory is of the table with the UUID; "" where the jobs did not say.
type tableHistory struct {
	policy.History
	uuid string
}

// of a tail, for the table that has the name now: what became of the jobs of one
// that was dropped says nothing about it.
func (h *histories) of(tail, uuid string) policy.History {
	found := h.byTail[tail]
	history := found.History
	if found.uuid != "" && uuid != "" && found.uuid != uuid {
		history = policy.History{}
	}
	history.Queued, history.DeadLetter = h.queued[tail], h.dead[tail]
	return history
}

// after adds a result to a history. Times are the server's, as one clock.
func after(h tableHistory, result queue.ResultStatus) tableHistory {
	ended := result.Time.Time
	if uuid := result.Result.TableUUID; uuid != "" {
		if h.uuid != "" && h.uuid != uuid {
			h = tableHistory{}
		}
		h.uuid = uuid
	}
	if result.Result.Outcome != jobs.Completed {
		h.LastFailure, h.Failures = ended, h.Failures+1
		return h
	}
	h.PreviousSuccess, h.LastSuccess, h.Failures = h.LastSuccess, ended, 0
	var did done
	if json.Unmarshal(result.Result.Receipt, &did) != nil {
		return h
	}
	if did.DryRun || !did.changed() {
		h.ZeroChanges++
	} else {
		h.ZeroChanges = 0
	}
	if did.DryRun {
		return h
	}
	h.FreedBytes, h.Left = did.freed(), did.left()
	if did.LastSequenceNumber > 0 {
		h.SequenceNumber = did.LastSequenceNumber
	}
	if did.Moved.Total().Files > 0 {
		h.Trashed = append(h.Trashed, ended)
		h.Trashed = h.Trashed[max(0, len(h.Trashed)-maxTrashed):]
	}
	return h
}
