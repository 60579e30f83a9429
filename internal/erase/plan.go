package erase

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"deckhand/internal/table"
)

const maxDoneBits = 1 << 15

// Plan identifies a list of manifests, with all the settings that decide when
// a manifest of it is done, and gives the stride of its bitmap: how many manifests share a bit, so that the
// bitmap has at most 4 KiB. A bitmap means nothing under another plan.
func Plan(manifests []*table.Manifest, settings ...string) (plan uint64, stride int) {
	stride = max(1, (len(manifests)+maxDoneBits-1)/maxDoneBits)
	digest := xxhash.New()
	var length [8]byte
	write := func(text string) {
		binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
		_, _ = digest.Write(length[:])
		_, _ = digest.WriteString(text)
	}
	for _, setting := range settings {
		write(setting)
	}
	for _, m := range manifests {
		write(m.Path)
	}
	return digest.Sum64(), stride
}

// doneSet counts down the manifests of each bit; a bit is set when all of its
// manifests are done.
type doneSet struct {
	stride int
	open   []int // manifests left, per bit
}

func newDoneSet(manifests, stride int) *doneSet {
	d := &doneSet{stride: stride, open: make([]int, (manifests+stride-1)/stride)}
	for i := range manifests {
		d.open[i/stride]++
	}
	return d
}

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
