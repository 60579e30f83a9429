package queue

import (
	"time"

	"deckhand/jobs"
)

// Status is what a fleet does now, as NATS knows it. Times are the server's.
type Status struct {
	Time  jobs.Timestamp `json:"time"`
	Kinds []KindStatus   `json:"kinds"`
	// Running jobs, oldest first, at most 1,000, but for those of Purges.
	Running []RunningJob `json:"running"`
	// Purges that are shared out, oldest first, at most 100.
	Purges []SharedPurge `json:"purges,omitempty"`
	// Results are the last ten, newest first.
	Results []ResultStatus `json:"results"`
	// Unknown are subjects in JOBS whose kind has no consumer: they wait for ever.
	Unknown []string `json:"unknown,omitempty"`
	// UnknownCount is their number, also where the subjects are too many to list.
	UnknownCount uint64 `json:"unknown_count,omitempty"`
	// Bytes in JOBS and its limit.
	Bytes    uint64 `json:"bytes"`
	MaxBytes int64  `json:"max_bytes"`
}

// KindStatus counts the jobs of one kind.
type KindStatus struct {
	Kind jobs.Kind `json:"kind"`
	// Waiting jobs were never delivered, or wait for a free worker again.
	Waiting uint64 `json:"waiting"`
	Running int    `json:"running"`
	// Delayed jobs come back at a later time.
	Delayed int `json:"delayed"`
	// OldestWaiting is the age of the oldest waiting job, 0 if none waits.
	OldestWaiting time.Duration `json:"oldest_waiting_ns"`
	// PausedUntil is zero unless the kind is paused.
	PausedUntil jobs.Timestamp `json:"paused_until,omitzero"`
	// Dead letters of the kind, and the newest one's tail.
	Dead       uint64 `json:"dead"`
	NewestDead string `json:"newest_dead,omitempty"`
	// NoConsumer: the kind's consumer is missing; "worker setup" creates it.
	NoConsumer bool `json:"no_consumer,omitempty"`
}

// RunningJob is one lease and the progress of its job.
type RunningJob struct {
	Key    string `json:"key"`
	Holder Holder `json:"holder"`
	// Tail of the job.
	Tail       string         `json:"tail"`
	Attempts   int            `json:"attempts"`
	Counters   jobs.Counters  `json:"counters"`
	Updated    jobs.Timestamp `json:"updated,omitzero"`
	FirstError string         `json:"first_error,omitempty"`
	LastError  string         `json:"last_error,omitempty"`
	// FilesPerSecond and BytesPerSecond are set by [Status.RatesSince].
	FilesPerSecond float64 `json:"files_per_second,omitempty"`
	BytesPerSecond float64 `json:"bytes_per_second,omitempty"`
}

// ResultStatus is one record of RESULTS.
type ResultStatus struct {
	Tail     string         `json:"tail"`
	Sequence uint64         `json:"seq"`
	Time     jobs.Timestamp `json:"time"`
	Result   jobs.Result    `json:"result"`
}

// RatesSince fills the rates of the jobs that an earlier status shows running
// under the same claim.
func (s *Status) RatesSince(earlier *Status) {
	if earlier == nil {
		return
	}
	seconds := s.Time.Sub(earlier.Time.Time).Seconds()
	if seconds <= 0 {
		return
	}
	before := map[string]RunningJob{}
	for _, job := range earlier.allRunning() {
		before[job.Key+job.Holder.Since.String()] = *job
	}
	for _, now := range s.allRunning() {
		if then, found := before[now.Key+now.Holder.Since.String()]; found {
			now.FilesPerSecond = float64(now.Counters.Files-then.Counters.Files) / seconds
			now.BytesPerSecond = float64(now.Counters.Bytes-then.Counters.Bytes) / seconds
		}
	}
	for i := range s.Purges {
		s.Purges[i].rateSince(earlier, seconds)
	}
}

// allRunning are the running jobs, those of shared purges too.
func (s *Status) allRunning() (all []*RunningJob) {
	for i := range s.Running {
		all = append(all, &s.Running[i])
	}
	for p := range s.Purges {
		for i := range s.Purges[p].Running {
			all = append(all, &s.Purges[p].Running[i])
		}
	}
	return all
}
