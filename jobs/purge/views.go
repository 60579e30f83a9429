package purge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/erase"
	"deckhand/internal/ownership"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// Views purges dropped views. It is a [jobs.Handler].
//
// A view's metadata does not name its earlier metadata files, and a view that
// was created again at the same place has its own beside them. So each metadata
// file in the folder of the current one is read, and deleted only if it has the
// same view-uuid; the current one goes last.
type Views struct {
	cfg      Config
	catalogs catalogs
}

var _ jobs.Handler = (*Views)(nil)

// NewViews makes the handler of kind purge-view. The error names the catalog
// whose configuration is wrong.
func NewViews(cfg Config) (*Views, error) {
	found, err := newCatalogs(cfg)
	if err != nil {
		return nil, err
	}
	return &Views{cfg: cfg.withDefaults(), catalogs: found}, nil
}

// Run implements [jobs.Handler]. The receipt is a *[Receipt].
func (v *Views) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	r := newRun(v.cfg, job, progress)
	return r.do(ctx, v.catalogs, r.purgeView)
}

func (r *run) purgeView(ctx context.Context) error {
	if err := parseParams(r.job.Params, &struct{}{}); err != nil { // there are none
		return err
	}
	var err error
	if r.root, err = r.catalog.target(r.job); err != nil {
		return err
	}
	earlier := begun(r.job, r.progress.Checkpoint())
	view, err := table.LoadView(ctx, r.reader, r.root)
	switch {
	case err != nil && earlier == nil:
		return r.withoutBeginning(ctx, err)
	case err != nil:
		return r.finishWithoutRoot(ctx, earlier, err)
	}
	if err := checkUUID(r.job, view.UUID, "view"); err != nil {
		return err
	}
	folder := r.root.Parent()
	locations := []string{folder.String()}
	if home, err := storage.Parse(view.Location); err == nil && r.root.Within(home) {
		locations = []string{view.Location} // so that its empty folder goes too
	}
	if err := r.verify(ctx, ownership.Query{Kind: ownership.View, UUID: view.UUID}); err != nil {
		return err
	}
	scope, err := r.catalog.scope(r.job, locations)
	if err != nil {
		return err
	}
	if err := scope.Check(r.root); err != nil {
		return jobs.Permanent(fmt.Errorf("check the locations of the job: %w", err))
	}
	if earlier != nil && !strings.EqualFold(earlier.UUID, view.UUID) {
		earlier = nil // it was another view's
	}
	r.receipt.TableUUID, r.receipt.Locations = view.UUID, locations
	r.openEraser(scope, locations)
	r.ck = checkpoint{UUID: view.UUID, MetadataLocation: r.job.MetadataLocation, Locations: receipt.FewPaths(locations, maxListed)}
	if earlier != nil {
		r.resume(earlier)
	} else if err := r.save(ctx); err != nil {
		return err
	}
	if r.ck.Level < levelRoot {
		files := func(ctx context.Context) ([]file, error) { return r.earlierViewFiles(ctx, folder, view.UUID) }
		if err := r.deleteLevel(ctx, levelMetadata, files); err != nil {
			return err
		}
	}
	if err := r.deleteRoot(ctx, view.Size); err != nil {
		return err
	}
	return r.listLeft(ctx)
}

// earlierViewFiles are the metadata files beside the root that have the view's
// UUID. Files of others, and those that cannot be read, are kept and named.
func (r *run) earlierViewFiles(ctx context.Context, folder storage.Location, uuid string) ([]file, error) {
	var mu sync.Mutex
	var files []file
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readersInFlight)
	for object, err := range r.reader.List(ctx, folder) {
		if err != nil {
			_ = group.Wait()
			if errors.Is(err, storage.ErrDenied) {
				return nil, jobs.Permanent(fmt.Errorf("list the view's metadata files (allow the worker to list the folder): %w", err))
			}
			return nil, erase.Failure(ctx, err)
		}
		if object.Location == r.root || object.Location.Parent() != folder || !isMetadataFile(object.Location.Base()) {
			continue
		}
		group.Go(func() error {
			found, err := table.LoadView(reading, r.reader, object.Location)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && strings.EqualFold(found.UUID, uuid):
				files = append(files, file{kind: MetadataFiles, path: object.Location.String(), size: object.Size})
			case err == nil:
				r.book.Keep(AnotherView, MetadataFiles, object.Size, object.Location.String(), "")
			case errors.Is(err, storage.ErrNotFound):
			case errors.Is(err, table.ErrCorrupt), errors.Is(err, storage.ErrDenied):
				r.book.Keep(Unreadable, MetadataFiles, object.Size, object.Location.String(), err.Error())
			default:
				return err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, erase.Failure(ctx, err)
	}
	return files, nil
}

// isMetadataFile knows the names that writers give metadata files, compressed or
// not.
func isMetadataFile(name string) bool {
	return strings.HasSuffix(name, ".metadata.json") || strings.HasSuffix(name, ".metadata.json.gz")
}
