package expire

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"deckhand/internal/erase"
	"deckhand/internal/receipt"
)

// level is a step of what follows the plan. Their order is that of the deletes.
type level int

const (
	levelCommit level = iota
	levelData
	levelManifests
	levelLists
	levelStatistics
	levelRecord
)

var levelNames = [...]string{"commit", "data", "manifests", "manifest lists", "statistics", "record"}

func (l level) String() string { return levelNames[l] }

// checkpoint says how far a job has got. What the commit removes is in the
// record, which a checkpoint only names.
type checkpoint struct {
	// Record that is worked on; Own is one of this job.
	Record string `json:"record,omitempty"`
	Own    bool   `json:"own,omitempty"`
	// Committed: Removed has what the record removes.
	Committed bool  `json:"committed,omitempty"`
	Level     level `json:"level"`
	// Plan, Done and Stride are those of [erase.Entries].
	Plan   uint64 `json:"plan,omitempty"`
	Done   []byte `json:"done,omitempty"`
	Stride int    `json:"stride,omitempty"`
	// Unread are lists and manifests that stay, since what they name stays.
	Unread []uint64 `json:"unread,omitempty"`
	// Next is what Level deletes when it ends well. A level is repeated as a whole
	// and its files may be gone by then, so it is counted before.
	Next receipt.Counts `json:"next,omitempty"`
	// What was done in the levels before Level.
	Removed     Removed           `json:"removed,omitzero"`
	Snapshots   int               `json:"snapshots"`
	Deleted     receipt.Counts    `json:"deleted,omitempty"`
	Kept        receipt.KeptFiles `json:"kept,omitempty"`
	Absent      receipt.Counts    `json:"absent,omitempty"`
	AbsentPaths []string          `json:"absent_paths,omitempty"`
	AtMost      bool              `json:"at_most,omitempty"`
	Finished    int               `json:"finished,omitempty"`
	Conflicts   int               `json:"conflicts,omitempty"`
}

// These keep a checkpoint under 16 KiB: a bitmap is at most 5.5 KiB of base64,
// 100 snapshot ids 2.3 KiB, 32 hashes 0.7 KiB, and each list of paths gets 1 KiB.
const (
	maxUnread  = 32
	maxListed  = 1 << 10
	maxSpecIDs = 100
)

// begun reads the checkpoint of an earlier run; nil when there is none.
func begun(raw json.RawMessage) *checkpoint {
	var c checkpoint
	if len(raw) == 0 || json.Unmarshal(raw, &c) != nil || c.Level < levelCommit || c.Level > levelRecord || c.Stride < 0 {
		return nil
	}
	return &c
}

// resume takes over what an earlier run stored.
func (r *run) resume() {
	earlier := begun(r.progress.Checkpoint())
	if earlier == nil || r.dryRun {
		return
	}
	r.ck = *earlier
	rc := r.receipt
	rc.Resumed = true
	rc.Removed, rc.Snapshots = earlier.Removed, max(rc.Snapshots, earlier.Snapshots)
	rc.Deleted, rc.Absent, rc.AbsentPaths = earlier.Deleted.Clone(), earlier.Absent.Clone(), earlier.AbsentPaths
	rc.Kept, rc.AtMost = earlier.Kept, earlier.AtMost
	rc.Finished, rc.Conflicts = earlier.Finished, earlier.Conflicts
}

// enter stores that a level begins. kept is what was kept before it: what it
// keeps itself is found again when it is repeated.
func (r *run) enter(ctx context.Context, at level, next receipt.Counts, kept receipt.KeptFiles) error {
	rc := r.receipt
	r.ck.Level, r.ck.Next = at, next
	if at != levelData {
		r.ck.Plan, r.ck.Done, r.ck.Stride = 0, nil, 0
	}
	r.ck.Removed, r.ck.Snapshots = rc.Removed, rc.Snapshots
	r.ck.Removed.Refs = receipt.FewPaths(rc.Removed.Refs, maxListed)
	r.ck.Removed.Specs = rc.Removed.Specs[:min(len(rc.Removed.Specs), maxSpecIDs)]
	r.ck.Removed.Schemas = rc.Removed.Schemas[:min(len(rc.Removed.Schemas), maxSpecIDs)]
	r.ck.Deleted, r.ck.Absent = rc.Deleted.Clone(), rc.Absent.Clone()
	r.ck.AbsentPaths = receipt.FewPaths(rc.AbsentPaths, maxListed)
	r.ck.Kept, r.ck.AtMost = kept, rc.AtMost
	r.ck.Finished, r.ck.Conflicts = rc.Finished, rc.Conflicts
	return r.save(ctx, r.ck)
}

// save stores a checkpoint, and fails when the job is no longer ours. A dry run
// stores none.
func (r *run) save(ctx context.Context, ck checkpoint) error {
	if r.dryRun {
		return nil
	}
	if err := r.progress.Save(ctx, ck, r.receipt.counters(ck.Level.String())); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}

// leave remembers a list or manifest that stays because it cannot be read.
func (r *run) leave(path string) {
	if hash := erase.PathHash(path); !slices.Contains(r.ck.Unread, hash) {
		r.ck.Unread = append(r.ck.Unread, hash)
	}
}

func (r *run) isLeft(path string) bool { return slices.Contains(r.ck.Unread, erase.PathHash(path)) }
