package purge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"deckhand/internal/erase"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// deleteLevels goes from the level of the checkpoint to the root. tree is that of
// [run.readTree].
func (r *run) deleteLevels(ctx context.Context, tree *table.Tree) error {
	if r.ck.Level == levelData && !r.adopted {
		if err := r.deleteData(ctx, tree); err != nil {
			return err
		}
	}
	steps := []struct {
		level level
		files func(ctx context.Context) ([]file, error)
	}{
		{levelManifests, func(context.Context) ([]file, error) { return r.manifestFiles(tree), nil }},
		{levelLists, func(ctx context.Context) ([]file, error) { return r.listFiles(ctx, tree) }},
		{levelStatistics, func(context.Context) ([]file, error) { return r.statisticsFiles(), nil }},
		{levelMetadata, func(context.Context) ([]file, error) { return r.metadataFiles(), nil }},
	}
	for _, step := range steps {
		if step.level < r.ck.Level {
			continue
		}
		if err := r.deleteLevel(ctx, step.level, step.files); err != nil {
			return err
		}
	}
	switch outside := r.scope.Check(r.root) != nil; {
	case outside:
		r.keepOutside(file{kind: MetadataFiles, path: r.job.MetadataLocation, size: r.metadata.Size})
		if r.catalog.Policy.Outside == OutsideKeep {
			return r.endOutside(ctx)
		}
	case len(r.held) > 0 || r.heldAll:
		r.book.Keep(NamesKept, MetadataFiles, r.metadata.Size, r.job.MetadataLocation, "")
		return r.endOutside(ctx)
	default:
		if err := r.deleteRoot(ctx, r.metadata.Size); err != nil {
			return err
		}
	}
	return r.listLeft(ctx)
}

// file is one of the few files above the entries of manifests.
type file struct {
	kind Kind
	path string
	size int64
	// absent: it is known to be gone, and is not counted. It is deleted only where it
	// may have versions behind a marker.
	absent bool
}

// deleteLevel deletes a level's files. The checkpoint before says what the level
// will have deleted, so that a run that resumes in it counts the same. The error
// is permanent when a file was refused: the next level must not begin.
func (r *run) deleteLevel(ctx context.Context, at level, files func(context.Context) ([]file, error)) error {
	resuming := r.ck.Level == at
	// What this level keeps is found again when it is resumed, so the checkpoint
	// holds only what was kept before.
	keptBefore := r.receipt.Kept.Few(maxListed)
	list, err := files(ctx)
	if err != nil {
		return err
	}
	next := Counts{}
	var erasable []erase.File
	hidden := map[storage.Location]bool{}
	for _, f := range list {
		location, err := storage.Parse(f.path)
		if err == nil {
			err = r.scope.Check(location)
		}
		switch {
		case f.absent && (err != nil || r.dryRun || !r.removesVersions()):
			continue
		case f.absent:
			hidden[location] = true
			erasable = append(erasable, erase.File{Kind: f.kind, Location: location})
			continue
		case err != nil:
			r.keepOutside(f)
			continue
		}
		if at == levelRoot || !r.goneBefore(f.path) {
			next.Add(f.kind, 1, f.size)
		}
		erasable = append(erasable, erase.File{Kind: f.kind, Location: location, Size: f.size})
	}
	if resuming {
		next = r.ck.Next
	}
	if err := r.enter(ctx, at, next, keptBefore); err != nil {
		return err
	}
	if r.dryRun {
		for _, f := range erasable {
			r.book.Deleted(f.Location, f.Kind, f.Size)
		}
		r.receipt.Deleted.AddAll(next)
		return nil
	}
	err = erase.Files(ctx, r.eraser, erasable,
		func(f erase.File) {
			if !hidden[f.Location] {
				r.book.Deleted(f.Location, f.Kind, f.Size)
			}
		},
		func(f erase.File, refusal error) {
			r.refuse(f.Kind, f.Size, f.Location, refusal)
			if hidden[f.Location] {
				return
			}
			next = next.Clone()
			next.Add(f.Kind, -1, -f.Size)
		})
	if err != nil {
		return err
	}
	r.receipt.Deleted.AddAll(next)
	return r.blockedAt(ctx, at)
}

// enter stores that a level begins.
func (r *run) enter(ctx context.Context, at level, next Counts, kept receipt.KeptFiles) error {
	r.ck.Level, r.ck.Next = at, next
	r.ck.Plan, r.ck.Done, r.ck.Stride = 0, nil, 0
	r.ck.Deleted, r.ck.Absent = r.receipt.Deleted.Clone(), r.receipt.Absent.Clone()
	r.ck.AbsentPaths = receipt.FewPaths(r.receipt.AbsentPaths, maxListed)
	r.ck.Kept, r.ck.AtMost = kept, r.receipt.AtMost
	r.ck.Held, r.ck.HeldAll = slices.Sorted(maps.Keys(r.held)), r.heldAll
	return r.save(ctx)
}

// shelf holds the lists that the run reads.
func (r *run) shelf() *table.Shelf { return table.NewShelf(r.reader, listsInFlight) }

// readTree is what the table names above the entries; nil where the levels that are
// left do not need it.
func (r *run) readTree(ctx context.Context) (*table.Tree, error) {
	if r.ck.Level > levelManifests {
		return nil, nil
	}
	tree, err := r.shelf().Read(ctx, r.metadata.Names(nil))
	if err != nil {
		return nil, erase.Failure(ctx, err)
	}
	if len(tree.Manifests) > erase.MaxManifests {
		return nil, jobs.Permanentf("the table has %d manifests, more than the %d that one purge can tell apart",
			len(tree.Manifests), erase.MaxManifests)
	}
	if r.ck.Level > levelData {
		return tree, nil // what is absent or unreadable was counted when it was found
	}
	for _, list := range tree.Unread() {
		switch {
		case errors.Is(list.Err, table.ErrEncrypted):
			return nil, jobs.Permanent(fmt.Errorf("read manifest list %s: %w", list.Path, list.Err))
		case r.missing(ManifestLists, list.Path, list.State, list.Err):
			list.State = table.Absent
		case r.unreadable(ManifestLists, list.Path, list.Err) && r.catalog.Policy.Outside == OutsideKeep:
			r.hold(list.Path)
		}
	}
	return tree, nil
}

// manifestFiles are the manifests that may go: all but the held ones.
func (r *run) manifestFiles(tree *table.Tree) []file {
	var files []file
	for i, m := range tree.Manifests {
		if r.isHeld(m.Path) && r.inScope(m.Path) {
			r.book.Keep(NamesKept, Manifests, m.Length, m.Path, "")
			continue
		}
		gone := i < len(r.gone) && r.gone[i] // not known when resumed in this level
		files = append(files, file{kind: Manifests, path: m.Path, size: max(m.Length, 0), absent: gone})
	}
	return files
}

// inScope says whether a file may be deleted at all.
func (r *run) inScope(path string) bool {
	location, err := storage.Parse(path)
	return err == nil && r.scope.Check(location) == nil
}

// listFiles are the manifest lists that may go: those that name no held
// manifest. A run that is resumed in this level reads lists only where there is a
// held one: their sizes were counted before.
func (r *run) listFiles(ctx context.Context, tree *table.Tree) ([]file, error) {
	resumed := tree == nil
	lists, err := r.listsOf(ctx, tree)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, list := range lists {
		if r.namesHeld(list) && r.inScope(list.Path) {
			r.book.Keep(NamesKept, ManifestLists, list.Size, list.Path, "")
			r.named[erase.PathHash(list.Path)] = true
			continue
		}
		files = append(files, file{
			kind: ManifestLists, path: list.Path, size: list.Size,
			absent: !resumed && list.State == table.Absent,
		})
	}
	return files, nil
}

func (r *run) listsOf(ctx context.Context, tree *table.Tree) ([]*table.ManifestList, error) {
	if tree == nil && len(r.held) > 0 && !r.heldAll {
		var err error
		if tree, err = r.shelf().Read(ctx, r.metadata.Names(nil)); err != nil {
			return nil, erase.Failure(ctx, err)
		}
	}
	if tree != nil {
		return tree.Lists, nil
	}
	var lists []*table.ManifestList
	for _, path := range r.metadata.ManifestLists() {
		lists = append(lists, &table.ManifestList{Path: path})
	}
	return lists, nil
}

// namesHeld says whether a list may name something that stays.
func (r *run) namesHeld(list *table.ManifestList) bool {
	switch {
	case list.State == table.Absent:
		return false
	case r.heldAll, r.isHeld(list.Path):
		return true
	case len(r.held) == 0:
		return false
	case list.State == table.Unreadable:
		return !errors.Is(list.Err, storage.ErrDenied) || !r.goneBefore(list.Path)
	}
	for m := range list.Manifests() {
		if r.isHeld(m.Path) {
			return true
		}
	}
	return false
}

func (r *run) statisticsFiles() []file {
	var files []file
	seen := map[string]bool{}
	add := func(kind Kind, of []table.StatisticsFile) {
		for _, s := range of {
			if id := table.Identity(s.Path); id != "" && !seen[id] {
				seen[id] = true
				files = append(files, file{kind: kind, path: s.Path, size: s.Size})
			}
		}
	}
	add(Statistics, r.metadata.Statistics)
	add(PartitionStatistics, r.metadata.PartitionStatistics)
	return files
}

// metadataFiles are the earlier metadata files; never the root, by whatever
// spelling it is named.
func (r *run) metadataFiles() []file {
	var files []file
	for _, path := range table.Distinct(append([]string{r.root.String()}, r.metadata.MetadataLog...))[1:] {
		files = append(files, file{kind: MetadataFiles, path: path})
	}
	return files
}

func (r *run) deleteRoot(ctx context.Context, size int64) error {
	root := func(context.Context) ([]file, error) {
		return []file{{kind: MetadataFiles, path: r.job.MetadataLocation, size: size}}, nil
	}
	return r.deleteLevel(ctx, levelRoot, root)
}
