package expire

import (
	"context"

	"deckhand/internal/erase"
	"deckhand/internal/polaris"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// mend is what a dead job's error says to do.
const mend = "what names them stays, and so does the record of the expiry: mend it and requeue"

// going are the files of a record, and what of the table stays.
type going struct {
	rec *record
	// reached are the table's own files above the entries.
	reached map[storage.Location]bool
	// manifests that no snapshot names which stays; gone marks those that were not
	// there.
	manifests []*table.Manifest
	gone      map[*table.Manifest]bool
	// tree is what the record's snapshots name; nil when a run is resumed in a level
	// that does not need it.
	tree *table.Tree
}

// deleteFiles deletes what the record's snapshots reach and those of the table,
// without the record's, do not. In a dry run it only counts.
func (r *run) deleteFiles(ctx context.Context, rec *record, loaded *polaris.Loaded, s *sieve) error {
	m, goes := loaded.Metadata, idSet(rec.ids())
	g := &going{rec: rec, gone: map[*table.Manifest]bool{}, reached: reachedFiles(loaded, goes, rec)}
	for _, path := range m.Names(goes).Lists {
		addLocation(g.reached, path)
	}
	if r.ck.Level <= levelManifests {
		stay, tree, err := r.read(ctx, m, rec)
		if err != nil {
			return err
		}
		if err := readable(stay); err != nil {
			return err
		}
		for _, manifest := range stay.Manifests {
			addLocation(g.reached, manifest.Path)
		}
		g.tree = tree
		if g.manifests = tree.Without(stay); !s.serves(g.manifests) {
			s = newSieve(r.table.Reader, s.large) // others have let go of more since the plan
		}
		if r.ck.Level <= levelData {
			if err := r.fill(ctx, s, g.manifests, stay); err != nil {
				return err
			}
			if err := r.deleteData(ctx, g, s); err != nil {
				return err
			}
		}
	}
	for _, step := range []struct {
		level level
		files func() []upperFile
	}{
		{levelManifests, func() []upperFile { return r.manifestFiles(g) }},
		{levelLists, func() []upperFile { return r.listFiles(g) }},
		{levelStatistics, func() []upperFile { return statisticsFiles(g) }},
	} {
		if step.level < r.ck.Level {
			continue
		}
		if err := r.deleteLevel(ctx, step.level, g, step.files()); err != nil {
			return err
		}
	}
	return nil
}

// reachedFiles are the metadata files and statistics of a table, without those of
// some snapshots.
func reachedFiles(loaded *polaris.Loaded, but map[int64]bool, rec *record) map[storage.Location]bool {
	reached := map[storage.Location]bool{rec.location: true}
	addLocation(reached, loaded.MetadataLocation)
	for _, path := range loaded.Metadata.MetadataLog {
		addLocation(reached, path)
	}
	for _, of := range [][]table.StatisticsFile{loaded.Metadata.Statistics, loaded.Metadata.PartitionStatistics} {
		for _, f := range of {
			if !but[f.SnapshotID] {
				addLocation(reached, f.Path)
			}
		}
	}
	return reached
}

func addLocation(set map[storage.Location]bool, path string) {
	if l, err := storage.Parse(path); err == nil {
		set[l] = true
	}
}

// upperFile is a file above the entries of manifests.
type upperFile struct {
	kind receipt.Kind
	path string
	size int64
}

func (r *run) manifestFiles(g *going) []upperFile {
	var files []upperFile
	for _, m := range g.manifests {
		if !g.gone[m] && !r.isLeft(m.Path) {
			files = append(files, upperFile{kind: receipt.Manifests, path: m.Path, size: max(m.Length, 0)})
		}
	}
	return files
}

// lists of the record's snapshots. Of those that were not read only the path is known.
func (g *going) lists() []*table.ManifestList {
	if g.tree != nil {
		return g.tree.Lists
	}
	var lists []*table.ManifestList
	for _, path := range table.Distinct(g.rec.names().Lists) {
		lists = append(lists, &table.ManifestList{Path: path})
	}
	return lists
}

func (r *run) listFiles(g *going) []upperFile {
	var files []upperFile
	for _, list := range g.lists() {
		if list.State != table.Absent && !r.isLeft(list.Path) {
			files = append(files, upperFile{kind: receipt.ManifestLists, path: list.Path, size: list.Size})
		}
	}
	return files
}

func statisticsFiles(g *going) []upperFile {
	var files []upperFile
	for _, f := range g.rec.Statistics {
		files = append(files, upperFile{kind: receipt.Statistics, path: f.Path, size: f.Size})
	}
	for _, f := range g.rec.PartitionStatistics {
		files = append(files, upperFile{kind: receipt.PartitionStatistics, path: f.Path, size: f.Size})
	}
	return files
}

// deleteLevel deletes the files of a level that may go. The error is permanent
// when one was refused: the next level must not begin.
func (r *run) deleteLevel(ctx context.Context, at level, g *going, files []upperFile) error {
	resuming, before := r.ck.Level == at, r.receipt.Kept.Few(maxListed)
	next := receipt.Counts{}
	var erasable []erase.File
	for _, f := range files {
		l, err := storage.Parse(f.path)
		switch {
		case err != nil || r.table.Scope.Check(l) != nil:
			r.book.Keep(receipt.OutsideScope, f.kind, f.size, f.path, "")
		case !g.reached[l]:
			next.Add(f.kind, 1, f.size)
			erasable = append(erasable, erase.File{Kind: f.kind, Location: l, Size: f.size})
		}
	}
	if resuming {
		next = r.ck.Next
	}
	if err := r.enter(ctx, at, next, before); err != nil {
		return err
	}
	gone := func(f erase.File) { r.book.Deleted(f.Location, f.Kind, f.Size) }
	if r.dryRun {
		for _, f := range erasable {
			gone(f)
		}
	} else if err := erase.Files(ctx, r.table.Eraser, erasable, gone, func(f erase.File, err error) {
		r.refuse(f.Kind, f.Size, f.Location, err)
		next = next.Clone()
		next.Add(f.Kind, -1, -f.Size)
	}); err != nil {
		return err
	}
	r.receipt.Deleted.AddAll(next)
	return r.blocked.Err(at.String(), mend)
}
