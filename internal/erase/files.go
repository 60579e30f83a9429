package erase

import (
	"context"
	"fmt"

	"deckhand/internal/receipt"
	"deckhand/internal/storage"
)

// File is one of the few files above the entries of manifests.
type File struct {
	Kind     receipt.Kind
	Location storage.Location
	// Size in bytes, as far as it is known.
	Size int64
}

// Files deletes files, and tells of each what became of it. One that may be
// deleted later ends it with an error; the others have been told of by then, or
// not been tried.
func Files(ctx context.Context, with *storage.Session, files []File, deleted func(File), refused func(File, error)) error {
	locations := make([]storage.Location, len(files))
	for i, f := range files {
		locations[i] = f.Location
	}
	for i, deletion := range with.Delete(ctx, locations) {
		switch err := deletion.Err; {
		case err == nil:
			deleted(files[i])
		case temporary(err):
			return Failure(ctx, fmt.Errorf("delete the %s files: %w", files[i].Kind, err))
		default:
			refused(files[i], err)
		}
	}
	return nil
}
