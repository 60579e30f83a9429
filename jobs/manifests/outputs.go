package manifests

import (
	"context"
	"errors"
	"fmt"

	"deckhand/internal/erase"
	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// reserved is how many names of manifests are noted in the checkpoint ahead of
// their use.
const reserved = 16

// output is a file that the job has written.
type output struct {
	path string
	kind receipt.Kind
	size int64
}

// outputs are the files of one run. Their names begin with an id of the run, as
// those of Iceberg's Java library do, so that no two runs write the same.
type outputs struct {
	*run
	id string
	// next number of a manifest.
	next int
	// unneeded may be deleted: no commit that was or will be sent names them.
	unneeded []output
}

func (o *outputs) manifest(n int) string {
	return o.table.MetadataFolder.Join(fmt.Sprintf("%s-m%d.avro", o.id, n)).String()
}

// name gives the path of the next manifest.
func (o *outputs) name(ctx context.Context) (string, error) {
	if o.next >= o.ck.Manifests {
		o.ck.Manifests = o.next + reserved
		if err := o.save(ctx, "write"); err != nil {
			return "", err
		}
	}
	o.next++
	return o.manifest(o.next - 1), nil
}

// list is the path of the manifest list of a snapshot, which has one for each attempt
// to commit it.
func (o *outputs) list(snapshot string, attempt int) string {
	return o.table.MetadataFolder.Join(fmt.Sprintf("snap-%s-%d-%s.avro", snapshot, attempt, o.id)).String()
}

// store writes a file.
func (o *outputs) store(ctx context.Context, path string, data []byte) error {
	location, err := storage.Parse(path)
	if err == nil {
		err = o.table.Eraser.Write(ctx, location, data)
	}
	switch {
	case err == nil:
		return nil
	case erase.IsOutside(err):
		return jobs.Permanent(fmt.Errorf("write a manifest: %w: nothing was changed; "+
			"add the table's location to the locations of the catalog's storage section and requeue", err))
	case errors.Is(err, storage.ErrDenied):
		return jobs.Permanent(fmt.Errorf("write a manifest: %w: nothing was changed; "+
			"the keys must allow to write below the table's locations: where Polaris vends them, grant TABLE_WRITE_DATA; else check the catalog's storage section", err))
	}
	return erase.Failure(ctx, fmt.Errorf("write a manifest: %w", err))
}

// drop says that a file is not needed.
func (o *outputs) drop(f output) {
	if !o.dryRun {
		o.unneeded = append(o.unneeded, f)
	}
}

// forget says that manifests are not needed.
func (o *outputs) forget(written []*manifest.Written) {
	for _, m := range written {
		o.drop(output{path: m.Path, kind: receipt.Manifests, size: m.Length})
	}
}

// clean deletes what is not needed. What the store refuses stays and is said. When
// the work was stopped nothing is deleted: the next run does it.
func (o *outputs) clean(ctx context.Context) error {
	if len(o.unneeded) == 0 || ctx.Err() != nil || o.dryRun {
		return nil
	}
	var files []erase.File
	seen := map[string]bool{}
	for _, f := range o.unneeded {
		if seen[f.path] {
			continue
		}
		seen[f.path] = true
		location, err := storage.Parse(f.path)
		if err != nil {
			return fmt.Errorf("delete an output: %w", err)
		}
		files = append(files, erase.File{Kind: f.kind, Location: location, Size: f.size})
	}
	o.unneeded = nil
	return erase.Files(ctx, o.table.Eraser, files, func(f erase.File) {
		o.receipt.Cleaned.Files++
		o.receipt.Cleaned.Bytes += f.Size
		o.book.Deleted(f.Location, f.Kind, f.Size)
	}, func(f erase.File, err error) {
		o.book.Keep(receipt.RefusedBy(err), f.Kind, f.Size, f.Location.String(), err.Error())
	})
}
