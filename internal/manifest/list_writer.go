package manifest

import (
	"errors"
	"io"
)

// ListConfig says for which snapshot a manifest list is written.
type ListConfig struct {
	FormatVersion    int // of the table, 1 to 3
	SnapshotID       int64
	ParentSnapshotID int64 // -1 when there is none
	SequenceNumber   int64 // of the snapshot; 0 in v1
	// FirstRowID is the table's next-row-id, which is the snapshot's
	// first-row-id (v3 only).
	FirstRowID  int64
	Compression Compression
}

// Kept is a manifest of an earlier list with everything that list says of it.
type Kept struct {
	ListEntry
	AddedRows, ExistingRows, DeletedRows int64 // -1 when absent
	encoded                              []byte
}

// CarryList streams a manifest list as [ReadList] does, whatever its schema,
// for lists of the given format version. What is yielded may be kept. A
// [NotCarriedError] names a field that the new list needs and the old one has
// not, or one that has no place in the new.
func CarryList(r io.Reader, name string, formatVersion int, yield func(*Kept) error) error {
	return errors.New("not yet")
}

// WrittenList is a manifest list that was written.
type WrittenList struct {
	Length int64 // bytes
	// AddedRows is how many row ids the list assigned: the snapshot's
	// added-rows (v3; 0 otherwise).
	AddedRows int64
}

// ListWriter writes one manifest list. It is not for use by several
// goroutines at once.
type ListWriter struct{}

// NewListWriter begins a manifest list, which is written to out. out is
// neither closed nor flushed. The writer must be closed or aborted.
func NewListWriter(out io.Writer, c ListConfig) (*ListWriter, error) {
	return nil, errors.New("not yet")
}

// Keep adds a manifest of an earlier list, which [CarryList] read for the
// same format version.
func (w *ListWriter) Keep(m *Kept) error { return errors.New("not yet") }

// Add adds a manifest that was written for this snapshot.
func (w *ListWriter) Add(m *Written) error { return errors.New("not yet") }

// Close writes what is left and says what was written.
func (w *ListWriter) Close() (*WrittenList, error) { return nil, errors.New("not yet") }

// Abort gives the writer's buffers back; what it wrote is of no use. It is
// harmless after Close.
func (w *ListWriter) Abort() {}
