package manifests

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"deckhand/internal/manifest"
)

// rewriting writes the chosen manifests of one group anew, clustered.
//
// What fits into memory is read once, sorted and written. Else a first pass counts
// how much lies in which partitions, and the order of the partitions is cut into
// ranges of one manifest each. As many of these as memory has room for are written
// side by side by each further pass, which reads the manifests that have something
// in them: manifests that are clustered are read about twice, whatever their number;
// of those that each hold everything, a pass over all writes about as many bytes as
// there is memory. One partition that is more than one manifest needs no order.
type rewriting struct {
	*reading
	// limit in bytes of what is held, and target of a manifest.
	limit, target int64
	out           *outlet
	// first and last keys by source, known after the first pass.
	first, last []string
}

// errBad says that some manifests must stay, and that what was made is of no use.
var errBad = errors.New("manifests must stay")

// writerSize in bytes is about what a manifest takes that is being written, beside
// what is written of it.
const writerSize = 1 << 20

// tightPercent of the target is what a range is meant to become, so that it seldom
// becomes more than loosePercent, where it would have to be two.
const (
	tightPercent = 95
	loosePercent = 150
)

// run reads and writes. The error is errBad when manifests could not be read, as
// reading.bad says; then what was stored is of no use.
func (w *rewriting) run(ctx context.Context) error {
	w.first, w.last = make([]string, len(w.sources)), make([]string, len(w.sources))
	if len(w.layout.Partition().Fields()) == 0 {
		return w.pass(ctx, []keyRange{{single: true}})
	}
	held, counted, err := w.hold(ctx)
	if err != nil {
		return err
	}
	if counted == nil {
		return w.writeHeld(held)
	}
	perTarget := int64(float64(w.target) * tightPercent / 100 / w.out.packed)
	for ranges := counted.ranges(max(perTarget, 1)); len(ranges) > 0; {
		room, n := w.limit, 0
		for n < len(ranges) && (n == 0 || room > 0) {
			share := float64(ranges[n].weight) / float64(max(perTarget, 1))
			room -= int64(min(share, 1)*float64(w.target)) + writerSize
			n++
		}
		if err := w.pass(ctx, ranges[:n]); err != nil {
			return err
		}
		ranges = ranges[n:]
	}
	return nil
}

// hold reads everything, sorted by partition. When it is more than may be held, it is
// counted instead.
func (w *rewriting) hold(ctx context.Context) (held []entry, counted *histogram, err error) {
	where, counts := newPlaces(), newHistogram()
	var over atomic.Bool
	var total int64
	take := func(_ int, p piece) error {
		total += p.size
		if !over.Load() && total > w.limit {
			over.Store(true)
			if err := w.out.sample(append(held, p.entries...)); err != nil {
				return err
			}
			count(counts, held)
			held = nil
		}
		if over.Load() {
			count(counts, p.entries)
			return nil
		}
		held = append(held, p.entries...)
		return nil
	}
	err = newFeed(len(w.sources)).run(ctx, func(ctx context.Context, i int, give func(piece) error) error {
		into := &holder{packer: packer{give: give}, source: int32(i), places: where, counts: counts, over: &over}
		err := w.read(ctx, i, into)
		w.first[i], w.last[i] = into.first, into.last
		return err
	}, take)
	switch {
	case err != nil:
		return nil, nil, err
	case w.isBad():
		return nil, nil, errBad
	case over.Load():
		return nil, counts, nil
	}
	order(held, where)
	return held, nil, nil
}

func count(counts *histogram, entries []entry) {
	for _, e := range entries {
		counts.add([]byte(e.place.key), int64(len(e.bytes)))
	}
}

// order sorts by partition and then by where an entry was.
func order(held []entry, where *places) {
	all := make([]*place, 0, len(where.byKey))
	for _, p := range where.byKey {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *place) int { return cmp.Compare(a.key, b.key) })
	for rank, p := range all {
		p.rank = rank
	}
	slices.SortFunc(held, func(a, b entry) int {
		return cmp.Or(a.place.rank-b.place.rank, int(a.source)-int(b.source), int(a.number)-int(b.number))
	})
}

// writeHeld writes entries in their order.
func (w *rewriting) writeHeld(held []entry) error {
	if err := w.out.sample(held); err != nil {
		return err
	}
	roller := w.out.roller(w.target)
	var t manifest.Transcript
	for i := range held {
		if err := roller.add(held[i].transcript(w.layout, &t), held[i].gone); err != nil {
			return err
		}
	}
	return roller.end()
}

// pass reads what lies in ranges and writes each into manifests of its own.
func (w *rewriting) pass(ctx context.Context, ranges []keyRange) error {
	lanes := w.meeting(ranges)
	rollers := make([]*roller, len(ranges))
	for i, r := range ranges {
		target := w.target
		if !r.single {
			target = target * loosePercent / 100
		}
		rollers[i] = w.out.roller(target)
	}
	var t manifest.Transcript
	err := newFeed(len(lanes)).run(ctx, func(ctx context.Context, lane int, give func(piece) error) error {
		i := lanes[lane]
		return w.read(ctx, i, &holder{packer: packer{give: give}, in: ranges, source: int32(i)})
	}, func(_ int, p piece) error {
		if w.isBad() {
			return nil // what is written is of no use, but others may be bad too
		}
		if w.out.packed == 0 {
			if err := w.out.sample(p.entries); err != nil {
				return err
			}
		}
		for i := range p.entries {
			e := &p.entries[i]
			if err := rollers[e.place.rank].add(e.transcript(w.layout, &t), e.gone); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && w.isBad() {
		err = errBad
	}
	for i := 0; i < len(rollers) && err == nil; i++ {
		err = rollers[i].end()
	}
	return err
}

// meeting are the sources that may have something in the ranges.
func (w *rewriting) meeting(ranges []keyRange) []int {
	whole := keyRange{low: ranges[0].low, high: ranges[len(ranges)-1].high, ended: ranges[len(ranges)-1].ended}
	var found []int
	for i := range w.sources {
		if len(w.layout.Partition().Fields()) == 0 || w.first[i] != "" && whole.meets(w.first[i], w.last[i]) {
			found = append(found, i)
		}
	}
	return found
}

func (w *rewriting) isBad() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.bad) > 0
}

// holder keeps the entries of one manifest, or counts them.
type holder struct {
	packer
	// in are the ranges of which entries are kept, each with the index of its range as
	// rank; nil: all.
	in     []keyRange
	source int32
	places *places
	counts *histogram
	// over: entries are not kept but counted.
	over *atomic.Bool

	first, last string
	place       *place
	// run is how much there is of the partition with the key that is not counted yet.
	key []byte
	run int64
}

func (h *holder) entry(t *manifest.Transcript, key []byte, number int32, gone bool) error {
	if h.in != nil {
		if h.place == nil || h.place.key != string(key) {
			// It is passed on at once: no need to know it again.
			h.place = &place{key: string(key), partition: bytes.Clone(t.Partition), rank: find(h.in, key)}
		}
		if h.place.rank < 0 {
			return nil
		}
		return h.add(t, h.place, 0, h.source, number, gone)
	}
	h.extend(key)
	if h.over.Load() {
		return h.count(t, key)
	}
	more := int64(0)
	if h.place == nil || h.place.key != string(key) {
		h.place, more = h.places.of(key, t.Partition)
	}
	return h.add(t, h.place, more, h.source, number, gone)
}

func (h *holder) extend(key []byte) {
	if h.first == "" || string(key) < h.first {
		h.first = string(key)
	}
	if string(key) > h.last {
		h.last = string(key)
	}
}

func (h *holder) count(t *manifest.Transcript, key []byte) error {
	if err := h.flush(); err != nil {
		return err
	}
	h.slab = nil
	if !bytes.Equal(h.key, key) {
		h.settle()
		h.key = append(h.key[:0], key...)
	}
	h.run += int64(len(t.Bytes))
	return nil
}

func (h *holder) settle() {
	if h.run > 0 {
		h.counts.add(h.key, h.run)
		h.run = 0
	}
}

func (h *holder) end() error {
	h.settle()
	return h.flush()
}
