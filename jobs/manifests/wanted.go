package manifests

import (
	"deckhand/internal/manifest"
	"deckhand/internal/manifest/partition"
)

// summariesOf a manifest by its list; nil where that has none.
func summariesOf(*manifest.Kept) []partition.Summary { return nil }

// spanKeys are the parts of keys ([partition.Spec.AppendKey]) of the least and the
// greatest value of a field.
func spanKeys(*partition.Spec, int, partition.Summary) (low, high []byte, err error) {
	return nil, nil, nil
}

// pathBounds are the bounds of the column file_path of a position delete file.
func pathBounds(*manifest.Transcript) (low, high []byte) { return nil, nil }
