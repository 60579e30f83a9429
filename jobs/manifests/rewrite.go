package manifests

import (
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
// how much lies in which partitions, and then range after range of the order is
// read from the manifests that have something there. Clustered manifests are so
// read about twice; of those that hold everything, each range reads all. One
// partition that alone does not fit needs no order and is passed on as it is read.
type rewriting struct {
	*reading
	limit int64
	out   *roller
	// first and last keys by source, known after the first pass.
	first, last []string
}

// errBad says that some manifests must stay, and that what was made is of no use.
var errBad = errors.New("manifests must stay")

// run reads and writes. The error is errBad when manifests could not be read, as
// reading.bad says; then nothing but what the roller has stored was done.
func (w *rewriting) run(ctx context.Context) error {
	w.first, w.last = make([]string, len(w.sources)), make([]string, len(w.sources))
	if len(w.layout.Partition().Fields()) == 0 {
		return w.pass(ctx)
	}
	held, counted, err := w.hold(ctx, nil)
	if err != nil {
		return err
	}
	if counted == nil {
		return w.writeAll(held)
	}
	for _, r := range counted.ranges(w.limit) {
		if r.single {
			err = w.passRange(ctx, &r)
		} else {
			held, _, err = w.hold(ctx, &r)
			if err == nil {
				err = w.writeAll(held)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// meeting are the sources that may have something in the range.
func (w *rewriting) meeting(in *keyRange) []int {
	var found []int
	for i := range w.sources {
		if in == nil || w.first[i] != "" && in.meets(w.first[i], w.last[i]) {
			found = append(found, i)
		}
	}
	return found
}

// hold reads what lies in a range, nil for everything. When everything is more than
// may be held, it is counted instead. The entries are sorted.
func (w *rewriting) hold(ctx context.Context, in *keyRange) (held []entry, counted *histogram, err error) {
	where, counts := newPlaces(), newHistogram()
	var over atomic.Bool
	var total int64
	lanes := w.meeting(in)
	take := func(_ int, p piece) error {
		total += p.size
		if in == nil && !over.Load() && total > w.limit {
			over.Store(true)
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
	err = newFeed(len(lanes)).run(ctx, func(ctx context.Context, lane int, give func(piece) error) error {
		i := lanes[lane]
		into := &holder{packer: packer{give: give}, in: in, source: int32(i), places: where, counts: counts, over: &over}
		err := w.read(ctx, i, into)
		if in == nil {
			w.first[i], w.last[i] = into.first, into.last
		}
		return err
	}, take)
	switch {
	case err != nil:
		return nil, nil, err
	case len(w.bad) > 0:
		return nil, nil, errBad
	case over.Load():
		return nil, counts, nil
	}
	order(held, where)
	return held, nil, nil
}

func count(counts *histogram, entries []entry) {
	for _, e := range entries {
		counts.add([]byte(e.place.key), int64(len(e.bytes))+entrySize)
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

// holder keeps the entries of one manifest, or counts them.
type holder struct {
	packer
	in     *keyRange
	source int32
	places *places
	counts *histogram
	over   *atomic.Bool

	first, last string
	place       *place
	// run of entries of one partition that is not counted yet.
	key []byte
	run int64
}

func (h *holder) entry(t *manifest.Transcript, key []byte, number int32) error {
	if h.in != nil && !h.in.has(key) {
		return nil
	}
	if h.first == "" || string(key) < h.first {
		h.first = string(key)
	}
	if string(key) > h.last {
		h.last = string(key)
	}
	if h.in == nil && h.over.Load() {
		return h.count(t, key)
	}
	more := int64(0)
	if h.place == nil || h.place.key != string(key) {
		h.place, more = h.places.of(key, t.Partition)
	}
	return h.add(t, h.place, more, h.source, number)
}

func (h *holder) count(t *manifest.Transcript, key []byte) error {
	if err := h.flush(); err != nil {
		return err
	}
	h.slab = nil
	if string(h.key) != string(key) {
		h.settle()
		h.key = append(h.key[:0], key...)
	}
	h.run += int64(len(t.Bytes)) + entrySize
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

// writeAll writes entries in their order.
func (w *rewriting) writeAll(held []entry) error {
	var t manifest.Transcript
	for i := range held {
		if err := w.out.add(held[i].transcript(w.layout, &t)); err != nil {
			return err
		}
	}
	return nil
}

// pass writes everything in the order in which it is read.
func (w *rewriting) pass(ctx context.Context) error { return w.passRange(ctx, nil) }

func (w *rewriting) passRange(ctx context.Context, in *keyRange) error {
	where, lanes := newPlaces(), w.meeting(in)
	var over atomic.Bool
	return w.checked(newFeed(len(lanes)).run(ctx, func(ctx context.Context, lane int, give func(piece) error) error {
		i := lanes[lane]
		return w.read(ctx, i, &holder{packer: packer{give: give}, in: in, source: int32(i), places: where, over: &over})
	}, func(_ int, p piece) error {
		if w.isBad() {
			return nil // what is written is of no use, but others may be bad too
		}
		return w.writeAll(p.entries)
	}))
}

func (w *rewriting) checked(err error) error {
	if err == nil && w.isBad() {
		return errBad
	}
	return err
}

func (w *rewriting) isBad() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.bad) > 0
}
