package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"deckhand/internal/chaos/history"
	"deckhand/jobs"
)

// zombie is how long a process that was stopped may still send what it was about to
// send: nothing can tell it in time that it is not to.
const zombie = 500 * time.Millisecond

// blink is how much later than it happened a beginning may be logged.
const blink = 50 * time.Millisecond

// deed is something that a run did under a lock key, by the store's own record or its
// log.
type deed struct {
	run  *run
	at   time.Time
	what string
	// entries: it is about what shards share out.
	entries bool
}

// run is one run of a job, as far as it is known from the record.
type run struct {
	worker, job, tail string
	// lock of the run, and of the purge if it is one of its shards.
	lock, base string
	attempt    int
	began      time.Time
	last       deed
	acted      bool
}

// TwoRuns begins each sentence about runs that overlap.
const TwoRuns = "two runs under "

// Overlaps finds runs under one lock key that worked at the same time: one did
// something between two deeds of the other. A deed is the beginning of a run, as the
// worker's log tells it, and each request to the store about the lock's table, or to
// the catalog to change it. It also finds the finish of a purge beside one of its
// shards.
func Overlaps(events []history.Event) []string {
	s := scene{
		runs: map[[2]string]*run{}, shards: map[[2]string]*run{}, over: map[[2]string]*run{}, last: map[string]deed{}, finish: map[string]deed{},
		anyShard: map[string]deed{}, unsettled: map[[2]string][]*run{}, woken: map[string]time.Time{}, seen: map[[2]*run]bool{},
	}
	for _, e := range events {
		switch e.What {
		case history.Woken:
			s.woken[e.Worker] = e.At
		case history.Begins:
			s.begins(e)
		case history.Settled:
			s.settled(e)
		case history.Asked:
			if e.Lock != "" && !s.drowsy(e) {
				s.asked(e)
			}
		}
	}
	return s.found
}

// drowsy: the process was stopped a moment ago, and does what it was about to do.
func (s *scene) drowsy(e history.Event) bool {
	at, was := s.woken[e.Worker]
	return was && e.At.Sub(at) < zombie
}

// scene is what is known at one moment of the record.
type scene struct {
	// runs under way, and those of shards, by worker and the lock of the whole; over
	// is the newest that is not under way any more.
	runs, shards, over map[[2]string]*run
	// last deed under a lock; under the lock of a purge, of its finish and of any of
	// its shards.
	last, finish, anyShard map[string]deed
	// unsettled runs by worker and lock, the oldest first.
	unsettled map[[2]string][]*run
	woken     map[string]time.Time
	seen      map[[2]*run]bool
	found     []string
}

// Kinds of jobs, as tails begin.
const (
	shardKind  = string(jobs.PurgeShard) + "."
	finishKind = string(jobs.PurgeFinish) + "."
)

// base is the lock of the purge that a shard belongs to.
func base(e history.Event) string {
	if strings.HasPrefix(e.Tail, shardKind) {
		return e.Lock[:strings.LastIndexByte(e.Lock, '.')]
	}
	return e.Lock
}

func (s *scene) begins(e history.Event) {
	r := &run{worker: e.Worker, job: e.Job, tail: e.Tail, attempt: e.Attempt, lock: e.Lock, base: base(e), began: e.At}
	s.underWay(r)[r.place()] = r
	mine := [2]string{r.worker, r.lock}
	s.unsettled[mine] = append(s.unsettled[mine], r)
	if !s.drowsy(e) {
		s.did(deed{run: r, at: e.At, what: "began"})
	}
}

// alone complains when another run of the same process began before the handler of
// this one had ended. Requests do not tell the two apart.
func (s *scene) alone(e history.Event) {
	mine := [2]string{e.Worker, e.Lock}
	n := slices.IndexFunc(s.unsettled[mine], func(r *run) bool { return r.tail == e.Tail && r.job == e.Job && r.attempt == e.Attempt })
	if n < 0 {
		return // it was not begun
	}
	r := s.unsettled[mine][n]
	s.unsettled[mine] = slices.Delete(s.unsettled[mine], n, n+1)
	for _, other := range s.unsettled[mine] {
		if ended := r.began.Add(e.Ran); other.began.Before(ended.Add(-blink)) && other.began.After(r.began) {
			s.found = append(s.found, fmt.Sprintf("%s%s overlap in one process: %s ran from %s to %s, and %s began at %s",
				TwoRuns, r.lock, r, clock(r.began), clock(ended), other, clock(other.began)))
		}
	}
}

func (s *scene) settled(e history.Event) {
	s.alone(e)
	ended := run{worker: e.Worker, tail: e.Tail, base: base(e)}
	of := s.underWay(&ended)
	if r := of[ended.place()]; r != nil && r.tail == e.Tail {
		delete(of, r.place())
		s.over[r.place()] = r
	}
}

func (r *run) place() [2]string { return [2]string{r.worker, r.base} }

func (s *scene) underWay(r *run) map[[2]string]*run {
	if r.isShard() {
		return s.shards
	}
	return s.runs
}

// asked finds the run that a request is of. What comes when none is under way is still
// of one that is over.
func (s *scene) asked(e history.Event) {
	place := [2]string{e.Worker, e.Lock}
	r, shard := s.runs[place], s.shards[place]
	if r == nil || e.Entries && shard != nil {
		r = shard
	}
	if r == nil {
		r = s.over[place]
	}
	if r != nil {
		s.did(deed{run: r, at: e.At, what: fmt.Sprintf("asked for %s %s", e.Op, e.Key), entries: e.Entries})
	}
}

func (s *scene) did(now deed) {
	r := now.run
	s.meet(TwoRuns+r.lock+" overlap", s.last[r.lock], now)
	s.last[r.lock] = now
	switch {
	case r.isShard() && now.entries: // one that looks and finds nothing to do is no harm
		s.meet("a finish of "+r.base+" runs beside a shard", s.finish[r.base], now)
		s.anyShard[r.base] = now
	case r.isFinish():
		s.meet("a finish of "+r.base+" runs beside a shard", s.anyShard[r.base], now)
		s.finish[r.base] = now
	}
	r.last, r.acted = now, true
}

// meet complains when something of another run lies between two deeds of one.
func (s *scene) meet(what string, other, now deed) {
	r := now.run
	if other.run == nil || other.run == r || !r.acted || !other.at.After(r.last.at) || s.seen[[2]*run{r, other.run}] {
		return
	}
	s.seen[[2]*run{r, other.run}], s.seen[[2]*run{other.run, r}] = true, true
	s.found = append(s.found, fmt.Sprintf("%s: %s %s at %s, and then %s at %s; in between %s %s at %s",
		what, r, r.last.what, clock(r.last.at), now.what, clock(now.at), other.run, other.what, clock(other.at)))
}

func (r *run) isShard() bool  { return strings.HasPrefix(r.tail, shardKind) }
func (r *run) isFinish() bool { return strings.HasPrefix(r.tail, finishKind) }

func (r *run) String() string {
	return fmt.Sprintf("job %s (%s) by %s, attempt %d,", r.job, r.tail, r.worker, r.attempt)
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
