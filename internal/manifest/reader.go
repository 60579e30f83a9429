package manifest

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Content is what a file holds that an entry names. The numbers are those of
// the Iceberg specification.
type Content uint8

// A deletion vector is a position delete of the format puffin.
const (
	ContentData Content = iota
	ContentPositionDeletes
	ContentEqualityDeletes
)

// Status is what became of a file in the snapshot that wrote the entry. The
// numbers are those of the Iceberg specification.
type Status uint8

// A file is live in a manifest unless its status is StatusDeleted.
const (
	StatusExisting Status = iota
	StatusAdded
	StatusDeleted
)

// Entry is one entry of a manifest. Numbers are -1 where the entry has no
// value or the caller did not ask for the field; what such an entry inherits
// from the manifest list is the caller's to add. The slices are valid until
// the next call of [Reader.Next] and are empty where there is no value.
type Entry struct {
	Status  Status
	Content Content // ContentData when the manifest does not say, as in v1
	Path    []byte  // as written, never empty
	Format  []byte  // as written, such as PARQUET or parquet (FieldFormat)

	RecordCount int64
	FileSize    int64 // bytes

	SnapshotID         int64 // FieldSequence
	SequenceNumber     int64 // FieldSequence: of the data
	FileSequenceNumber int64 // FieldSequence
	FirstRowID         int64 // FieldRowID

	// Partition is the partition struct in Avro's binary encoding, in the
	// order of the schema in Metadata("avro.schema") (FieldPartition).
	Partition []byte

	ReferencedDataFile []byte // FieldReferenced, as the next two
	ContentOffset      int64  // bytes from the start of the file
	ContentSize        int64  // bytes

	HasKeyMetadata bool // the file is encrypted
}

// Reader reads the entries of one manifest. It is not for use by several
// goroutines at once.
type Reader struct {
	c       container
	program program
	rec     record
	err     error
}

// NewReader reads the header of a manifest; name is used in errors, fields
// says which optional fields are decoded. It gives a [CorruptError] when r is
// not a manifest, and the wrapped error of r when r fails. The reader must be
// closed; r is left open and has been read to an arbitrary place.
func NewReader(r io.Reader, name string, fields Fields) (*Reader, error) {
	m := &Reader{}
	err := m.c.init(r, name)
	if err == nil {
		m.program, err = programs.get(programKey{m.c.meta["avro.schema"], "manifest", fields}, entryFields)
		if err != nil {
			err = m.c.fail(err)
		}
	}
	if err != nil {
		m.c.close()
		return nil, err
	}
	return m, nil
}

// Next reads the next entry into e, all of which it sets, and gives false at
// the end of the manifest. After an error, a [CorruptError] or the wrapped
// one of the underlying reader, it gives that error again.
func (r *Reader) Next(e *Entry) (bool, error) {
	if r.err != nil {
		return false, r.err
	}
	if r.c.scratch == nil {
		return false, errClosed
	}
	ok, err := r.c.next()
	if ok {
		err = r.read(e)
	}
	if err != nil {
		r.err = r.c.fail(err)
		return false, r.err
	}
	return ok, nil
}

func (r *Reader) read(e *Entry) error {
	rec := &r.rec
	rec.ints = entryDefaults
	for i := range rec.texts {
		rec.texts[i] = rec.texts[i][:0]
	}
	if err := r.c.window.run(r.program, rec, 0); err != nil {
		return err
	}
	status, content := rec.ints[entryStatus], rec.ints[entryContent]
	if status < 0 || status > int64(StatusDeleted) {
		return fmt.Errorf("status %d is unknown", status)
	}
	if content < 0 || content > int64(ContentEqualityDeletes) {
		return fmt.Errorf("content %d is unknown", content)
	}
	if len(rec.texts[entryPath]) == 0 {
		return errors.New("file_path is empty")
	}
	e.Status = Status(status)
	e.Content = Content(content)
	e.Path = rec.texts[entryPath]
	e.Format = rec.texts[entryFormat]
	e.RecordCount = rec.ints[entryRecords]
	e.FileSize = rec.ints[entrySize]
	e.SnapshotID = rec.ints[entrySnapshot]
	e.SequenceNumber = rec.ints[entrySequence]
	e.FileSequenceNumber = rec.ints[entryFileSequence]
	e.FirstRowID = rec.ints[entryRowID]
	e.Partition = rec.texts[entryPartition]
	e.ReferencedDataFile = rec.texts[entryReferenced]
	e.ContentOffset = rec.ints[entryOffset]
	e.ContentSize = rec.ints[entryLength]
	e.HasKeyMetadata = rec.ints[entryKey] != 0
	return nil
}

// Deletes says whether the manifest holds delete files, by its own header.
func (r *Reader) Deletes() bool { return strings.EqualFold(r.c.meta["content"], "deletes") }

// SpecID is the id of the partition spec that the manifest was written with,
// by its own header; -1 when that does not say.
func (r *Reader) SpecID() int32 {
	id, err := strconv.ParseInt(r.c.meta["partition-spec-id"], 10, 32)
	if err != nil {
		return -1
	}
	return int32(id)
}

// Metadata gives a value of the file's header, such as partition-spec,
// schema, format-version, content or avro.schema; "" when there is none.
func (r *Reader) Metadata(key string) string { return r.c.meta[key] }

// Close gives the reader's buffers back. It does not close the underlying
// reader. What the last Entry points to is no longer valid. The error is
// always nil.
func (r *Reader) Close() error {
	r.c.close()
	return nil
}

var _ io.Closer = (*Reader)(nil)
