package tabletest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
)

// avroRecord encodes values of the Avro specification (1.11, "Binary Encoding")
// one after the other.
type avroRecord struct{ buf []byte }

func (r *avroRecord) long(v int64)    { r.buf = binary.AppendVarint(r.buf, v) }
func (r *avroRecord) null()           { r.buf = append(r.buf, 0) } // branch 0 of a ["null", T]
func (r *avroRecord) present()        { r.buf = append(r.buf, 2) } // branch 1
func (r *avroRecord) boolean(v bool)  { r.buf = append(r.buf, map[bool]byte{true: 1}[v]) }
func (r *avroRecord) text(v string)   { r.long(int64(len(v))); r.buf = append(r.buf, v...) }
func (r *avroRecord) binary(v []byte) { r.long(int64(len(v))); r.buf = append(r.buf, v...) }
func (r *avroRecord) uint64(v uint64) { r.long(8); r.buf = binary.LittleEndian.AppendUint64(r.buf, v) }
func (r *avroRecord) optionalNull(n int) {
	for range n {
		r.null()
	}
}

// blockSize is how much a block holds before compression: that of iceberg-go and
// Iceberg Java.
const blockSize = 64_000

// avroFile writes an Avro object container file with the deflate codec.
type avroFile struct {
	out     *countingWriter
	record  avroRecord
	count   int64
	packed  bytes.Buffer
	deflate *flate.Writer
	sync    [16]byte
}

// newAvroFile writes the header. level is one of package flate; metadata holds pairs of
// key and value, the schema among them.
func newAvroFile(w io.Writer, level int, metadata ...string) (*avroFile, error) {
	f := &avroFile{out: &countingWriter{out: w}, sync: [16]byte{'d', 'e', 'c', 'k', 'h', 'a', 'n', 'd', 1, 2, 3, 4, 5, 6, 7, 8}}
	var err error
	if f.deflate, err = flate.NewWriter(&f.packed, level); err != nil {
		return nil, fmt.Errorf("open deflate: %w", err)
	}
	var header avroRecord
	header.buf = append(header.buf, "Obj\x01"...)
	metadata = append(metadata, "avro.codec", "deflate")
	header.long(int64(len(metadata) / 2))
	for _, text := range metadata {
		header.text(text)
	}
	header.long(0)
	header.buf = append(header.buf, f.sync[:]...)
	_, err = f.out.Write(header.buf)
	return f, err
}

// end closes the record that was encoded into f.record.
func (f *avroFile) end() error {
	f.count++
	if len(f.record.buf) < blockSize {
		return nil
	}
	return f.flush()
}

func (f *avroFile) flush() error {
	if f.count == 0 {
		return nil
	}
	f.packed.Reset()
	f.deflate.Reset(&f.packed)
	if _, err := f.deflate.Write(f.record.buf); err != nil {
		return fmt.Errorf("compress block: %w", err)
	}
	if err := f.deflate.Close(); err != nil {
		return fmt.Errorf("compress block: %w", err)
	}
	var head avroRecord
	head.long(f.count)
	head.long(int64(f.packed.Len()))
	f.count, f.record.buf = 0, f.record.buf[:0]
	for _, part := range [][]byte{head.buf, f.packed.Bytes(), f.sync[:]} {
		if _, err := f.out.Write(part); err != nil {
			return fmt.Errorf("write block: %w", err)
		}
	}
	return nil
}

// close writes the last block and gives the size of the file in bytes.
func (f *avroFile) close() (int64, error) {
	err := f.flush()
	return f.out.written, err
}

type countingWriter struct {
	out     io.Writer
	written int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.written += int64(n)
	return n, err
}
