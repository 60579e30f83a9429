package purge

import (
	"context"
	"errors"
	"sync"

	"deckhand/internal/erase"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// maxLeft is where the final listing stops.
const maxLeft = 10_000

// listLeft lists what lies under the table's locations now. It reports and never
// fails the job, unless the run itself is being stopped: whether the location
// can be listed does not change what was deleted. Nothing is deleted afterwards: what
// buckets keep is asked at the same time.
func (r *run) listLeft(ctx context.Context) error {
	var asking sync.WaitGroup
	asking.Go(func() { r.askVersions(ctx) })
	defer asking.Wait()
	left := &Left{}
	r.receipt.Left = left
	for _, root := range distinctRoots(r.ck.Locations) {
		for object, err := range r.reader.List(ctx, root) {
			if err != nil {
				if ctx.Err() != nil {
					return erase.Failure(ctx, err)
				}
				if !errors.Is(err, storage.ErrNotFound) {
					left.Unknown = err.Error()
				}
				break
			}
			if left.Files >= maxLeft {
				left.AtLeast = true
				return nil
			}
			left.Files++
			left.Bytes += object.Size
			if len(left.Paths) < receipt.MaxPaths {
				left.Paths = append(left.Paths, object.Location.String())
			}
		}
	}
	return nil
}

// distinctRoots leaves out locations that lie inside another one, and those of
// unknown schemes.
func distinctRoots(locations []string) []storage.Location {
	var roots []storage.Location
	for _, l := range locations {
		root, err := storage.Parse(l)
		if err != nil {
			continue
		}
		roots = append(roots, root)
	}
	var distinct []storage.Location
	for i, root := range roots {
		covered := false
		for j, other := range roots {
			covered = covered || i != j && root.Within(other) || i > j && root.Same(other)
		}
		if !covered {
			distinct = append(distinct, root)
		}
	}
	return distinct
}

var _ table.Opener = (*storage.Session)(nil)
