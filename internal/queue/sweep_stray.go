package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

const (
	// oldJob is the age at which a job in the queue is reported.
	oldJob = 7 * day
	// maxOldJobs are reported at most.
	maxOldJobs = 100
)

// holderOf is who holds the lease for a job, nil if nobody does or it is another
// job's.
func (q *Queue) holderOf(ctx context.Context, job *jobs.Job) (*Holder, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	key := job.LockKey()
	entry, err := q.locks.get(ctx, key)
	if err != nil {
		return nil, explain(q.js.Conn(), "read lease "+key, getLast(locksStream, q.locks.prefix+key), err)
	}
	var holder Holder
	if entry.value == nil || json.Unmarshal(entry.value, &holder) != nil || holder.Job != job.ID || holder.Kind != job.Kind {
		return nil, nil
	}
	return &holder, nil
}

// strayLease is a lease whose job is not in the queue.
type strayLease struct {
	key      string
	subject  string
	holder   Holder
	revision uint64
}

// leasesWithoutJob finds the leases whose job is not in JOBS.
func (s *sweep) leasesWithoutJob(ctx context.Context) (stray []strayLease, err error) {
	listed := map[string]int{}
	for next := uint64(1); ; {
		call, cancel := context.WithTimeout(ctx, s.q.timings.call)
		msg, err := s.q.locks.stream.GetMsg(call, next, jetstream.WithGetMsgSubject(s.q.locks.prefix+"table.>"))
		cancel()
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return stray, nil
		}
		if err != nil {
			return nil, explain(s.q.js.Conn(), "read leases", getAt(locksStream), err)
		}
		next = msg.Sequence + 1
		entry := s.q.locks.entry(msg)
		lease := strayLease{key: entry.key, revision: entry.revision}
		if entry.value == nil || json.Unmarshal(entry.value, &lease.holder) != nil {
			continue
		}
		lease.subject = jobs.SubjectPrefix + string(lease.holder.Kind) + "." + strings.TrimPrefix(entry.key, "table.")
		gone, err := s.isGone(ctx, lease)
		if err != nil {
			return nil, err
		}
		i, again := listed[lease.key]
		switch {
		case gone && again:
			stray[i] = lease // it was renewed meanwhile, and so came once more
		case gone:
			listed[lease.key] = len(stray)
			stray = append(stray, lease)
		}
	}
}

// isGone reports whether a lease's job is not in the queue.
func (s *sweep) isGone(ctx context.Context, lease strayLease) (bool, error) {
	if strings.ContainsAny(lease.subject, "*> ") {
		return true, nil // nobody's subject, so nothing to ask for
	}
	msg, err := s.q.queued(ctx, lease.subject)
	if err != nil || msg == nil {
		return err == nil, err
	}
	id := readable(msg.Data).ID
	if id == "" {
		id = msg.Header.Get(jobs.HeaderID)
	}
	return id != lease.holder.Job, nil
}

// clearLeases reports the leases whose job is still gone. A lease that is not
// renewed expires; one that is older than two of its lives outlived that, and is
// removed.
func (s *sweep) clearLeases(ctx context.Context, leases []strayLease) error {
	for _, lease := range leases {
		call, cancel := context.WithTimeout(ctx, s.q.timings.call)
		entry, err := s.q.locks.get(call, lease.key)
		cancel()
		if err != nil {
			return explain(s.q.js.Conn(), "read lease "+lease.key, getLast(locksStream, s.q.locks.prefix+lease.key), err)
		}
		var holder Holder
		if entry.value == nil || json.Unmarshal(entry.value, &holder) != nil || holder != lease.holder {
			continue
		}
		gone, err := s.isGone(ctx, lease)
		if err != nil {
			return err
		}
		if !gone {
			continue
		}
		f := SweepFinding{What: SweepLease, Action: SweepReported, Name: lease.key}
		age := s.now.Sub(entry.written)
		// Whoever lives has renewed it between the two looks, whatever the clocks say.
		if age <= 2*s.q.timings.ackWait || entry.revision != lease.revision {
			f.Detail = fmt.Sprintf("worker %s holds it for job %s, which is not in the queue any more; it ends when the worker does or stops", holder.Worker, holder.Job)
			s.found(ctx, f, nil)
			continue
		}
		f.Action, f.Detail = SweepRemoved, fmt.Sprintf("worker %s has not renewed it for %s, and its job is not in the queue", holder.Worker, age.Round(time.Second))
		s.found(ctx, f, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
			defer cancel()
			if err := s.q.locks.remove(ctx, lease.key, entry.revision); err != nil && !isConflict(err) {
				return explain(s.q.js.Conn(), "remove lease "+lease.key, s.q.locks.prefix+lease.key, err)
			}
			return nil
		})
	}
	return nil
}

// unknownKinds reports jobs that wait for ever, since no consumer takes their
// kind. They stay: a newer version may know it.
func (s *sweep) unknownKinds(ctx context.Context) error {
	unknown, count, err := s.q.unknownJobs(ctx)
	if err != nil {
		return err
	}
	for _, subject := range unknown {
		s.found(ctx, SweepFinding{What: SweepUnknown, Action: SweepReported, Name: subject, Detail: "no consumer takes jobs of this kind"}, nil)
	}
	if more := int(count) - len(unknown); more > 0 {
		s.found(ctx, SweepFinding{What: SweepUnknown, Action: SweepReported, Name: jobs.SubjectPrefix + ">",
			Detail: fmt.Sprintf("no consumer takes %d jobs; they are too many to list", more)}, nil)
	}
	return nil
}

// unknownJobs are the subjects of the jobs that no consumer takes, and their
// number, also where they are too many to list.
func (q *Queue) unknownJobs(ctx context.Context) (subjects []string, count uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*q.timings.call)
	defer cancel()
	info, err := q.streamInfo(ctx, q.jobs)
	if err != nil {
		return nil, 0, err
	}
	s := &Status{Time: jobs.At(info.TimeStamp)}
	if err := q.kindStatus(ctx, s, info); err != nil {
		return nil, 0, err
	}
	return s.Unknown, s.UnknownCount, nil
}

// oldJobs reports the jobs that have been queued for a week, oldest first.
func (s *sweep) oldJobs(ctx context.Context) error {
	old := map[string]time.Time{}
	for next := uint64(1); len(old) < maxOldJobs; {
		msg, err := s.next(ctx, next, jobs.SubjectPrefix+">")
		if err != nil {
			return err
		}
		if msg == nil || s.now.Sub(msg.Time) < oldJob {
			break
		}
		next = msg.Sequence + 1
		old[msg.Subject] = msg.Time
	}
	for _, subject := range slices.SortedFunc(maps.Keys(old), func(a, b string) int { return old[a].Compare(old[b]) }) {
		s.found(ctx, SweepFinding{What: SweepOld, Action: SweepReported, Name: subject,
			Detail: "queued since " + old[subject].UTC().Format(time.RFC3339)}, nil)
	}
	return nil
}
