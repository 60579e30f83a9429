package queue

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

const (
	maxStatusPurges = 100
	// maxNotesRead is how many notes are read to know how many files the completed
	// shards had; of more, the rest is taken to be like those.
	maxNotesRead = 1000
	// anyPlan matches the keys of all plans: realm, catalog, namespace, table and
	// UUID, one token each.
	anyPlan = "*.*.*.*.*." + planToken
)

// SharedPurge is a purge that is shared out, as one line.
type SharedPurge struct {
	// Tail of the purge.
	Tail string `json:"tail"`
	Plan string `json:"plan"`
	Job  string `json:"job"`
	// Shards of the plan, and how many of them are completed, run, wait (delayed
	// ones too) or are dead. What is missing in the sum was canceled or lost, unless
	// the purge itself is queued and goes on publishing.
	Shards  int `json:"shards"`
	Done    int `json:"done"`
	Ongoing int `json:"running"`
	Waiting int `json:"waiting"`
	Dead    int `json:"dead"`
	Missing int `json:"missing,omitempty"`
	// Planning: the purge itself is in the queue.
	Planning bool `json:"planning,omitempty"`
	// Finish is where the last job is: "", "waiting", "running" or "dead".
	Finish string `json:"finish,omitempty"`
	// Files that the plan estimates, and how many have been dealt with so far.
	Files     int64 `json:"files"`
	FilesDone int64 `json:"files_done"`
	BytesDone int64 `json:"bytes_done"`
	// Created is when it was planned, by the planner's clock.
	Created jobs.Timestamp `json:"created"`
	// FilesPerSecond since then, or since an earlier status.
	FilesPerSecond float64 `json:"files_per_second,omitempty"`
	// Left is about how long the rest of the files takes at the speed since the
	// plan; 0 if that cannot be told.
	Left time.Duration `json:"left_ns,omitempty"`
	// DeadShards are the tails of the first ten dead shards.
	DeadShards []string `json:"dead_shards,omitempty"`
	// Running are the shards, and the finish, that run.
	Running []RunningJob `json:"running_jobs,omitempty"`
}

// sharedPurges fills the purges that are shared out, and moves what runs of them
// below them. dead are the subjects of the dead letters.
func (q *Queue) sharedPurges(ctx context.Context, s *Status, dead map[string]uint64) error {
	shards := q.Shards()
	keys, err := shards.keys(ctx, anyPlan)
	if err != nil {
		return err
	}
	for _, key := range keys {
		entry, err := q.shards.get(ctx, key)
		if err != nil {
			return explain(q.js.Conn(), "read plan "+key, shardsGet, err)
		}
		plan, err := readPlan(entry)
		if err != nil || plan == nil {
			continue // it was removed meanwhile, or nobody can read it
		}
		purge := SharedPurge{
			Tail: string(jobs.Purge) + "." + strings.TrimSuffix(key, "."+planToken), Plan: plan.Plan, Job: plan.Job,
			Shards: plan.Shards, Files: plan.Files, Created: plan.Created,
		}
		if err := q.sharedPurge(ctx, s, &purge, dead); err != nil {
			return err
		}
		s.Purges = append(s.Purges, purge)
		if len(s.Purges) == maxStatusPurges {
			break
		}
	}
	slices.SortStableFunc(s.Purges, func(a, b SharedPurge) int { return a.Created.Compare(b.Created.Time) })
	return nil
}

// sharedPurge counts the shards of one purge. What is queued is looked at before
// what is done: a shard that ends in between is seen twice rather than not at all.
func (q *Queue) sharedPurge(ctx context.Context, s *Status, purge *SharedPurge, dead map[string]uint64) error {
	base := strings.TrimPrefix(purge.Tail, string(jobs.Purge)+".")
	queued, err := q.queuedParts(ctx, base)
	if err != nil {
		return err
	}
	s.Running = slices.DeleteFunc(s.Running, func(job RunningJob) bool {
		mine := isPart(job.Tail, base)
		if mine {
			purge.Running = append(purge.Running, job)
		}
		return mine
	})
	notes, err := q.Shards().keys(ctx, base+"."+purge.Plan+".*")
	if err != nil {
		return err
	}
	purge.count(base, queued, dead, notes)
	files, bytes, err := q.filesOf(ctx, notes)
	if err != nil {
		return err
	}
	purge.FilesDone, purge.BytesDone = files, bytes
	for _, job := range purge.Running {
		if job.Holder.Kind == jobs.PurgeFinish { // it goes on from the sum of the shards
			purge.FilesDone = max(purge.FilesDone, job.Counters.Files)
			purge.BytesDone = max(purge.BytesDone, job.Counters.Bytes)
			continue
		}
		if _, ended := slices.BinarySearch(notes, base+"."+purge.Plan+"."+lastToken(job.Tail)); ended {
			continue // it has ended, and is in the sum of the notes
		}
		purge.FilesDone += job.Counters.Files
		purge.BytesDone += job.Counters.Bytes
	}
	purge.estimate(s.Time)
	return nil
}

// queuedParts are the subjects in JOBS of a purge and its parts.
func (q *Queue) queuedParts(ctx context.Context, base string) (map[string]bool, error) {
	all := map[string]bool{}
	for _, filter := range []string{jobs.SubjectPrefix + string(jobs.Purge) + "." + base, finishSubject(base), shardSubjects(base)} {
		info, err := q.streamInfo(ctx, q.jobs, jetstream.WithSubjectFilter(filter))
		if err != nil {
			return nil, err
		}
		for subject := range info.State.Subjects {
			all[strings.TrimPrefix(subject, jobs.SubjectPrefix)] = true
		}
	}
	return all, nil
}

// isPart reports whether a tail is that of a shard or the finish of a purge.
func isPart(tail, base string) bool {
	shard, isShard := strings.CutPrefix(tail, string(jobs.PurgeShard)+"."+base+".")
	return tail == string(jobs.PurgeFinish)+"."+base || isShard && !strings.Contains(shard, ".")
}

// count sorts the shards by what becomes of them.
func (p *SharedPurge) count(base string, queued map[string]bool, dead map[string]uint64, notes []string) {
	done := map[string]bool{}
	for _, note := range notes {
		done[lastToken(note)] = true
	}
	p.Done = len(done)
	running, finish := map[string]bool{}, string(jobs.PurgeFinish)+"."+base
	for _, job := range p.Running {
		running[job.Tail] = true
	}
	for tail := range queued {
		switch {
		case !isPart(tail, base):
			p.Planning = true
		case tail == finish:
			p.Finish = "waiting"
		case running[tail]:
			p.Ongoing++
		default:
			p.Waiting++
		}
	}
	if p.Finish != "" && running[finish] {
		p.Finish = "running"
	}
	for _, subject := range slices.Sorted(maps.Keys(dead)) {
		tail := strings.TrimPrefix(subject, jobs.DeadSubjectPrefix)
		switch {
		case !isPart(tail, base) || queued[tail]:
		case tail == finish:
			if !p.Planning && p.Ongoing+p.Waiting == 0 { // else whoever is last publishes it again
				p.Finish = "dead"
			}
		case !done[lastToken(tail)]:
			if p.Dead++; len(p.DeadShards) < 10 {
				p.DeadShards = append(p.DeadShards, tail)
			}
		}
	}
	if !p.Planning {
		p.Missing = max(0, p.Shards-p.Done-p.Ongoing-p.Waiting-p.Dead)
	}
}

// lastToken is the number of a shard, in its tail and in the key of its note.
func lastToken(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// filesOf adds up what completed shards have done.
func (q *Queue) filesOf(ctx context.Context, notes []string) (files, bytes int64, err error) {
	sample := notes[:min(len(notes), maxNotesRead)]
	read, err := readAll(sample, func(key string) (*jobs.ShardDone, error) {
		done, err := q.Shards().done(ctx, key)
		if err != nil && !errors.Is(err, jobs.ErrUnavailable) {
			return nil, nil // nobody can read it, which a sweep says
		}
		return done, err
	})
	if err != nil {
		return 0, 0, err
	}
	for _, done := range read {
		if done != nil {
			files += done.Files
			bytes += done.Bytes
		}
	}
	if len(sample) < len(notes) {
		scale := float64(len(notes)) / float64(len(sample))
		files, bytes = int64(float64(files)*scale), int64(float64(bytes)*scale)
	}
	return files, bytes, nil
}

// estimate tells the speed since the plan, and what is left at that speed.
func (p *SharedPurge) estimate(now jobs.Timestamp) {
	seconds := now.Sub(p.Created.Time).Seconds()
	if seconds <= 0 || p.FilesDone <= 0 {
		return
	}
	p.FilesPerSecond = float64(p.FilesDone) / seconds
	if left := p.Files - p.FilesDone; left > 0 {
		p.Left = time.Duration(float64(left) / p.FilesPerSecond * float64(time.Second)).Round(time.Second)
	}
}

// rateSince takes the speed since an earlier status instead. What is left is told
// by the longer time all the same: from one look to the next, few checkpoints come.
func (p *SharedPurge) rateSince(earlier *Status, seconds float64) {
	for _, then := range earlier.Purges {
		if then.Tail == p.Tail && then.Plan == p.Plan {
			p.FilesPerSecond = float64(max(0, p.FilesDone-then.FilesDone)) / seconds
		}
	}
}
