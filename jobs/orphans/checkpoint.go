package orphans

import (
	"context"
	"encoding/json"
	"fmt"

	"deckhand/internal/receipt"
)

// checkpoint keeps what was done for the receipt: a run that is cut off is repeated
// as a whole.
type checkpoint struct {
	Deleted receipt.Counts `json:"deleted,omitempty"`
	Moved   receipt.Counts `json:"moved,omitempty"`
	Emptied receipt.Count  `json:"emptied,omitzero"`
	Trash   []string       `json:"trash,omitempty"`
}

// maxCheckpointPaths is how many bytes of JSON the paths of a checkpoint have.
const maxCheckpointPaths = 4 << 10

// save stores what was done, and fails when the job is no longer ours. A dry run
// stores nothing.
func (r *run) save(ctx context.Context) error {
	if r.dryRun {
		return nil
	}
	rc := r.receipt
	ck := checkpoint{Deleted: rc.Deleted, Moved: rc.Moved, Emptied: rc.Emptied, Trash: receipt.FewPaths(rc.Trash, maxCheckpointPaths)}
	counters := rc.counters("delete")
	counters.Total = int64(r.found.count)
	if err := r.progress.Save(ctx, ck, counters); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}

// resume takes over what an earlier run has counted.
func (r *run) resume() {
	var earlier checkpoint
	raw := r.progress.Checkpoint()
	if r.dryRun || len(raw) == 0 || json.Unmarshal(raw, &earlier) != nil {
		return
	}
	rc := r.receipt
	rc.Resumed = true
	rc.Deleted, rc.Moved, rc.Emptied, rc.Trash = earlier.Deleted.Clone(), earlier.Moved.Clone(), earlier.Emptied, earlier.Trash
}
