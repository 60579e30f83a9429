package purge

import (
	"context"
	"errors"
	"slices"
	"strings"

	"deckhand/internal/erase"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// Files purges what is left of a table whose metadata file is gone, by the
// manifests and files that the job names (see [jobs.FilesParams]). It is a
// [jobs.Handler].
//
// The live entries of the manifests are deleted first, then the manifests, then
// the listed files, also where an entry names one of them; the limits are those
// of a purge. Without metadata nothing tells where the table's own locations are,
// so under the scope "table" the job has to. Where the job has no UUID either, whoever
// lives in its locations is taken for the owner of the files; see [run.verify].
type Files struct {
	cfg      Config
	catalogs catalogs
}

var _ jobs.Handler = (*Files)(nil)

// NewFiles makes the handler of kind purge-files. The error names the catalog
// whose configuration is wrong.
func NewFiles(cfg Config) (*Files, error) {
	found, err := newCatalogs(cfg)
	if err != nil {
		return nil, err
	}
	return &Files{cfg: cfg.withDefaults(), catalogs: found}, nil
}

// Run implements [jobs.Handler]. The receipt is a *[Receipt].
func (f *Files) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	r := newRun(f.cfg, job, progress)
	return r.do(ctx, f.catalogs, r.purgeFiles)
}

func (r *run) purgeFiles(ctx context.Context) error {
	var params jobs.FilesParams
	if err := parseParams(r.job.Params, &params, "manifests", "files"); err != nil {
		return err
	}
	if err := checkNames(params); err != nil {
		return jobs.Permanent(err)
	}
	// No list is read: nothing says more of the manifests than the job.
	tree, err := r.shelf().Read(ctx, table.Names{Manifests: params.Manifests})
	if err != nil {
		return err
	}
	scope, err := r.filesScope()
	if err != nil {
		return err
	}
	r.listed = params.Files
	r.receipt.Locations, r.receipt.Manifests = r.job.Locations, len(tree.Manifests)
	r.receipt.GCEnabled = r.job.GCEnabled == nil || *r.job.GCEnabled
	r.book.Note("the table's metadata file was gone before: the UUID could not be compared, and only the named manifests and files were looked at")
	if err := r.verifyFiles(ctx, params); err != nil {
		return err
	}
	r.openEraser(scope, r.job.Locations)
	r.ck = checkpoint{UUID: r.job.TableUUID, MetadataLocation: r.job.MetadataLocation, Locations: receipt.FewPaths(r.job.Locations, maxListed), Manifests: len(tree.Manifests)}
	if earlier := begun(r.job, r.progress.Checkpoint()); earlier != nil {
		r.resume(earlier)
	} else if err := r.save(ctx); err != nil {
		return err
	}
	return r.deleteNamed(ctx, tree)
}

func checkNames(params jobs.FilesParams) error {
	if len(params.Manifests) == 0 && len(params.Files) == 0 {
		return errors.New("read params of the job: it names neither manifests nor files")
	}
	if slices.Contains(params.Manifests, "") || slices.Contains(params.Files, "") {
		return errors.New("read params of the job: a manifest or file is empty")
	}
	return nil
}

// filesScope is what may be deleted: what the catalog allows, narrowed by the
// job. Only the job knows the table's locations here.
func (r *run) filesScope() (*storage.Guard, error) {
	if r.catalog.Policy.Scope == ScopeTable && len(r.job.Locations) == 0 {
		return nil, jobs.Permanentf("the job names no locations, and without the table's metadata nothing else says where the " +
			"table's files may lie: nothing was deleted; publish it with locations, or set purge.scope: catalog for this catalog and requeue")
	}
	return r.catalog.scope(r.job, r.job.Locations)
}

// deleteNamed goes from the level of the checkpoint to the listed files.
func (r *run) deleteNamed(ctx context.Context, tree *table.Tree) error {
	if r.ck.Level == levelData {
		if err := r.deleteData(ctx, tree); err != nil {
			return err
		}
	}
	if r.ck.Level <= levelManifests {
		manifests := func(context.Context) ([]file, error) { return r.manifestFiles(tree), nil }
		if err := r.deleteLevel(ctx, levelManifests, manifests); err != nil {
			return err
		}
	}
	// A list among the files may be all that names a manifest that was kept.
	if len(r.held) > 0 || r.heldAll {
		for _, path := range r.listed {
			r.book.Keep(NamesKept, kindOfName(path), 0, path, "")
			r.named[erase.PathHash(path)] = true
		}
		return r.endOutside(ctx)
	}
	listed := func(context.Context) ([]file, error) { return listedFiles(r.listed), nil }
	if err := r.deleteLevel(ctx, levelMetadata, listed); err != nil {
		return err
	}
	if len(r.held) > 0 || r.heldAll {
		return r.endOutside(ctx)
	}
	return r.listLeft(ctx)
}

func listedFiles(paths []string) []file {
	var files []file
	for _, path := range table.Distinct(paths) {
		files = append(files, file{kind: kindOfName(path), path: path})
	}
	return files
}

// kindOfName is the kind of a listed file by the name that writers give such
// files. It is only for the receipt.
func kindOfName(path string) Kind {
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case strings.HasSuffix(name, ".avro"):
		return ManifestLists
	case strings.HasSuffix(name, ".stats"), strings.HasSuffix(name, ".puffin"):
		return Statistics
	case strings.HasSuffix(name, ".parquet"), strings.HasSuffix(name, ".orc"):
		return PartitionStatistics
	default:
		return MetadataFiles
	}
}
