package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// maxEntry is the largest entry that is transcribed, in bytes.
const maxEntry = 64 << 20

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
	// Layout is the one that Bytes and Partition are encoded for.
	Layout *Layout
}

// Transcriber reads the live entries of one manifest and gives them in the
// encoding of a layout. It is not for use by several goroutines at once.
type Transcriber struct {
	reader  *Reader
	layout  *Layout
	route   *route
	from    inheritance
	passage passage
}

// inheritance is what the entries of a manifest take from the manifest list.
type inheritance struct {
	snapshotID     int64 // -1 when there is none
	sequenceNumber int64
	nextRowID      int64 // -1 when there is none
}

// NewTranscriber reads the header of a manifest, which r gives, and prepares
// to transcribe its entries. from is what the manifest list says of it: its
// path is the name used in errors; the snapshot id, sequence number and first
// row id are what the entries inherit. to must be of the same spec and content.
//
// The errors are those of [NewReader], and a [NotCarriedError] when the
// schema of the manifest has no place in the layout. The transcriber must be
// closed; r is left open.
func NewTranscriber(r io.Reader, from *ListEntry, to *Layout) (*Transcriber, error) {
	m := &Reader{}
	t := &Transcriber{reader: m, layout: to, from: inheritance{from.AddedSnapshotID, from.SequenceNumber, from.FirstRowID}}
	err := m.c.init(r, from.Path)
	if err == nil {
		if err = t.prepare(from); err != nil {
			err = t.fail(err)
		}
	}
	if err != nil {
		m.c.close()
		return nil, err
	}
	return t, nil
}

func (t *Transcriber) prepare(from *ListEntry) error {
	id := t.layout.partition.ID()
	if from.SpecID != id {
		return &errNoPlace{"partition_spec_id (502)", fmt.Sprintf("is %d and not the %d that is written", from.SpecID, id)}
	}
	if own := t.reader.Metadata("partition-spec-id"); own != "" && own != strconv.Itoa(int(id)) {
		return &errNoPlace{"partition-spec-id", fmt.Sprintf("is %q and not the %d of the manifest list", own, id)}
	}
	if from.Deletes != t.layout.deletes || t.reader.Metadata("content") != "" && t.reader.Deletes() != from.Deletes {
		return &errNoPlace{"content", "is not the one of the manifest list or not the one that is written"}
	}
	var err error
	if t.route, err = t.layout.route(t.reader.Metadata("avro.schema")); err != nil {
		return err
	}
	t.reader.program = t.route.program
	t.passage.marks = make([]int, t.route.marks)
	t.reader.rec.marks = t.passage.marks
	return nil
}

// Next gives the next entry that is not deleted, in e, all of which it sets,
// and false at the end of the manifest. Its errors are those of [Reader.Next]
// and a [NotCarriedError] when an entry has a value that has no place in the
// layout. After an error it gives that error again.
func (t *Transcriber) Next(e *Transcript) (bool, error) {
	r := t.reader
	if r.err != nil {
		return false, r.err
	}
	if r.c.scratch == nil {
		return false, errClosed
	}
	for {
		ok, err := r.c.next()
		if ok {
			ok, err = t.read(e)
			if !ok && err == nil {
				continue
			}
		}
		if err != nil {
			r.err = t.fail(err)
			return false, r.err
		}
		return ok, nil
	}
}

// fail gives the error that the caller gets.
func (t *Transcriber) fail(err error) error {
	if no, ok := notCarried(t.reader.c.name, err); ok {
		return no
	}
	return t.reader.c.fail(err)
}

// read reads one entry and gives false when it is of a deleted file.
func (t *Transcriber) read(e *Transcript) (bool, error) {
	w, p := &t.reader.c.window, &t.passage
	w.begin(p.raw, maxEntry)
	if err := t.reader.read(&e.Entry); err != nil {
		return false, err
	}
	var err error
	if p.raw, err = w.finish(); err != nil {
		return false, err
	}
	if e.Status == StatusDeleted {
		return false, nil
	}
	if (e.Content != ContentData) != t.layout.deletes {
		return false, fmt.Errorf("content %d is not one of this manifest", e.Content)
	}
	if err := t.inherit(&e.Entry); err != nil {
		return false, err
	}
	if err := t.write(&e.Entry); err != nil {
		return false, err
	}
	e.Layout, e.Bytes, e.Partition = t.layout, p.out, p.out[p.partitionFrom:p.partitionTo]
	return true, nil
}

// inherit gives the entry what it has not itself, as Iceberg's Java library
// does (InheritableMetadataFactory, ManifestReader.idAssigner), with one
// difference: a first row id of the entry's own counts even when the manifest
// list has none.
func (t *Transcriber) inherit(e *Entry) error {
	if e.SnapshotID == -1 {
		if e.SnapshotID = t.from.snapshotID; e.SnapshotID == -1 {
			return &errNoPlace{"snapshot_id (1)", "is null and the manifest list has none"}
		}
	}
	inherits := t.from.sequenceNumber == 0 || e.Status == StatusAdded
	if e.SequenceNumber == -1 {
		if !inherits {
			return &errNoPlace{"sequence_number (3)", "of an existing file is null"}
		}
		e.SequenceNumber = t.from.sequenceNumber
	}
	if e.FileSequenceNumber == -1 && inherits {
		// It stays null where old writers left it out.
		e.FileSequenceNumber = t.from.sequenceNumber
	}
	if e.RecordCount < 0 {
		return fmt.Errorf("record_count is %d", e.RecordCount)
	}
	if !t.layout.rowIDs() {
		return nil
	}
	if e.FirstRowID == -1 && t.from.nextRowID != -1 {
		e.FirstRowID = t.from.nextRowID
		if t.from.nextRowID > math.MaxInt64-e.RecordCount {
			return errRowIDs
		}
		t.from.nextRowID += e.RecordCount
	}
	return nil
}

var errRowIDs = errors.New("the row ids have more than 64 bits")

// write encodes the entry for the layout.
func (t *Transcriber) write(e *Entry) error {
	p := &t.passage
	if err := t.route.entry.check(p); err != nil {
		return err
	}
	if err := t.route.file.check(p); err != nil {
		return err
	}
	p.out = binary.AppendVarint(p.out[:0], int64(StatusExisting))
	p.out = appendOptional(p.out, e.SnapshotID)
	if t.layout.version > 1 {
		p.out = appendOptional(p.out, e.SequenceNumber)
		p.out = appendOptional(p.out, e.FileSequenceNumber)
	}
	done, err := t.route.file.run(p, 0)
	if err != nil || done == len(t.route.file.steps) {
		return err
	}
	if t.layout.deletes {
		p.out = append(p.out, 0)
	} else {
		p.out = appendOptional(p.out, e.FirstRowID)
	}
	_, err = t.route.file.run(p, done+1)
	return err
}

// afterSnapshotID is the entry without its first two fields, status and snapshot
// id, which [Transcriber.write] puts first.
func (e *Transcript) afterSnapshotID() []byte {
	_, status := binary.Varint(e.Bytes)
	rest := e.Bytes[status:]
	if rest[0] == 0 {
		return rest[1:]
	}
	_, id := binary.Varint(rest[1:])
	return rest[1+id:]
}

// appendOptional encodes a union of null and a long, where -1 is null.
func appendOptional(b []byte, n int64) []byte {
	if n == -1 {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 2), n)
}

// Close gives the transcriber's buffers back. What the last [Transcript]
// points to is no longer valid. The error is always nil.
func (t *Transcriber) Close() error { return t.reader.Close() }
