package erase

import (
	"github.com/cespare/xxhash/v2"

	"deckhand/internal/table"
)

// PathHash identifies a file in a checkpoint, by whatever spelling it is named.
// Unlike those of a [table.PathSet] these hashes are the same in every process.
func PathHash(path string) uint64 { return xxhash.Sum64String(table.Identity(path)) }
