package table

import (
	"deckhand/internal/manifest"
)

// Manifest is one that some manifest list names, or an old v1 snapshot inline,
// with what the lists say of it. A [Shelf] has one for each, whatever the
// spellings of its path, so that its address identifies it. It is not to be
// changed.
//
// What no list tells is as in [manifest.ListEntry]; of an inline one nothing is
// told but the path, and SpecID is -1. Where lists differ, as those of a table do
// that was v1 once, the smallest path and the largest numbers stay, so that every
// run has the same. That is no difference in a sound table: what is told of a
// manifest does not change.
type Manifest struct {
	manifest.ListEntry
	// number is its place on the shelf.
	number uint32
}

// Live is how many entries are live; -1 when no list tells.
func (m *Manifest) Live() int64 {
	if m.AddedFiles < 0 || m.ExistingFiles < 0 {
		return -1
	}
	return m.AddedFiles + m.ExistingFiles
}

// inlineEntry is what is known of a manifest of which only the path is.
func inlineEntry(path string) manifest.ListEntry {
	return manifest.ListEntry{
		Path: path, Length: -1, SpecID: -1, AddedSnapshotID: -1,
		AddedFiles: -1, ExistingFiles: -1, DeletedFiles: -1, FirstRowID: -1,
	}
}

// learn takes over what another list says.
func (m *Manifest) learn(e *manifest.ListEntry) {
	m.Path = min(m.Path, e.Path)
	m.Length = max(m.Length, e.Length)
	m.SpecID = max(m.SpecID, e.SpecID)
	m.Deletes = m.Deletes || e.Deletes
	m.SequenceNumber = max(m.SequenceNumber, e.SequenceNumber)
	m.MinSequenceNumber = max(m.MinSequenceNumber, e.MinSequenceNumber)
	m.AddedSnapshotID = max(m.AddedSnapshotID, e.AddedSnapshotID)
	m.AddedFiles = max(m.AddedFiles, e.AddedFiles)
	m.ExistingFiles = max(m.ExistingFiles, e.ExistingFiles)
	m.DeletedFiles = max(m.DeletedFiles, e.DeletedFiles)
	m.FirstRowID = max(m.FirstRowID, e.FirstRowID)
}
