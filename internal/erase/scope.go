package erase

import (
	"errors"

	"deckhand/internal/storage"
)

// Narrow allows of what a guard allows only what lies below the locations. It
// leaves out locations of schemes that are not known: nothing there can be
// reached anyway, and the files that lie there are named when met.
func Narrow(scope *storage.Guard, locations []string) (*storage.Guard, error) {
	var known []string
	for _, l := range locations {
		if _, err := storage.Parse(l); !errors.Is(err, storage.ErrUnsupportedScheme) {
			known = append(known, l)
		}
	}
	return scope.Narrow(known...)
}

// FolderRoots are the local folders up to which empty ones are removed.
func FolderRoots(locations []string) []storage.Location {
	var roots []storage.Location
	for _, l := range locations {
		if root, err := storage.Parse(l); err == nil && root.Scheme == "file" {
			roots = append(roots, root)
		}
	}
	return roots
}
