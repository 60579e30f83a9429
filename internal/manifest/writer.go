package manifest

import (
	"errors"
	"io"

	"deckhand/internal/manifest/partition"
)

// Compression is how the blocks of a file are packed.
type Compression struct {
	// Codec is named as in the table property write.avro.compression-codec:
	// gzip, zstd, snappy or uncompressed. Default gzip.
	Codec string
	// Level of gzip (1 to 9) or zstd. Default: a quick one.
	Level int
}

// Written is a manifest that was written, with what a manifest list says of
// it.
type Written struct {
	Path    string
	Length  int64 // bytes
	SpecID  int32
	Deletes bool

	MinSequenceNumber int64 // of the data of the entries
	ExistingFiles     int64
	ExistingRows      int64
	// UnassignedRows are the rows of the data files without a first row id:
	// in a v3 table they get theirs by the manifest list.
	UnassignedRows int64
	// Partitions has a summary for each field of the spec. It is nil when the
	// bounds of a field cannot be told, since a reader takes one without
	// bounds for one without values.
	Partitions []partition.Summary
}

// Writer writes one manifest, in blocks, as entries come. It is not for use
// by several goroutines at once.
type Writer struct{}

// NewWriter begins a manifest at path, which is written to out. out is
// neither closed nor flushed. The writer must be closed or aborted.
func NewWriter(out io.Writer, path string, to *Layout, c Compression) (*Writer, error) {
	return nil, errors.New("not yet")
}

// Add adds an entry that was transcribed to the writer's layout. An error is
// the wrapped one of the underlying writer, and is final.
func (w *Writer) Add(e *Transcript) error { return errors.New("not yet") }

// Size is how long the file is so far, in bytes, with an estimate for the
// block that is not yet packed.
func (w *Writer) Size() int64 { return 0 }

// Files is how many entries were added.
func (w *Writer) Files() int64 { return 0 }

// Close writes what is left and says what was written.
func (w *Writer) Close() (*Written, error) { return nil, errors.New("not yet") }

// Abort gives the writer's buffers back; what it wrote is of no use. It is
// harmless after Close.
func (w *Writer) Abort() {}
