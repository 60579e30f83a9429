package manifest

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// ListEntry is one manifest named by a manifest list. It is used again for
// the next one.
type ListEntry struct {
	Path    string // as written, never empty
	Length  int64  // bytes; -1 when absent
	SpecID  int32
	Deletes bool // the manifest holds delete files; false when absent, as in v1

	SequenceNumber    int64 // 0 when absent, as in v1
	MinSequenceNumber int64 // 0 when absent, as in v1
	AddedSnapshotID   int64 // -1 when absent

	// Numbers of entries by status; -1 when absent, as v1 allows.
	AddedFiles, ExistingFiles, DeletedFiles int64
	// Numbers of rows of those entries; -1 when absent, as v1 allows.
	AddedRows, ExistingRows, DeletedRows int64

	FirstRowID     int64 // -1 when absent
	HasKeyMetadata bool  // the manifest is encrypted
}

// ReadList streams a manifest list; name is used in errors. An error of yield
// stops the reading and is returned as it is. Otherwise the error is a
// [CorruptError], or the wrapped one of r when r fails; manifests that were
// yielded before it are right. r is left open.
func ReadList(r io.Reader, name string, yield func(*ListEntry) error) error {
	var c container
	defer c.close()
	if err := c.init(r, name); err != nil {
		return err
	}
	p, err := programs.get(programKey{schema: c.meta["avro.schema"], what: "manifest list"}, listFields)
	if err != nil {
		return c.fail(err)
	}
	var rec record
	var e ListEntry
	for {
		ok, err := c.next()
		if ok {
			err = readListEntry(&c.window, p, &rec, &e)
		}
		if err != nil {
			return c.fail(err)
		}
		if !ok {
			return nil
		}
		if err := yield(&e); err != nil {
			return err
		}
	}
}

func readListEntry(w *window, p program, rec *record, e *ListEntry) error {
	rec.ints = listDefaults
	rec.texts[listPath] = rec.texts[listPath][:0]
	if err := w.run(p, rec, 0); err != nil {
		return err
	}
	spec, content := rec.ints[listSpec], rec.ints[listContent]
	if spec < math.MinInt32 || spec > math.MaxInt32 {
		return fmt.Errorf("partition_spec_id %d has more than 32 bits", spec)
	}
	if content < 0 || content > 1 {
		return fmt.Errorf("content %d is unknown", content)
	}
	if len(rec.texts[listPath]) == 0 {
		return errors.New("manifest_path is empty")
	}
	*e = ListEntry{
		Path:              string(rec.texts[listPath]),
		Length:            rec.ints[listLength],
		SpecID:            int32(spec),
		Deletes:           content == 1,
		SequenceNumber:    rec.ints[listSequence],
		MinSequenceNumber: rec.ints[listMinSequence],
		AddedSnapshotID:   rec.ints[listSnapshot],
		AddedFiles:        rec.ints[listAdded],
		ExistingFiles:     rec.ints[listExisting],
		DeletedFiles:      rec.ints[listDeleted],
		AddedRows:         rec.ints[listAddedRows],
		ExistingRows:      rec.ints[listExistingRows],
		DeletedRows:       rec.ints[listDeletedRows],
		FirstRowID:        rec.ints[listRowID],
		HasKeyMetadata:    rec.ints[listKey] != 0,
	}
	return nil
}
