package manifests

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"deckhand/internal/receipt"
)

// checkpoint names what a run has written, so that the next one can delete it or
// know what it was for.
type checkpoint struct {
	// Outputs is the part of the names that all files of the run share.
	Outputs string `json:"outputs"`
	// Manifests may be there with the numbers below this one.
	Manifests int `json:"manifests"`
	// Snapshot of the commits, and how many manifest lists of it may be there.
	Snapshot string `json:"snapshot,omitempty"`
	Lists    int    `json:"lists,omitempty"`
	// Sent: a commit may have been sent.
	Sent bool `json:"sent,omitempty"`
}

// begun reads the checkpoint of an earlier run; nil when there is none.
func begun(raw json.RawMessage) *checkpoint {
	var c checkpoint
	if len(raw) == 0 || json.Unmarshal(raw, &c) != nil || c.Outputs == "" || c.Manifests < 0 {
		return nil
	}
	return &c
}

// save stores the checkpoint, and fails when the job is no longer ours. A dry run
// stores none.
func (r *run) save(ctx context.Context, step string) error {
	if r.dryRun {
		return nil
	}
	if err := r.progress.Save(ctx, r.ck, r.receipt.counters(step)); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}

// resume deletes what an earlier run of the job has written, if it was cut off
// before it had sent a commit. Else a commit may come yet that needs it.
func (r *run) resume(ctx context.Context) error {
	earlier := begun(r.progress.Checkpoint())
	if earlier == nil || r.dryRun {
		return nil
	}
	r.receipt.Resumed = true
	if earlier.Sent {
		r.book.Note("an earlier run of this job had sent a commit that did not take place so far; what it has written stays for the case that it does, "+
			"and is found by orphan removal else: up to %d manifests %s/%s-m*.avro", earlier.Manifests, r.table.MetadataFolder, earlier.Outputs)
		return nil
	}
	outputs := &outputs{run: r, id: earlier.Outputs}
	for n := range earlier.Manifests {
		outputs.unneeded = append(outputs.unneeded, output{path: outputs.manifest(n), kind: receipt.Manifests})
	}
	for n := range earlier.Lists {
		outputs.unneeded = append(outputs.unneeded, output{path: outputs.list(earlier.Snapshot, n+1), kind: receipt.ManifestLists})
	}
	return outputs.clean(ctx)
}

// recall enters into the receipt what the summary of the job's own snapshot tells.
func (r *run) recall(summary map[string]string) {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(summary[name], 10, 64)
		return n
	}
	rc := r.receipt
	rc.Written.Files, rc.Replaced.Files, rc.Entries = number(summaryCreated), number(summaryReplaced), number(summaryProcessed)
	rc.After.Files = rc.Written.Files + number(summaryKept)
	rc.Before.Files = rc.Replaced.Files + number(summaryKept)
	r.book.Note("an earlier run of this job has committed it")
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }
