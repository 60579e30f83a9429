package erase

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// What is done of a list of manifests is stored as a bitmap, a bit for each stride
// of them, and behind it, after a byte for the format, which entries are settled of
// manifests under way. That is a sequence of varints: for each such manifest the
// distance from the one before, the number of spans, and for each of these the
// distance from the end of the one before and its length.
//
// Before, workers stored only the bitmap; they read that of today too, and repeat more.

const (
	maxDoneBits = 1 << 15
	// maxParts bounds the second part in bytes. What has no room is repeated by the
	// next run; under way are usually fewer than twenty manifests of few spans.
	maxParts = 1 << 10
	// formatOfParts also says that whatever is settled is gone, or was not to go.
	formatOfParts = 1
)

// doneSet counts down the manifests of each bit; a bit is set when all of its
// manifests are done.
type doneSet struct {
	stride int
	open   []int // manifests left, per bit
}

func newDoneSet(manifests, stride int) *doneSet {
	d := &doneSet{stride: stride, open: make([]int, bitsOf(manifests, stride))}
	for i := range manifests {
		d.open[i/stride]++
	}
	return d
}

func bitsOf(manifests, stride int) int { return (manifests + stride - 1) / stride }

func (d *doneSet) mark(manifest int) { d.open[manifest/d.stride]-- }

func (d *doneSet) bitmap() []byte {
	bits := make([]byte, (len(d.open)+7)/8)
	for i, open := range d.open {
		if open == 0 {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return bits
}

// isDone reads a bitmap that an earlier run stored.
func isDone(bitmap []byte, stride, manifest int) bool {
	bit := manifest / stride
	return bit/8 < len(bitmap) && bitmap[bit/8]&(1<<(bit%8)) != 0
}

// part is what is settled of a manifest that is not done.
type part struct {
	manifest int
	settled  spans
}

// encodeParts has room for those of which most is settled.
func encodeParts(parts []part) []byte {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(b.settled.length(), a.settled.length()) })
	room := maxParts
	chosen := parts[:0]
	for _, p := range parts {
		// The distance from the manifest before is not known yet; from the first one
		// it takes no less.
		p.settled, room = p.settled.fit(room - uvarintLength(uint64(p.manifest)) - binary.MaxVarintLen16)
		if len(p.settled) == 0 {
			break
		}
		chosen = append(chosen, p)
	}
	slices.SortFunc(chosen, func(a, b part) int { return cmp.Compare(a.manifest, b.manifest) })
	var encoded []byte
	before := 0
	for _, p := range chosen {
		encoded = binary.AppendUvarint(encoded, uint64(p.manifest-before))
		encoded = binary.AppendUvarint(encoded, uint64(len(p.settled)))
		at := int64(0)
		for _, s := range p.settled {
			encoded = binary.AppendUvarint(encoded, uint64(s.start-at))
			encoded = binary.AppendUvarint(encoded, uint64(s.end-s.start))
			at = s.end
		}
		before = p.manifest
	}
	return encoded
}

// fit are the first spans that have room, and what room is left.
func (s spans) fit(room int) (spans, int) {
	at := int64(0)
	for i, one := range s {
		size := uvarintLength(uint64(one.start-at)) + uvarintLength(uint64(one.end-one.start))
		if size > room {
			return s[:i], 0
		}
		room, at = room-size, one.end
	}
	return s, room
}

func uvarintLength(n uint64) int { return len(binary.AppendUvarint(nil, n)) }

// maxEntry is above the number of any entry; it keeps sums of what a damaged
// checkpoint says in range.
const maxEntry = 1 << 48

// decodeParts reads what follows the bitmap. It ends where that makes no sense:
// what is not read is repeated.
func decodeParts(encoded []byte, manifests int) map[int]spans {
	parts := map[int]spans{}
	next := func(most uint64) (int64, bool) {
		n, length := binary.Uvarint(encoded)
		if length <= 0 || n > most {
			return 0, false
		}
		encoded = encoded[length:]
		return int64(n), true //nolint:gosec // most is far below
	}
	for manifest := 0; len(encoded) > 0; {
		distance, ok := next(uint64(max(manifests, 0)))
		count, ok2 := next(maxParts)
		if manifest += int(distance); !ok || !ok2 || manifest >= manifests {
			return parts
		}
		var settled spans
		for at := int64(0); count > 0; count-- {
			gap, ok := next(maxEntry)
			length, ok2 := next(maxEntry)
			if !ok || !ok2 || at+gap+length > maxEntry {
				return parts
			}
			settled = settled.add(span{at + gap, at + gap + length})
			at += gap + length
		}
		if parts[manifest] != nil {
			return parts
		}
		if len(settled) > 0 {
			parts[manifest] = settled
		}
	}
	return parts
}
