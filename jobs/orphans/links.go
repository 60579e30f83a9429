package orphans

import (
	"context"
	"path"
	"strings"

	"deckhand/internal/erase"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// maxLinks are kept in mind: what is listed of local disks without a time is a link,
// seldom something else.
const maxLinks = 100_000

// judgeLinks refuses a table that names files through a symbolic link among its own:
// they are listed where it leads to, under names that nothing names. Its manifests are
// read once more for that, which only those of local disks with links are.
func (r *run) judgeLinks(ctx context.Context) error {
	if len(r.links) == 0 || r.found.count == 0 {
		return nil
	}
	again := table.NewReach(r.table.Reader, table.ReachConfig{})
	err := again.Files(ctx, r.loaded.Metadata, r.loaded.MetadataLocation, func(f table.Reached) error {
		l, err := storage.Parse(f.Path)
		if err != nil || l.Scheme != "file" {
			return nil //nolint:nilerr // it is through no link
		}
		size, through := r.links[l]
		through = through && f.Size >= 0 && size != f.Size // a file without a time has its size
		link := l
		for folder := range parents(l) {
			folder.Key = strings.TrimSuffix(folder.Key, "/")
			if _, found := r.links[folder]; found {
				link, through = folder, true
			}
		}
		if !through {
			return nil
		}
		return jobs.Permanentf("the table names %s, and %s is a symbolic link or a special file, so it cannot be told which of the listed files that is: "+
			"nothing was deleted; put what it leads to in its place, or switch the removal of orphans of this table off", f.Path, link)
	})
	return erase.Failure(ctx, err)
}

// misspelled says that a listed metadata file is the table's current one, although the
// table does not name it so.
func (r *run) misspelled(l storage.Location, said head) bool {
	return path.Base(l.Key) == path.Base(r.loaded.MetadataLocation) && said.updated.Equal(r.loaded.Metadata.LastUpdated) && !r.needs(l)
}
