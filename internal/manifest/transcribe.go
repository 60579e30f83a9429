package manifest

import (
	"errors"
	"io"
)

// Transcript is one live entry of a manifest as it is written into another.
//
// The numbers are those that count for the entry: what it had not itself is
// inherited from the manifest list. FirstRowID is -1 when no row ids were
// assigned yet. Partition is in the encoding of the layout. Status is that of
// the source; what is written is StatusExisting. All slices are valid until
// the next call of [Transcriber.Next].
type Transcript struct {
	Entry
	// Bytes is the whole entry in the encoding of the layout.
	Bytes []byte
}

// Transcriber reads the live entries of one manifest and gives them in the
// encoding of a layout. It is not for use by several goroutines at once.
type Transcriber struct{}

// NewTranscriber reads the header of a manifest, which r gives, and prepares
// to transcribe its entries. from is what the manifest list says of it: its
// path is the name used in errors; the snapshot id, sequence number and first
// row id are what the entries inherit. to must be of the same spec and content.
//
// The errors are those of [NewReader], and a [NotCarriedError] when the
// schema of the manifest has no place in the layout. The transcriber must be
// closed; r is left open.
func NewTranscriber(r io.Reader, from *ListEntry, to *Layout) (*Transcriber, error) {
	return nil, errors.New("not yet")
}

// Next gives the next entry that is not deleted, in e, all of which it sets,
// and false at the end of the manifest. Its errors are those of [Reader.Next]
// and a [NotCarriedError] when an entry has a value that has no place in the
// layout. After an error it gives that error again.
func (t *Transcriber) Next(e *Transcript) (bool, error) { return false, errors.New("not yet") }

// Close gives the transcriber's buffers back. What the last [Transcript]
// points to is no longer valid. The error is always nil.
func (t *Transcriber) Close() error { return nil }
