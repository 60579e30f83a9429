// Package jobs is Deckhand's contract: what a job is, which subject it travels
// on, how it is published and how it ends. CONTRACT.md in this folder says the
// same for publishers in other languages, and the files in testdata hold both
// to the same bytes.
//
// The life of a job in five lines:
//
//	Publish   stores it in the stream JOBS, at most one per subject
//	claim     a worker takes it, leases its table and counts the attempt
//	Run       a [Handler] works, saving checkpoints through a [Progress]
//	settle    the outcome is recorded as a [Result] on results.<tail>
//	end       completed, canceled, or dead (then a copy lies on dead.<tail>)
//
// A handler ends a run early with [Snooze] (later, no attempt spent) or
// [Permanent] (never again). Any other error is tried again with back-off.
//
// The package imports nothing internal, so that anyone can publish jobs with
// it. It does not run jobs (internal/queue does) and knows no kind's work.
package jobs
