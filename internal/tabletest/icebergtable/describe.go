package icebergtable

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"deckhand/internal/tabletest"
)

// describe finds what the table consists of with iceberg-go's readers, and
// removes what else the writing left in the store.
func describe(c *catalog) (*Table, error) {
	walk := &walk{store: c.store, live: map[string]tabletest.FileKind{}, deleted: map[string]bool{}}
	walk.live[c.location] = tabletest.KindMetadata
	for previous := range c.metadata.PreviousFiles() {
		walk.live[previous.MetadataFile] = tabletest.KindMetadata
	}
	for file := range c.metadata.Statistics() {
		walk.live[file.StatisticsPath] = tabletest.KindStatistics
	}
	for file := range c.metadata.PartitionStatistics() {
		walk.live[file.StatisticsPath] = tabletest.KindPartitionStatistics
	}
	for _, snapshot := range c.metadata.Snapshots() {
		if err := walk.snapshot(snapshot); err != nil {
			return nil, fmt.Errorf("walk table: %w", err)
		}
	}
	t := &Table{
		Location: c.metadata.Location(), MetadataLocation: c.location, UUID: c.metadata.TableUUID().String(),
		Objects: c.store.files,
	}
	wanted := map[string]bool{}
	for path, kind := range walk.live {
		t.Files = append(t.Files, tabletest.File{Path: path, Kind: kind})
		wanted[path] = true
	}
	slices.SortFunc(t.Files, func(a, b tabletest.File) int { return cmp.Compare(a.Path, b.Path) })
	for _, path := range slices.Sorted(maps.Keys(walk.deleted)) {
		if !wanted[path] {
			t.DeletedOnly = append(t.DeletedOnly, path)
			wanted[path] = true
		}
	}
	c.store.keep(wanted)
	if len(c.store.files) != len(wanted) {
		return nil, fmt.Errorf("walk table: %d files are named, %d exist", len(wanted), len(c.store.files))
	}
	return t, nil
}

type walk struct {
	store   *memoryStore
	live    map[string]tabletest.FileKind
	deleted map[string]bool
}

func (w *walk) snapshot(s table.Snapshot) error {
	w.live[s.ManifestList] = tabletest.KindManifestList
	manifests, err := s.Manifests(w.store)
	if err != nil {
		return fmt.Errorf("read manifest list: %w", err)
	}
	for _, manifest := range manifests {
		w.live[manifest.FilePath()] = tabletest.KindManifest
		for entry, err := range manifest.Entries(w.store, false) {
			if err != nil {
				return fmt.Errorf("read manifest: %w", err)
			}
			file := entry.DataFile()
			if entry.Status() == iceberg.EntryStatusDELETED {
				w.deleted[file.FilePath()] = true
				continue
			}
			w.live[file.FilePath()] = kindOf(file)
		}
	}
	return nil
}

func kindOf(file iceberg.DataFile) tabletest.FileKind {
	switch {
	case file.ContentType() == iceberg.EntryContentEqDeletes:
		return tabletest.KindEqualityDeletes
	case file.ContentType() == iceberg.EntryContentData:
		return tabletest.KindData
	case table.IsDeletionVector(file):
		return tabletest.KindDV
	default:
		return tabletest.KindPositionDeletes
	}
}
