package queue

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

const (
	maxStatusRunning = 1000
	maxStatusResults = 10
	// maxSubjectList is the number of subjects above which JOBS is not asked for
	// all of them: a million take the server longer than it may answer.
	maxSubjectList = 50_000
)

// Status reads the state of the fleet from NATS alone; it changes nothing and
// asks no worker.
func (q *Queue) Status(ctx context.Context) (*Status, error) {
	s, dead, err := q.counts(ctx)
	if err != nil {
		return nil, err
	}
	if err := q.sharedPurges(ctx, s, dead); err != nil {
		return nil, err
	}
	s.Results, err = q.recentResults(ctx)
	return s, err
}

// Counts is [Queue.Status] without Purges and Results, for those who look often: a
// purge of a thousand shards alone takes a thousand questions, all to one server.
func (q *Queue) Counts(ctx context.Context) (*Status, error) {
	s, _, err := q.counts(ctx)
	return s, err
}

// counts also gives the subjects of the dead letters.
func (q *Queue) counts(ctx context.Context) (s *Status, dead map[string]uint64, err error) {
	info, err := q.streamInfo(ctx, q.jobs)
	if err != nil {
		return nil, nil, err
	}
	s = &Status{Time: jobs.At(info.TimeStamp), Bytes: info.State.Bytes, MaxBytes: info.Config.MaxBytes}
	if s.Running, err = q.runningJobs(ctx); err != nil {
		return nil, nil, err
	}
	if err := q.kindStatus(ctx, s, info); err != nil {
		return nil, nil, err
	}
	dead, err = q.deadStatus(ctx, s)
	return s, dead, err
}

func (q *Queue) streamInfo(ctx context.Context, stream jetstream.Stream, options ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	name := stream.CachedInfo().Config.Name
	info, err := stream.Info(ctx, options...)
	return info, explain(q.js.Conn(), "look at stream "+name, "$JS.API.STREAM.INFO."+name, err)
}

// kindStatus fills the counts per kind, and finds the jobs that no kind takes.
func (q *Queue) kindStatus(ctx context.Context, s *Status, info *jetstream.StreamInfo) error {
	running := map[jobs.Kind]int{}
	for _, job := range s.Running {
		running[job.Holder.Kind]++
	}
	taken := uint64(0)
	for _, kind := range jobs.Kinds() {
		status := KindStatus{Kind: kind, Running: running[kind]}
		consumer, err := q.js.Consumer(ctx, jobs.StreamName, string(kind))
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			status.NoConsumer = true
		case err != nil:
			return explain(q.js.Conn(), "look at consumer "+consumerName(kind), "$JS.API.CONSUMER.INFO."+jobs.StreamName+"."+string(kind), err)
		default:
			state := consumer.CachedInfo()
			status.Waiting = state.NumPending
			status.Running = min(status.Running, state.NumAckPending)
			status.Delayed = state.NumAckPending - status.Running
			if state.Paused {
				status.PausedUntil = jobs.At(s.Time.Add(state.PauseRemaining))
			}
			taken += state.NumPending + uint64(state.NumAckPending)
			if status.Waiting > 0 {
				oldest, err := q.jobs.GetMsg(ctx, state.Delivered.Stream+1, jetstream.WithGetMsgSubject(jobs.SubjectPrefix+string(kind)+".>"))
				if err == nil {
					status.OldestWaiting = max(0, info.TimeStamp.Sub(oldest.Time))
				}
			}
		}
		s.Kinds = append(s.Kinds, status)
	}
	if info.State.Msgs <= taken {
		return nil
	}
	return q.unknownStatus(ctx, s, info.State.Msgs, taken, maxSubjectList)
}

// unknownStatus finds the jobs that no kind takes; before is how many there were before
// taken were counted, and list how many are asked for by name.
func (q *Queue) unknownStatus(ctx context.Context, s *Status, before, taken, list uint64) error {
	// The counts were taken one after another, while jobs came and went.
	info, err := q.streamInfo(ctx, q.jobs)
	if err != nil {
		return err
	}
	s.UnknownCount = min(before, info.State.Msgs) - min(before, info.State.Msgs, taken)
	if s.UnknownCount == 0 || info.State.NumSubjects > list {
		return nil
	}
	all, err := q.streamInfo(ctx, q.jobs, jetstream.WithSubjectFilter(jobs.SubjectPrefix+">"))
	if err != nil {
		return err
	}
	for _, subject := range slices.Sorted(maps.Keys(all.State.Subjects)) {
		kind, _, _ := strings.Cut(strings.TrimPrefix(subject, jobs.SubjectPrefix), ".")
		if !slices.ContainsFunc(s.Kinds, func(k KindStatus) bool { return string(k.Kind) == kind && !k.NoConsumer }) {
			s.Unknown = append(s.Unknown, subject)
		}
	}
	s.UnknownCount = uint64(len(s.Unknown))
	return nil
}

// runningJobs are the leases and, for each, the progress of its job.
func (q *Queue) runningJobs(ctx context.Context) ([]RunningJob, error) {
	running, listed := []RunningJob{}, map[string]int{}
	for next := uint64(1); len(running) < maxStatusRunning; {
		msg, err := q.locks.stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(q.locks.prefix+">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, explain(q.js.Conn(), "read leases", getAt(locksStream), err)
		}
		next = msg.Sequence + 1
		entry := q.locks.entry(msg)
		job := RunningJob{Key: entry.key}
		rest, isTable := strings.CutPrefix(entry.key, "table.")
		if entry.value == nil || json.Unmarshal(entry.value, &job.Holder) != nil || !isTable {
			continue
		}
		job.Tail = string(job.Holder.Kind) + "." + rest
		found, err := q.progress.get(ctx, job.Tail)
		if err != nil {
			return nil, explain(q.js.Conn(), "read progress", getLast(progressStream, q.progress.prefix+job.Tail), err)
		}
		var p progressEntry
		if found.value != nil && json.Unmarshal(found.value, &p) == nil && p.Job == job.Holder.Job {
			job.Attempts, job.Counters, job.Updated = p.Attempts, p.Counters, p.Updated
			job.FirstError, job.LastError = p.FirstError, p.LastError
		}
		if i, again := listed[job.Key]; again {
			running[i] = job // it was renewed meanwhile, and so came once more
			continue
		}
		listed[job.Key] = len(running)
		running = append(running, job)
	}
	slices.SortStableFunc(running, func(a, b RunningJob) int { return a.Holder.Since.Compare(b.Holder.Since.Time) })
	return running, nil
}

// deadStatus counts the dead letters, and returns their number by subject.
func (q *Queue) deadStatus(ctx context.Context, s *Status) (map[string]uint64, error) {
	info, err := q.streamInfo(ctx, q.dead, jetstream.WithSubjectFilter(jobs.DeadSubjectPrefix+">"))
	if err != nil {
		return nil, err
	}
	for subject, count := range info.State.Subjects {
		// A job that a sweep could not move to its end is one of its kind too.
		kind, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(subject, jobs.DeadSubjectPrefix), sweepToken), ".")
		i := slices.IndexFunc(s.Kinds, func(k KindStatus) bool { return string(k.Kind) == kind })
		if i < 0 {
			i = len(s.Kinds)
			s.Kinds = append(s.Kinds, KindStatus{Kind: jobs.Kind(kind), NoConsumer: true})
		}
		s.Kinds[i].Dead += count
	}
	for i := range s.Kinds {
		if s.Kinds[i].Dead == 0 {
			continue
		}
		for _, kept := range []string{"", sweepToken} {
			newest, err := q.dead.GetLastMsgForSubject(ctx, jobs.DeadSubjectPrefix+kept+string(s.Kinds[i].Kind)+".>")
			if err == nil {
				s.Kinds[i].NewestDead = readDeadLetter(newest).Tail
				break
			}
		}
	}
	return info.State.Subjects, nil
}

// recentResults walks RESULTS from its end.
func (q *Queue) recentResults(ctx context.Context) ([]ResultStatus, error) {
	info, err := q.streamInfo(ctx, q.results)
	if err != nil {
		return nil, err
	}
	recent := []ResultStatus{}
	// Sequences that were removed are passed over, but not without end.
	for seq, steps := info.State.LastSeq, 0; seq >= max(1, info.State.FirstSeq) && steps < 100 && len(recent) < maxStatusResults; seq, steps = seq-1, steps+1 {
		msg, err := q.results.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, explain(q.js.Conn(), "read results", getAt(resultsStream), err)
		}
		status := ResultStatus{Tail: strings.TrimPrefix(msg.Subject, jobs.ResultSubjectPrefix), Sequence: msg.Sequence, Time: jobs.At(msg.Time)}
		if json.Unmarshal(msg.Data, &status.Result) == nil && !isOneOfMany(&status.Result) {
			recent = append(recent, status)
		}
	}
	return recent, nil
}

// isOneOfMany reports the good end of a shard, which would hide all others.
func isOneOfMany(result *jobs.Result) bool {
	return result.Kind == jobs.PurgeShard && result.Outcome == jobs.Completed
}
