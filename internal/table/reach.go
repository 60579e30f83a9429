package table

import (
	"context"

	"deckhand/internal/manifest"
	"deckhand/internal/storage"
)

// ReachConfig says how much a [Reach] reads at once.
type ReachConfig struct {
	// Lists are read at once. Default [DefaultListsInFlight].
	Lists int
	// Manifests are read at once. Default [DefaultManifestsInFlight].
	Manifests int
}

// Reach finds every file that a table reaches, whichever of its retained snapshots
// needs it: what it does not show is needed by none. It remembers which manifests
// it has read, so that what a table reaches anew costs only what is new.
//
// It goes by Iceberg's ReachableFileUtil and DeleteOrphanFilesSparkAction: of a
// manifest count the live entries only, those of status EXISTING and ADDED. A file
// whose entry is DELETED is shown by the snapshots before, while they are there.
type Reach struct {
	from  Opener
	cfg   ReachConfig
	shelf *Shelf
	done  bitmap
}

// NewReach makes one for a single table.
func NewReach(from Opener, c ReachConfig) *Reach {
	return &Reach{from: from, cfg: c, shelf: NewShelf(from, c.Lists)}
}

// Files shows every file that the metadata at root reaches, but for the entries of
// manifests that an earlier call has shown: called with newer metadata of the same
// table, it adds what is new. A file may come several times, by several spellings
// and as several kinds.
//
// show is called from several goroutines; its error ends the work and is returned
// as it is. An *[UnreadError] names a list or manifest that cannot be read; any
// other error means that reading was stopped or that trying later may help. After
// an error it is unknown what the table reaches; the call may be repeated.
func (r *Reach) Files(ctx context.Context, m *Metadata, root string, show func(Reached) error) error {
	if err := above(m, root, show); err != nil {
		return err
	}
	tree, err := r.shelf.Read(ctx, m.Names(nil))
	if err != nil {
		return err
	}
	for _, list := range tree.Lists {
		if list.State != Read {
			return &UnreadError{Kind: ReachedList, Path: list.Path, State: list.State, Err: list.Err}
		}
		size := list.Size
		if size == 0 {
			size = -1
		}
		if err := show(Reached{Kind: ReachedList, Path: list.Path, Size: size}); err != nil {
			return err
		}
	}
	for _, m := range tree.Manifests {
		if err := show(Reached{Kind: ReachedManifest, Path: m.Path, Size: m.Length}); err != nil {
			return err
		}
	}
	return r.entries(ctx, tree, show)
}

// above shows what the metadata file names itself, but for lists and manifests.
func above(m *Metadata, root string, show func(Reached) error) error {
	files := []Reached{{Kind: ReachedMetadata, Path: root, Size: -1}}
	if m.Size > 0 {
		files[0].Size = m.Size
	}
	for _, path := range m.MetadataLog {
		files = append(files, Reached{Kind: ReachedMetadata, Path: path, Size: -1})
	}
	for _, path := range versionHints(m, root) {
		files = append(files, Reached{Kind: ReachedVersionHint, Path: path, Size: -1})
	}
	for _, f := range m.Statistics {
		files = append(files, Reached{Kind: ReachedStatistics, Path: f.Path, Size: f.Size})
	}
	for _, f := range m.PartitionStatistics {
		files = append(files, Reached{Kind: ReachedPartitionStatistics, Path: f.Path, Size: f.Size})
	}
	for _, f := range files {
		if err := show(f); err != nil {
			return err
		}
	}
	return nil
}

// versionHint is the name of Hadoop catalogs for the file that holds the number of
// the current version.
const versionHint = "version-hint.text"

// versionHints are the places where one may be: beside the metadata file, which is
// where Iceberg's Java library looks, and where the next metadata file would be
// written.
func versionHints(m *Metadata, root string) []string {
	var hints []string
	add := func(path string, folder func(storage.Location) storage.Location) {
		if l, err := storage.Parse(path); err == nil {
			hints = append(hints, folder(l).Join(versionHint).String())
		}
	}
	add(root, storage.Location.Parent)
	add(m.Location, func(l storage.Location) storage.Location { return l.Join("metadata") })
	add(m.Properties["write.metadata.path"], func(l storage.Location) storage.Location { return l })
	return Distinct(hints)
}

func (r *Reach) entries(ctx context.Context, tree *Tree, show func(Reached) error) error {
	v := &reachVisitor{tree: tree, show: show, read: make([]bool, len(tree.Manifests))}
	err := Walk(ctx, r.from, tree.Manifests, WalkConfig{
		Chosen:   func(i int) bool { return !r.done.has(tree.Manifests[i].number) },
		InFlight: r.cfg.Manifests, Fields: manifest.FieldReferenced,
	}, v)
	for i, read := range v.read {
		if read {
			r.done.add(tree.Manifests[i].number)
		}
	}
	return err
}

// reachVisitor is a [Visitor] that shows live entries.
type reachVisitor struct {
	tree *Tree
	show func(Reached) error
	read []bool // each is written by one goroutine
}

var _ Visitor = (*reachVisitor)(nil)

// Entry implements [Visitor].
func (v *reachVisitor) Entry(_ int, e *manifest.Entry) error {
	if e.Status == manifest.StatusDeleted {
		return nil
	}
	if err := v.show(Reached{Kind: reachedByEntry(e), Path: string(e.Path), Size: e.FileSize}); err != nil {
		return err
	}
	if len(e.ReferencedDataFile) == 0 {
		return nil
	}
	return v.show(Reached{Kind: ReachedReferenced, Path: string(e.ReferencedDataFile), Size: -1})
}

// End implements [Visitor].
func (v *reachVisitor) End(i int, state State, err error) error {
	if state != Read {
		return &UnreadError{Kind: ReachedManifest, Path: v.tree.Manifests[i].Path, State: state, Err: err}
	}
	v.read[i] = true
	return nil
}
