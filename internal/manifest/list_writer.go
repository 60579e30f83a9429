package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"deckhand/internal/manifest/partition"
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

// WrittenList is a manifest list that was written.
type WrittenList struct {
	Length int64 // bytes
	// AddedRows is how many row ids the list assigned: the snapshot's
	// added-rows (v3; 0 otherwise).
	AddedRows int64
}

// ListWriter writes one manifest list.
//
// In v3 every data manifest gets a first row id, as the specification asks: a
// manifest that has one keeps it; one that has none, from before the upgrade
// to v3, is assigned the next, and as many ids as it has rows, existing and
// added, are taken, as in Iceberg's Java library (ManifestListWriter). A
// written manifest all files of which have their own first row id gets the
// snapshot's and takes no ids: none of its files inherits, and readers drop
// the files' own ids when the manifest has none (ManifestReader.idAssigner).
//
// It is not for use by several goroutines at once.
type ListWriter struct {
	c         *containerWriter
	config    ListConfig
	nextRowID int64
	entry     []byte
}

// NewListWriter begins a manifest list, which is written to out; name is used
// in errors. out is neither closed nor flushed. The writer must be closed or
// aborted. An error is one of the configuration or the wrapped one of out.
func NewListWriter(out io.Writer, name string, c ListConfig) (*ListWriter, error) {
	if err := checkVersion(c.FormatVersion); err != nil {
		return nil, err
	}
	if c.FormatVersion > 2 && c.FirstRowID < 0 {
		return nil, fmt.Errorf("the first row id %d is negative", c.FirstRowID)
	}
	parent := "null"
	if c.ParentSnapshotID != -1 {
		parent = strconv.FormatInt(c.ParentSnapshotID, 10)
	}
	meta := []header{
		{"snapshot-id", strconv.FormatInt(c.SnapshotID, 10)},
		{"parent-snapshot-id", parent},
		{"format-version", strconv.Itoa(c.FormatVersion)},
	}
	if c.FormatVersion > 1 {
		meta = append(meta, header{"sequence-number", strconv.FormatInt(c.SequenceNumber, 10)})
	}
	if c.FormatVersion > 2 {
		meta = append(meta, header{"first-row-id", strconv.FormatInt(c.FirstRowID, 10)})
	}
	cw, err := newContainerWriter(out, name, listSchema(c.FormatVersion), c.Compression, meta)
	if err != nil {
		return nil, err
	}
	return &ListWriter{c: cw, config: c, nextRowID: c.FirstRowID}, nil
}

var errOtherVersion = errors.New("the manifest was carried for another format version")

// Keep adds a manifest of an earlier list, which [CarryList] read for the
// same format version.
func (w *ListWriter) Keep(m *Kept) error {
	if m.version != w.config.FormatVersion {
		return fmt.Errorf("keep %s: %w", m.Path, errOtherVersion)
	}
	w.entry = append(w.entry[:0], m.encoded...)
	if w.config.FormatVersion > 2 {
		row := m.FirstRowID
		if m.Deletes {
			row = -1
		} else if row == -1 {
			var err error
			if row, err = w.assign(m.ExistingRows, m.AddedRows); err != nil {
				return fmt.Errorf("keep %s: %w", m.Path, err)
			}
		}
		w.entry = appendOptional(w.entry, row)
	}
	return w.c.add(w.entry)
}

// assign takes the next row ids for existing and added rows.
func (w *ListWriter) assign(existing, added int64) (int64, error) {
	first := w.nextRowID
	if existing < 0 || added < 0 {
		return 0, fmt.Errorf("it has %d existing and %d added rows", existing, added)
	}
	if existing > math.MaxInt64-first || added > math.MaxInt64-first-existing {
		return 0, errRowIDs
	}
	w.nextRowID += existing + added
	return first, nil
}

// Add adds a manifest that was written for this snapshot.
func (w *ListWriter) Add(m *Written) error {
	if w.config.FormatVersion == 1 && m.Deletes {
		return fmt.Errorf("add %s: a list of version 1 has no delete manifests", m.Path)
	}
	if max(m.ExistingFiles, m.DeletedFiles) > math.MaxInt32 {
		return fmt.Errorf("add %s: %d files are more than a manifest may have", m.Path, max(m.ExistingFiles, m.DeletedFiles))
	}
	b := appendText(w.entry[:0], m.Path)
	b = appendLongs(b, m.Length, int64(m.SpecID))
	if w.config.FormatVersion == 1 {
		b = appendLongs(b, w.config.SnapshotID)
		b = appendOptionals(b, 0, m.ExistingFiles, m.DeletedFiles)
		b = appendSummaries(b, m.Partitions)
		b = appendOptionals(b, 0, m.ExistingRows, m.DeletedRows)
		b = append(b, 0)
		w.entry = b
		return w.c.add(b)
	}
	content := int64(0)
	if m.Deletes {
		content = 1
	}
	least := m.MinSequenceNumber
	if m.ExistingFiles == 0 {
		least = w.config.SequenceNumber // as in Iceberg's Java library (V2Metadata)
	}
	b = appendLongs(b, content, w.config.SequenceNumber, least, w.config.SnapshotID,
		0, m.ExistingFiles, m.DeletedFiles, 0, m.ExistingRows, m.DeletedRows)
	b = appendSummaries(b, m.Partitions)
	b = append(b, 0)
	if w.config.FormatVersion > 2 {
		row := int64(-1)
		if !m.Deletes {
			row = w.config.FirstRowID
			if m.UnassignedRows > 0 {
				var err error
				if row, err = w.assign(m.ExistingRows, 0); err != nil {
					return fmt.Errorf("add %s: %w", m.Path, err)
				}
			}
		}
		b = appendOptional(b, row)
	}
	w.entry = b
	return w.c.add(b)
}

func appendLongs(b []byte, list ...int64) []byte {
	for _, n := range list {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func appendOptionals(b []byte, list ...int64) []byte {
	for _, n := range list {
		b = appendOptional(b, n)
	}
	return b
}

// appendSummaries encodes a union of null and a list of field summaries.
func appendSummaries(b []byte, list []partition.Summary) []byte {
	if list == nil {
		return append(b, 0)
	}
	b = append(b, 2)
	if len(list) > 0 {
		b = binary.AppendVarint(b, int64(len(list)))
	}
	for _, s := range list {
		b = appendBool(b, s.ContainsNull)
		b = appendBool(append(b, 2), s.ContainsNaN)
		for _, bound := range [][]byte{s.Lower, s.Upper} {
			if bound == nil {
				b = append(b, 0)
				continue
			}
			b = append(b, 2)
			b = append(binary.AppendVarint(b, int64(len(bound))), bound...)
		}
	}
	return append(b, 0)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// Close writes what is left and says what was written. An error is the
// wrapped one of the underlying writer, of this or an earlier call.
func (w *ListWriter) Close() (*WrittenList, error) {
	length, err := w.c.close()
	if err != nil {
		return nil, err
	}
	list := &WrittenList{Length: length}
	if w.config.FormatVersion > 2 {
		list.AddedRows = w.nextRowID - w.config.FirstRowID
	}
	return list, nil
}

// Abort gives the writer's buffers back; what it wrote is of no use. It is
// harmless after Close.
func (w *ListWriter) Abort() { w.c.abort() }
