package purge

import (
	"encoding/json"
	"fmt"
	"slices"

	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// sums are what all shards of a plan did.
type sums struct {
	shards []shardLeft
	left   shardLeft
	// counted are the names of live files that were added, by hash, and tombs of those
	// that only deleted entries name.
	counted, tombs map[uint64]bool
	// more names were counted than are known.
	more, repeats bool
}

// sumOf adds up what the shards of a plan left, each file once as far as that can be
// known.
func sumOf(done []*jobs.ShardDone) (*sums, error) {
	s := &sums{counted: map[uint64]bool{}, tombs: map[uint64]bool{}}
	s.left = shardLeft{Deleted: Counts{}, Kept: receipt.KeptFiles{}, Absent: Counts{}, Requests: receipt.Requests{ByOperation: map[string]int64{}}}
	for _, d := range done {
		var left shardLeft
		if err := json.Unmarshal(d.Receipt, &left); err != nil {
			return nil, fmt.Errorf("read what shard %d left: %w", d.Shard, err)
		}
		s.shards = append(s.shards, left)
	}
	for i := range s.shards {
		if err := s.add(&s.shards[i]); err != nil {
			return nil, fmt.Errorf("read what shard %d left: %w", i+1, err)
		}
	}
	for i := range s.shards {
		if err := s.addTombs(&s.shards[i]); err != nil {
			return nil, fmt.Errorf("read what shard %d left: %w", i+1, err)
		}
	}
	s.judge()
	return s, nil
}

func (s *sums) add(left *shardLeft) error {
	s.left.Deleted.AddAll(left.Deleted)
	s.left.Absent.AddAll(left.Absent)
	s.left.AtMost = s.left.AtMost || left.AtMost
	addKept(s.left.Kept, left.Kept)
	s.left.AbsentPaths = appendNew(s.left.AbsentPaths, left.AbsentPaths)
	s.left.Notes = appendNew(s.left.Notes, left.Notes)
	addRequests(&s.left.Requests, left.Requests)
	s.addVersions(left.Versions)
	s.more, s.repeats = s.more || left.Report.More, s.repeats || left.Report.Repeats

	all, err := decodeNames(left.Report.Names)
	for _, n := range all {
		if s.counted[n.hash] {
			s.takeBack(n)
			s.repeats = true
		}
		s.counted[n.hash] = true
	}
	return err
}

// addTombs is called when all live names are known: a file is reported as named by
// deleted entries only if no shard has a live one.
func (s *sums) addTombs(left *shardLeft) error {
	all, err := decodeNames(left.Report.Tombs)
	for _, n := range all {
		switch {
		case s.counted[n.hash]:
			s.takeBack(n)
			s.hidePath(n)
		case s.tombs[n.hash]:
			s.takeBack(n)
		}
		s.tombs[n.hash] = true
	}
	return err
}

func (s *sums) addVersions(more *receipt.Versions) {
	if more == nil || more.Removed == nil {
		return
	}
	if s.left.Versions == nil {
		s.left.Versions = &receipt.Versions{Removed: &receipt.Count{}}
	}
	s.left.Versions.Removed.Files += more.Removed.Files
	s.left.Versions.Removed.Bytes += more.Removed.Bytes
	s.left.Versions.Markers += more.Markers
}

// complete adds to a finish's receipt what its own run did not do.
func (s *sums) complete(r *Receipt) {
	addRequests(&r.Requests, s.left.Requests)
	if shards := s.left.Versions; shards != nil && r.Versions != nil && r.Versions.Removed != nil {
		r.Versions.Removed.Files += shards.Removed.Files
		r.Versions.Removed.Bytes += shards.Removed.Bytes
		r.Versions.Markers += shards.Markers
	}
}

// takeBack undoes that a file was counted once too often.
func (s *sums) takeBack(n name) {
	counts := s.left.Deleted
	if n.reason != "" {
		counts = s.left.Kept[n.reason].Counts
	}
	if counts == nil {
		return
	}
	counts.Add(n.kind.Kind(), -1, -n.size)
	if n.reason != "" && len(counts) == 0 {
		delete(s.left.Kept, n.reason)
	}
}

// hidePath takes a file from the examples of those that stay.
func (s *sums) hidePath(n name) {
	kept, found := s.left.Kept[n.reason]
	if !found {
		return
	}
	kept.Paths = slices.DeleteFunc(kept.Paths, func(path string) bool {
		location, err := storage.Parse(path)
		return err == nil && hashOf(location) == n.hash
	})
	s.left.Kept[n.reason] = kept
}

// judge says what is not known of the sums.
func (s *sums) judge() {
	if len(s.shards) < 2 {
		return
	}
	if s.more && s.repeats {
		s.left.AtMost = true
	}
	kept := len(s.left.Kept[GCDisabled].Counts)+len(s.left.Kept[OutsideScope].Counts) > 0 && s.more && s.repeats
	tombs := len(s.left.Kept[DeletedEntry].Counts) > 0 &&
		(s.more || slices.ContainsFunc(s.shards, func(left shardLeft) bool { return left.Report.MoreTombs }))
	if kept || tombs {
		s.left.Notes = appendNew(s.left.Notes, []string{"files that several shards name may be among the kept ones more than once; their number is not exact"})
	}
}

func addKept(into, from receipt.KeptFiles) {
	for reason, kept := range from {
		sum := into[reason]
		sum.Counts = sum.Counts.Clone()
		sum.Counts.AddAll(kept.Counts)
		sum.Paths = appendNew(sum.Paths, kept.Paths)
		into[reason] = sum
	}
}

// appendNew appends the texts that are not there, up to as many as a receipt holds.
func appendNew(to, texts []string) []string {
	for _, text := range texts {
		if len(to) < receipt.MaxPaths && !slices.Contains(to, text) {
			to = append(to, text)
		}
	}
	return to
}

func addRequests(to *receipt.Requests, more receipt.Requests) {
	for operation, n := range more.ByOperation {
		to.ByOperation[operation] += n
	}
	to.Retries += more.Retries
	to.Throttled += more.Throttled
	to.BytesRead += more.BytesRead
}
