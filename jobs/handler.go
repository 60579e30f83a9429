package jobs

import (
	"context"
	"encoding/json"
)

// Handler runs the jobs of one kind. It must be idempotent: a run can be cut off
// at any point and repeated, and very rarely two runs of one job overlap for a
// moment.
type Handler interface {
	// Run does the job's work until it is done, fails, or ctx ends. The receipt
	// is stored as the result's, whatever the error; it must encode to at most
	// 64 KiB of JSON. See [Snooze], [Permanent] and [ErrUnavailable] for what an
	// error means.
	Run(ctx context.Context, job *Job, progress Progress) (receipt any, err error)
}

// AfterResult is implemented by handlers that have something to do once a
// terminal result is stored. It also runs when a redelivery finds the result
// already there, so it must be idempotent.
type AfterResult interface {
	AfterResult(ctx context.Context, job *Job, result *Result) error
}

// Progress is how a handler keeps its place and shows that it lives.
type Progress interface {
	// Attempt is the number of this run, from 1.
	Attempt() int
	// Checkpoint is what an earlier run of this job saved last; nil if none did.
	Checkpoint() json.RawMessage
	// Earlier is how this very job, by its id, has ended before; nil if it has
	// not, as far as RESULTS remembers. A publisher that did not learn that its
	// job was stored may publish it again after the end. A job that is [Planned]
	// has handed its work on.
	Earlier() *Result
	// Save stores a checkpoint of at most 16 KiB of JSON, and the counters beside
	// it. What a checkpoint says is done must be done before it is saved. The
	// error means that the run no longer owns the job, or that it could not be
	// stored; the run should end with it.
	Save(ctx context.Context, checkpoint any, counters Counters) error
	// Alive says that a request just succeeded. A run that neither saves nor is
	// alive for the stall timeout is canceled and tried again.
	Alive()
}

// Counters are what a running job shows to people.
type Counters struct {
	// Files done so far, and their bytes.
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
	// Total number of files when it is known, else 0.
	Total int64 `json:"total,omitempty"`
	// Step names what the job is doing, a word or two.
	Step string `json:"step,omitempty"`
}
