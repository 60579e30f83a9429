package table

import (
	"context"
	"encoding/binary"
	"iter"
	"slices"

	"deckhand/internal/manifest"
)

// ManifestList is one that some snapshot names, and that a [Shelf] has read or
// tried to read.
type ManifestList struct {
	// Path as the first snapshot writes it that named it.
	Path string
	// Size in bytes as stored; 0 unless it was read and the store told.
	Size  int64
	State State
	// Err says why it was not read.
	Err error

	tried bool
	names ranges
	shelf *Shelf
}

// Manifests are those that the list names, each once, in no order. There are
// none unless it was read.
func (l *ManifestList) Manifests() iter.Seq[*Manifest] {
	return func(yield func(*Manifest) bool) {
		for number := range l.names.all() {
			if !yield(l.shelf.manifests[number]) {
				return
			}
		}
	}
}

// ReadList streams one manifest list and returns its size in bytes as stored, 0
// when the store does not tell.
// For its errors see [StateOf].
func ReadList(ctx context.Context, from Opener, path string, entry func(*manifest.ListEntry) error) (int64, error) {
	body, info, err := openPath(ctx, from, path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	return max(info.Size, 0), manifest.ReadList(body, path, entry)
}

// CarryList streams one manifest list with all that is needed to name its
// manifests in another list; see [manifest.CarryList]. For its errors see there
// and [StateOf]. Encrypted manifests are among what it gives.
func CarryList(ctx context.Context, from Opener, path string, formatVersion int, entry func(*manifest.Kept) error) error {
	body, _, err := openPath(ctx, from, path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return manifest.CarryList(body, path, formatVersion, entry)
}

// ranges is a set of numbers as the lengths of gaps and runs, as varints. The
// lists of a table name nearly the same manifests, and these are numbered as they
// are found: a list of ten thousand takes some bytes.
type ranges []byte

// rangesOf sorts the numbers, which may repeat.
func rangesOf(numbers []uint32) ranges {
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	var r ranges
	for end, i := uint32(0), 0; i < len(numbers); {
		first, run := numbers[i], uint32(1)
		for i++; i < len(numbers) && numbers[i] == first+run; i++ {
			run++
		}
		r = binary.AppendUvarint(r, uint64(first-end))
		r = binary.AppendUvarint(r, uint64(run))
		end = first + run
	}
	return slices.Clip(r)
}

func (r ranges) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for next := uint32(0); len(r) > 0; {
			var lengths [2]uint32
			for i := range lengths {
				length, n := binary.Uvarint(r)
				lengths[i], r = uint32(length), r[n:] //nolint:gosec // it was 32 bits
			}
			next += lengths[0]
			for end := next + lengths[1]; next < end; next++ {
				if !yield(next) {
					return
				}
			}
		}
	}
}
