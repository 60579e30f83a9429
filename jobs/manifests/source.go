package manifests

import (
	"context"
	"errors"
	"fmt"

	"deckhand/internal/erase"
	"deckhand/internal/maintenance"
	"deckhand/internal/manifest"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// source is one manifest of the branch main.
type source struct {
	*manifest.Kept
	span span
	// stays says why it is not written anew although it might be; nil otherwise.
	stays error
}

// bytes that it has, as far as the list tells.
func (s *source) bytes() int64 { return max(s.Length, 0) }

// live files, or -1 where the list does not tell.
func (s *source) live() int64 {
	if s.AddedFiles < 0 || s.ExistingFiles < 0 {
		return -1
	}
	return s.AddedFiles + s.ExistingFiles
}

// same says that two lists say the same of a manifest, so that its entries
// inherit the same.
func (s *source) same(other *source) bool {
	return s.Path == other.Path && s.Length == other.Length && s.SpecID == other.SpecID && s.Deletes == other.Deletes &&
		s.SequenceNumber == other.SequenceNumber && s.AddedSnapshotID == other.AddedSnapshotID && s.FirstRowID == other.FirstRowID
}

// groupKey is what manifests must have in common to be written as one.
type groupKey struct {
	spec    int32
	deletes bool
}

func (s *source) group() groupKey { return groupKey{s.SpecID, s.Deletes} }

// compare orders groups: data before deletes, since what is live decides about
// deletes.
func (k groupKey) compare(other groupKey) int {
	switch {
	case k.deletes != other.deletes && k.deletes:
		return 1
	case k.deletes != other.deletes:
		return -1
	}
	return int(k.spec) - int(other.spec)
}

// errNoList says that there is nothing that could be rewritten.
var errNoList = errors.New("no list")

// sources reads the manifest list of main. It is errNoList, with a note, where a
// list cannot be written anew.
func (r *run) sources(ctx context.Context, m *table.Metadata) (*table.Snapshot, []*source, error) {
	current := currentSnapshot(m)
	if current == nil {
		r.book.Note("the branch main has no snapshot")
		return nil, nil, errNoList
	}
	if current.ManifestList == "" {
		r.book.Note("snapshot %d names its manifests without a list, as early v1 tables do; the next commit of a writer makes one", current.ID)
		return nil, nil, errNoList
	}
	var all []*source
	err := table.CarryList(ctx, r.table.Reader, current.ManifestList, m.FormatVersion, func(k *manifest.Kept) error {
		all = append(all, &source{Kept: k})
		return nil
	})
	var no *manifest.NotCarriedError
	if errors.As(err, &no) {
		r.book.Note("nothing was rewritten: %v", no)
		return nil, nil, errNoList
	}
	if err != nil {
		remedy := "mend it or roll the table back"
		switch {
		case erase.IsOutside(err):
			remedy = "add the table's location to the locations of the catalog's storage section"
		case errors.Is(err, storage.ErrDenied):
			remedy = "the keys must allow to read below the table's locations"
		}
		return nil, nil, maintenance.StorageFailure(ctx, fmt.Errorf("read the manifest list of snapshot %d: %w: nothing was changed; %s, and requeue",
			current.ID, err, remedy))
	}
	return current, all, nil
}

func currentSnapshot(m *table.Metadata) *table.Snapshot {
	for i, s := range m.Snapshots {
		if s.ID == m.CurrentSnapshotID {
			return &m.Snapshots[i]
		}
	}
	return nil
}

// noSpec is the permanent error of settings that do not fit the table.
func noSpec(id int) error {
	return jobs.Permanentf("spec-id is %d, and the table has no such partition spec; correct it and requeue", id)
}
