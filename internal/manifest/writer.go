package manifest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"deckhand/internal/manifest/partition"
)

// Written is a manifest that was written, with what a manifest list says of
// it.
type Written struct {
	Path    string
	Length  int64 // bytes
	SpecID  int32
	Deletes bool

	MinSequenceNumber int64 // of the data of the existing entries; 0 when there are none
	ExistingFiles     int64
	ExistingRows      int64
	DeletedFiles      int64 // that the snapshot removes
	DeletedRows       int64
	// UnassignedRows are the rows of the data files without a first row id:
	// in a v3 table they get theirs by the manifest list. 0 in others.
	UnassignedRows int64
	// Partitions has a summary for each field of the spec. It is nil when the
	// bounds of a field cannot be told, since a reader takes one without
	// bounds for one without values.
	Partitions []partition.Summary
}

// Writer writes one manifest, in blocks, as entries come. It holds one block
// of 64 KB and the state of the encoder, not more. It is not for use by
// several goroutines at once.
type Writer struct {
	c         *containerWriter
	layout    *Layout
	summaries *partition.Summaries
	written   Written
	head      []byte
}

// NewWriter begins a manifest at path, which is written to out. out is
// neither closed nor flushed. The writer must be closed or aborted. An error
// is one of the compression or the wrapped one of out.
func NewWriter(out io.Writer, path string, to *Layout, c Compression) (*Writer, error) {
	cw, err := newContainerWriter(out, path, to.schema, c, to.header())
	if err != nil {
		return nil, err
	}
	return &Writer{
		c: cw, layout: to, summaries: to.partition.NewSummaries(),
		written: Written{Path: path, SpecID: to.partition.ID(), Deletes: to.deletes},
	}, nil
}

// header is what the file says of itself, by the specification's section on
// manifests.
func (l *Layout) header() []header {
	h := []header{
		{"schema", string(l.partition.Schema())},
		{"partition-spec", string(l.partition.JSON())},
		{"partition-spec-id", strconv.Itoa(int(l.partition.ID()))},
		{"format-version", strconv.Itoa(l.version)},
	}
	var schema struct {
		ID *int64 `json:"schema-id"`
	}
	if json.Unmarshal(l.partition.Schema(), &schema) == nil && schema.ID != nil {
		h = append(h, header{"schema-id", strconv.FormatInt(*schema.ID, 10)})
	}
	if l.version > 1 {
		content := "data"
		if l.deletes {
			content = "deletes"
		}
		h = append(h, header{"content", content})
	}
	return h
}

var errOtherLayout = errors.New("the entry was transcribed to another layout")

// Add adds an entry that was transcribed to the writer's layout. An error is
// the wrapped one of the underlying writer, and is final.
func (w *Writer) Add(e *Transcript) error {
	if err := w.summarise(e); err != nil {
		return err
	}
	if w.written.ExistingFiles == 0 || e.SequenceNumber < w.written.MinSequenceNumber {
		w.written.MinSequenceNumber = e.SequenceNumber
	}
	w.written.ExistingFiles++
	w.written.ExistingRows += e.RecordCount
	if e.FirstRowID == -1 && w.layout.rowIDs() {
		w.written.UnassignedRows += e.RecordCount
	}
	return w.c.add(e.Bytes)
}

// Delete adds the entry of a file that the snapshot with the given id removes:
// its status is StatusDeleted and its snapshot id that one, as in Iceberg's Java
// library (ManifestWriter.delete). Expiry that goes by such entries deletes the
// file when the snapshot has expired, whatever else names it, so that no live entry
// may. The errors are those of Add.
func (w *Writer) Delete(e *Transcript, snapshotID int64) error {
	if err := w.summarise(e); err != nil {
		return err
	}
	w.written.DeletedFiles++
	w.written.DeletedRows += e.RecordCount
	head := binary.AppendVarint(w.head[:0], int64(StatusDeleted))
	w.head = appendOptional(head, snapshotID)
	return w.c.add(w.head, e.afterSnapshotID())
}

func (w *Writer) summarise(e *Transcript) error {
	err := errOtherLayout
	if e.Layout == w.layout {
		err = w.summaries.Add(e.Partition)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", w.written.Path, err)
	}
	return nil
}

// Size is how long the file is so far, in bytes, with an estimate for the
// block that is not yet packed.
func (w *Writer) Size() int64 { return w.c.size() }

// Files is how many entries were added.
func (w *Writer) Files() int64 { return w.written.ExistingFiles + w.written.DeletedFiles }

// Close writes what is left and says what was written. An error is the
// wrapped one of the underlying writer, of this or an earlier call.
func (w *Writer) Close() (*Written, error) {
	length, err := w.c.close()
	if err != nil {
		return nil, err
	}
	w.written.Length = length
	if list, ok := w.summaries.List(); ok {
		w.written.Partitions = list
	}
	return &w.written, nil
}

// Abort gives the writer's buffers back; what it wrote is of no use. It is
// harmless after Close.
func (w *Writer) Abort() { w.c.abort() }
