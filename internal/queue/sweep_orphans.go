package queue

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// sweepToken begins the tails under which DEAD keeps a job that is being moved:
// a name that no job's own letters have.
const sweepToken = "sweep."

// orphan is a message of JOBS at or under its consumer's ack floor: the consumer
// has it for settled and will never deliver it, and while it is there its subject
// is taken. A disk that is full makes such messages: acknowledgements are then
// accepted, and nothing is removed.
type orphan struct {
	msg *jetstream.RawStreamMsg
	// consumer that has it for settled, and when that was made.
	kind    jobs.Kind
	created time.Time
}

// underFloor finds the messages at or under their consumers' ack floors.
func (s *sweep) underFloor(ctx context.Context) (all []orphan, err error) {
	for _, kind := range jobs.Kinds() {
		floor, created, err := s.floor(ctx, kind)
		if err != nil {
			return nil, err
		}
		for next := uint64(1); next <= floor; {
			msg, err := s.next(ctx, next, jobs.SubjectPrefix+string(kind)+".>")
			if err != nil {
				return nil, err
			}
			if msg == nil || msg.Sequence > floor {
				break
			}
			all = append(all, orphan{msg: msg, kind: kind, created: created})
			next = msg.Sequence + 1
		}
	}
	return all, nil
}

// floor is the sequence up to which a kind's consumer has everything for settled,
// 0 if there is none, and when it was made.
func (s *sweep) floor(ctx context.Context, kind jobs.Kind) (uint64, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	consumer, err := s.q.js.Consumer(ctx, jobs.StreamName, string(kind))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return 0, time.Time{}, nil
	}
	if err != nil {
		return 0, time.Time{}, explain(s.q.js.Conn(), "look at consumer "+consumerName(kind), "$JS.API.CONSUMER.INFO."+jobs.StreamName+"."+string(kind), err)
	}
	info := consumer.CachedInfo()
	return info.AckFloor.Stream, info.Created, nil
}

// next is the first message of a filter at or after a sequence, nil for none.
func (s *sweep) next(ctx context.Context, from uint64, filter string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	msg, err := s.q.jobs.GetMsg(ctx, from, jetstream.WithGetMsgSubject(filter))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	return msg, explain(s.q.js.Conn(), "read jobs", getAt(jobs.StreamName), err)
}

// clearOrphans deals with the messages that are still where they were.
func (s *sweep) clearOrphans(ctx context.Context, orphans []orphan) error {
	may := sync.OnceValue(func() error {
		if err := s.q.mayRemove(ctx, jobs.StreamName); err != nil {
			return err
		}
		return s.q.mayRemove(ctx, deadStream)
	})
	for _, o := range orphans {
		floor, created, err := s.floor(ctx, o.kind)
		if err != nil {
			return err
		}
		msg, err := s.next(ctx, o.msg.Sequence, o.msg.Subject)
		if err != nil {
			return err
		}
		if !created.Equal(o.created) || floor < o.msg.Sequence || msg == nil || msg.Sequence != o.msg.Sequence {
			continue // its consumer was made anew or set back, or it has left as it should
		}
		if err := s.clearOrphan(ctx, msg, may); err != nil {
			return err
		}
	}
	return nil
}

func (s *sweep) clearOrphan(ctx context.Context, msg *jetstream.RawStreamMsg, may func() error) error {
	job, valid := readable(msg.Data), false
	if decoded, err := jobs.Decode(msg.Data); err == nil && decoded.CheckSubject(msg.Subject) == nil {
		job, valid = decoded, true
	}
	if job.ID == "" {
		job.ID = msg.Header.Get(jobs.HeaderID)
	}
	f := SweepFinding{What: SweepUndelivered, Action: SweepRequeued, Name: msg.Subject, Sequence: msg.Sequence}
	if valid {
		holder, err := s.q.holderOf(ctx, job)
		if err != nil {
			return err
		}
		if holder != nil {
			f.Action, f.Detail = SweepReported, "its consumer has it for settled, and worker "+holder.Worker+" runs it"
			s.found(ctx, f, nil)
			return nil
		}
	}
	tail := strings.TrimPrefix(msg.Subject, jobs.SubjectPrefix)
	last, _, err := s.q.LastResult(ctx, tail)
	if err != nil {
		return err
	}
	id := identity{job: job.ID, sequence: msg.Sequence, created: s.created}
	if job.ID != "" && id.ended(last) {
		f.What, f.Action, f.Detail = SweepEnded, SweepRemoved, "its consumer has it for settled, and so has its record: "+string(last.Outcome)
		s.found(ctx, f, func(ctx context.Context) error {
			if err := may(); err != nil {
				return err
			}
			return s.q.removeMessage(ctx, msg.Sequence)
		})
		return nil
	}
	f.Detail = "its consumer has it for settled, and no record says how it ended"
	s.found(ctx, f, func(ctx context.Context) error {
		if err := may(); err != nil {
			return err
		}
		return s.move(ctx, msg)
	})
	return nil
}

// move takes a message out of JOBS and publishes it again, so that it is
// delivered. In between it lies in DEAD; a move that is cut off is taken up by the
// next sweep. The error is errNotThere if it has left as it should.
func (s *sweep) move(ctx context.Context, msg *jetstream.RawStreamMsg) error {
	kept, err := s.keep(ctx, msg)
	if err != nil {
		return err
	}
	switch err := s.q.removeMessage(ctx, msg.Sequence); {
	case errors.Is(err, errNotThere):
		return cmp.Or(s.q.removeLetter(ctx, kept), err)
	case err != nil:
		return err
	}
	return s.publishAgain(ctx, kept)
}

// keep stores a copy of a message in DEAD.
func (s *sweep) keep(ctx context.Context, msg *jetstream.RawStreamMsg) (*DeadLetter, error) {
	letter := &nats.Msg{
		Subject: jobs.DeadSubjectPrefix + sweepToken + deadTail(strings.TrimPrefix(msg.Subject, jobs.SubjectPrefix), msg.Sequence),
		Header:  copiedHeaders(msg.Header), Data: msg.Data,
	}
	letter.Header.Set(headerDeadReason, "its consumer had it for settled without a record of its end; a sweep queues it anew")
	letter.Header.Set(headerDeadWorker, s.cfg.Worker)
	letter.Header.Set(headerDeadTime, time.Now().UTC().Format(time.RFC3339Nano))
	letter.Header.Set(headerJobSequence, strconv.FormatUint(msg.Sequence, 10))
	letter.Header.Set(headerDeadSubject, msg.Subject)
	ack, err := s.q.publish(ctx, letter)
	if err != nil {
		return nil, explain(s.q.js.Conn(), "keep the job in "+deadStream, letter.Subject, err)
	}
	return readDeadLetter(&jetstream.RawStreamMsg{Subject: letter.Subject, Sequence: ack.Sequence, Header: letter.Header, Data: letter.Data}), nil
}

// publishAgain queues a job that is kept in DEAD, and removes it there. If another
// job has taken the subject meanwhile, the letter stays for a person.
func (s *sweep) publishAgain(ctx context.Context, kept *DeadLetter) error {
	publication, err := jobs.PublishRaw(ctx, s.q.js, kept.JobSubject, copiedHeaders(kept.header), kept.Body)
	if err != nil {
		return err
	}
	if publication.State == jobs.AlreadyQueued {
		queued, err := s.q.queued(ctx, kept.JobSubject)
		if err != nil {
			return err
		}
		if queued == nil || !bytes.Equal(queued.Data, kept.Body) {
			return fmt.Errorf("another job has its subject; look at it with \"worker dead show %s\", then requeue or drop it", kept.Tail)
		}
	}
	return s.q.removeLetter(ctx, kept)
}

// resume takes up the moves that an earlier sweep did not finish.
func (s *sweep) resume(ctx context.Context) error {
	for letter, err := range s.q.DeadLetters(ctx, sweepToken+">") {
		if err != nil {
			return err
		}
		queued, err := s.next(ctx, letter.JobSequence, letter.JobSubject)
		if err != nil {
			return err
		}
		last, _, err := s.q.LastResult(ctx, strings.TrimPrefix(letter.JobSubject, jobs.SubjectPrefix))
		if err != nil {
			return err
		}
		f := SweepFinding{What: SweepUndelivered, Action: SweepRemoved, Name: letter.Subject, Sequence: letter.Sequence}
		remove := func(ctx context.Context) error { return s.q.removeLetter(ctx, letter) }
		switch {
		case queued != nil && bytes.Equal(queued.Data, letter.Body):
			f.Detail = "an earlier sweep was cut off, and the job is in the queue"
			s.found(ctx, f, remove)
		case last != nil && last.JobID == letter.JobID && last.JobSequence > letter.JobSequence && last.StreamCreated.Equal(s.created.Time):
			f.Detail = "an earlier sweep was cut off, and the job has ended since"
			s.found(ctx, f, remove)
		default:
			f.Action, f.Detail = SweepRequeued, "an earlier sweep was cut off"
			s.found(ctx, f, func(ctx context.Context) error { return s.publishAgain(ctx, letter) })
		}
	}
	return nil
}
