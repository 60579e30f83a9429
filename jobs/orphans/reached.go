package orphans

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// reached remembers the files that a table names, 8 bytes each: 56 bits of a hash
// of the key, and the number of the scheme and authority. Its only possible
// mistake is to take a file for named that is not, which for a million names and a
// million files happens once in 70,000 runs.
//
// A key that is named with another scheme or authority than it is listed with is
// found too, which [prefix mismatch] is about.
type reached struct {
	prefixes *prefixes
	seed     maphash.Seed
	shards   [reachedShards]reachedShard
	count    atomic.Int64
}

// reachedShards is a power of two. Shards grow one by one, so that growing never
// holds two copies of the whole set.
const reachedShards = 256

// reachedShard is an open-addressing hash table in which 0 is a free slot.
type reachedShard struct {
	mu    sync.RWMutex
	slots []uint64
	used  int
}

func newReached(p *prefixes) *reached {
	r := &reached{prefixes: p, seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].slots = make([]uint64, 8)
	}
	return r
}

// add remembers what the metadata names, by all the spellings that readers may
// mean by it.
func (r *reached) add(path string) {
	u := splitURI(path)
	id := r.prefixes.id(u.scheme, u.authority)
	key := plainKey(u.key)
	if r.put(key, id) {
		r.count.Add(1)
	}
	for _, other := range otherSpellings(key) {
		r.put(other, id)
	}
}

// len is how many names were added, each once.
func (r *reached) len() int64 { return r.count.Load() }

// put says whether the key is new.
func (r *reached) put(key string, id prefixID) bool {
	hash := r.hash(key)
	entry := hash | uint64(id)
	shard := &r.shards[hash>>56]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return shard.put(entry)
}

// hash is never 0, which marks a free slot.
func (r *reached) hash(key string) uint64 { return max(maphash.String(r.seed, key)&^0xff, 1<<8) }

func (s *reachedShard) put(entry uint64) bool {
	mask := uint64(len(s.slots) - 1)
	for i := entry >> 8 & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case entry:
			return false
		case 0:
			s.slots[i] = entry
			if s.used++; s.used*4 > len(s.slots)*3 {
				s.grow()
			}
			return true
		}
	}
}

func (s *reachedShard) grow() {
	old := s.slots
	s.slots = make([]uint64, 2*len(old))
	mask := uint64(len(s.slots) - 1)
	for _, entry := range old {
		if entry == 0 {
			continue
		}
		i := entry >> 8 & mask
		for s.slots[i] != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = entry
	}
}

// match is what the metadata says of a listed file.
type match uint8

const (
	// unnamed: nothing names it.
	unnamed match = iota
	// named: the table reaches it.
	named
	// mismatched: its key is named, with another scheme or authority.
	mismatched
)

// find says what the metadata says of a listed key. other is the prefix with which
// a mismatched one is named.
func (r *reached) find(key string, listed prefixID) (found match, other prefixID) {
	key = plainKey(key)
	found, other = r.look(key, listed)
	if found == named {
		return found, other
	}
	if decoded, changed := decodePercent(key); changed {
		if m, o := r.look(plainKey(decoded), listed); m > unnamed && (m == named || found == unnamed) {
			return m, o
		}
	}
	return found, other
}

func (r *reached) look(key string, listed prefixID) (found match, other prefixID) {
	hash := r.hash(key)
	wanted := hash
	shard := &r.shards[hash>>56]
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	mask := uint64(len(shard.slots) - 1)
	for i := hash >> 8 & mask; ; i = (i + 1) & mask {
		entry := shard.slots[i]
		if entry == 0 {
			return found, other
		}
		if entry&^0xff != wanted {
			continue
		}
		id := prefixID(entry & 0xff)
		if r.prefixes.same(id, listed) {
			return named, id
		}
		found, other = mismatched, id
	}
}
