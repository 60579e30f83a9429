package jobs

import "encoding/json"

// Outcome is how a job ended.
type Outcome string

const (
	// Completed: the work is done.
	Completed Outcome = "completed"
	// Planned: the job has handed its work to other jobs, and the last of those
	// records how it ends. This is the end of its message and not of the job: a
	// record with another outcome follows.
	Planned Outcome = "planned"
	// Canceled: someone removed the job.
	Canceled Outcome = "canceled"
	// Dead: the job failed for good; a copy lies in DEAD.
	Dead Outcome = "dead"
)

// Result is the record of a job's end, the body of a message on results.<tail>.
type Result struct {
	Version int    `json:"v"`
	JobID   string `json:"job_id"`
	Kind    Kind   `json:"kind"`
	// What the job was about, as in [Job].
	Realm     string   `json:"realm"`
	Catalog   string   `json:"catalog"`
	Namespace []string `json:"namespace"`
	Table     string   `json:"table"`
	TableUUID string   `json:"table_uuid,omitempty"`
	Outcome   Outcome  `json:"outcome"`
	// Reason says why a job was canceled or died, one line.
	Reason string `json:"reason,omitempty"`
	// Attempts spent, the last run included.
	Attempts int `json:"attempts"`
	// Worker that ended the job.
	Worker string `json:"worker"`
	// StartedAt and FinishedAt of the last run, by the worker's clock.
	StartedAt  Timestamp `json:"started_at,omitzero"`
	FinishedAt Timestamp `json:"finished_at"`
	// JobSequence of the message in JOBS, and when that stream was created: with
	// the job's id they tell a redelivery of the same message from a new job.
	JobSequence   uint64    `json:"job_seq"`
	StreamCreated Timestamp `json:"stream_created,omitzero"`
	// TraceParent of the job's message, if it had one.
	TraceParent string `json:"traceparent,omitempty"`
	// Receipt is the kind's own record of what was done.
	Receipt json.RawMessage `json:"receipt,omitempty"`
}
