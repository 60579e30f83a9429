package table

import "deckhand/internal/storage"

// Identity is the one spelling of a path that may have several: s3a:// and
// s3:// name the same object. A path that is no location stays as it is.
func Identity(path string) string {
	if location, err := storage.Parse(path); err == nil {
		return location.String()
	}
	return path
}

// Distinct keeps the first of the paths that name the same file, in their order.
func Distinct(paths []string) []string {
	var distinct []string
	seen := make(map[string]bool, len(paths))
	for _, path := range paths {
		if id := Identity(path); !seen[id] {
			seen[id] = true
			distinct = append(distinct, path)
		}
	}
	return distinct
}
