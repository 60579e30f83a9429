package erase

import "deckhand/internal/receipt"

// A tag carries, beside a delete, whose the file was: 22 bits for the manifest, 3
// for the kind, 38 for the bytes (up to 256 GiB; a larger file counts as that).
const (
	tagKindBits = 3
	tagSizeBits = 38
	tagMaxSize  = 1<<tagSizeBits - 1
	// MaxManifests is how many manifests [Entries] can tell apart.
	MaxManifests = 1 << 22
)

func makeTag(manifest int, kind receipt.EntryKind, size int64) int64 {
	return int64(manifest)<<(tagKindBits+tagSizeBits) | int64(kind)<<tagSizeBits | min(max(size, 0), tagMaxSize)
}

func splitTag(tag int64) (manifest int, kind receipt.EntryKind, size int64) {
	return int(tag >> (tagKindBits + tagSizeBits)), receipt.EntryKind(tag>>tagSizeBits) & (1<<tagKindBits - 1), tag & tagMaxSize
}
