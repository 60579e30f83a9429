package manifests

import (
	"bytes"
	"hash/maphash"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/table"
)

// maxDeletes is how many partitions and data files of delete files are told apart,
// about 150 bytes each. With more, no delete file is dropped.
const maxDeletes = 1 << 19

// dangling knows which delete files apply to no live data file any more. It is
// first shown all live delete files, then all live data files, each from several
// goroutines, and asked afterwards.
//
// A deletion vector and a position delete file of one data file apply to that one
// alone; they are dangling when it is not live. Other delete files apply to the
// data files of their partition, equality deletes to those with a lower data
// sequence number and position deletes to those with the same or a lower one
// (Iceberg table specification, scan planning); those of an unpartitioned spec are
// taken to apply to the files of every spec, which the specification says of
// equality deletes. Iceberg's RemoveDanglingDeletesSparkAction does the same, but
// drops also equality deletes that apply to files of other specs.
//
// What is not sure is kept: two files that are taken for one because of their
// hashes, or because they differ in their scheme alone, keep a delete file.
type dangling struct {
	facts *facts

	mu sync.Mutex
	// oldest is the lowest data sequence number of the live data files, by spec and
	// partition of a delete file; anywhere is that of all.
	oldest   map[string]*atomic.Int64
	anywhere atomic.Int64
	// live says whether a data file is, by the hash of its path.
	live map[uint64]*atomic.Bool
	// puffins are the data files whose deletion vectors are in one Puffin file, by the
	// hash of its path. unseen: there may be others in them.
	puffins map[uint64][]*atomic.Bool
	unseen  bool
	seed    maphash.Seed
	full    bool
}

// fate of a delete file.
type fate uint8

const (
	// stays: it may apply to something.
	stays fate = iota
	// removed: the snapshot removes it, and says so.
	removed
	// leftOut: it is removed, but not the Puffin file that it is in. An entry of status
	// DELETED would let incremental expiry (Iceberg's IncrementalFileCleanup) delete
	// that under the deletion vectors that still apply.
	leftOut
)

func newDangling(f *facts) *dangling {
	d := &dangling{facts: f, oldest: map[string]*atomic.Int64{}, seed: maphash.MakeSeed(),
		live: map[uint64]*atomic.Bool{}, puffins: map[uint64][]*atomic.Bool{}}
	d.anywhere.Store(math.MaxInt64)
	return d
}

// deletes is shown a live delete file.
func (d *dangling) deletes(s *source, t *manifest.Transcript) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch file := fileOf(t); {
	case file != "":
		hash := d.hash(file)
		if d.live[hash] == nil {
			d.live[hash] = &atomic.Bool{}
		}
		if isVector(t) {
			puffin := d.hash(string(t.Path))
			d.puffins[puffin] = append(d.puffins[puffin], d.live[hash])
		}
	case !d.facts.unpartitioned(s.SpecID):
		key, err := partitionKey(nil, t)
		if err != nil {
			return err
		}
		if d.oldest[string(key)] == nil {
			oldest := &atomic.Int64{}
			oldest.Store(math.MaxInt64)
			d.oldest[string(key)] = oldest
		}
	}
	if len(d.live)+len(d.oldest) > maxDeletes {
		d.full, d.live, d.oldest, d.puffins = true, map[uint64]*atomic.Bool{}, map[string]*atomic.Int64{}, map[uint64][]*atomic.Bool{}
	}
	return nil
}

// data is shown a live data file.
func (d *dangling) data(_ *source, t *manifest.Transcript) error {
	lower(&d.anywhere, t.SequenceNumber)
	if len(d.oldest) > 0 {
		var room [128]byte
		key, err := partitionKey(room[:0], t)
		if err != nil {
			return err
		}
		if oldest := d.oldest[string(key)]; oldest != nil {
			lower(oldest, t.SequenceNumber)
		}
	}
	if len(d.live) > 0 {
		if live := d.live[d.hash(string(t.Path))]; live != nil {
			live.Store(true)
		}
	}
	return nil
}

func lower(to *atomic.Int64, n int64) {
	for {
		old := to.Load()
		if old <= n || to.CompareAndSwap(old, n) {
			return
		}
	}
}

// fate of a delete file, once all live data files were shown.
func (d *dangling) fate(t *manifest.Transcript) fate {
	switch {
	case !d.appliesToNothing(t):
		return stays
	case isVector(t) && (d.unseen || slices.ContainsFunc(d.puffins[d.hash(string(t.Path))], (*atomic.Bool).Load)):
		return leftOut
	}
	return removed
}

func isVector(t *manifest.Transcript) bool {
	return receipt.KindOfEntry(&t.Entry).Kind() == receipt.DeletionVectors
}

func (d *dangling) appliesToNothing(t *manifest.Transcript) bool {
	if d.full {
		return false
	}
	if file := fileOf(t); file != "" {
		live := d.live[d.hash(file)]
		return live != nil && !live.Load()
	}
	oldest := &d.anywhere
	if spec := t.Layout.Partition().ID(); !d.facts.unpartitioned(spec) {
		key, err := partitionKey(nil, t)
		if err != nil {
			return false
		}
		if oldest = d.oldest[string(key)]; oldest == nil {
			return false // it came after the deletes were looked at
		}
	}
	if t.Content == manifest.ContentEqualityDeletes {
		return t.SequenceNumber <= oldest.Load()
	}
	return t.SequenceNumber < oldest.Load()
}

// fileOf is the one data file that a position delete file is about, or "" where it
// may be about several or where that is not sure.
func fileOf(t *manifest.Transcript) string {
	if t.Content != manifest.ContentPositionDeletes {
		return ""
	}
	if len(t.ReferencedDataFile) > 0 {
		return string(t.ReferencedDataFile)
	}
	// Writers that keep the whole path as the bounds of the column file_path, as the
	// specification asks for it, may have only one. What was cut has no suffix.
	if low, high := t.Bounds(manifest.ColumnFilePath); len(low) > 0 && bytes.Equal(low, high) && path.Ext(string(low)) != "" {
		return string(low)
	}
	return ""
}

// partitionKey is one of spec and partition.
func partitionKey(dst []byte, t *manifest.Transcript) ([]byte, error) {
	p := t.Layout.Partition()
	id := p.ID()
	return p.AppendKey(append(dst, byte(id), byte(id>>8), byte(id>>16), byte(id>>24)), t.Partition)
}

func (d *dangling) hash(file string) uint64 {
	return maphash.String(d.seed, strings.ToLower(table.Identity(file)))
}
