package manifest

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// blockSize is how many bytes of entries begin to make a block, as in Java's
// writer (DataFileConstants.DEFAULT_SYNC_INTERVAL).
const blockSize = 64_000

// header is a key and value in the header of a file.
type header struct{ key, value string }

// containerWriter writes an Avro object container file block by block.
type containerWriter struct {
	out     io.Writer
	name    string
	packer  *packer
	sync    [syncSize]byte
	block   []byte // the entries of the block that is open
	count   int64  // of them
	packed  []byte
	written int64 // bytes
	raw     int64 // bytes of entries in what is written
	err     error
}

var errWriterClosed = errors.New("the writer is closed")

// newContainerWriter writes the header.
func newContainerWriter(out io.Writer, name, schema string, c Compression, meta []header) (*containerWriter, error) {
	p, err := newPacker(c)
	if err != nil {
		return nil, err
	}
	w := &containerWriter{out: out, name: name, packer: p}
	if _, err := rand.Read(w.sync[:]); err != nil {
		return nil, fmt.Errorf("make sync marker: %w", err)
	}
	meta = append(meta, header{"avro.schema", schema}, header{"avro.codec", p.name()})
	b := []byte("Obj\x01")
	b = binary.AppendVarint(b, int64(len(meta)))
	for _, h := range meta {
		b = appendText(appendText(b, h.key), h.value)
	}
	b = append(append(b, 0), w.sync[:]...)
	if err := w.write(b); err != nil {
		return nil, err
	}
	return w, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

func (w *containerWriter) write(b []byte) error {
	n, err := w.out.Write(b)
	w.written += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("write %s: %w", w.name, err)
	}
	return w.err
}

// add adds the bytes of an entry, which may come in parts.
func (w *containerWriter) add(parts ...[]byte) error {
	if w.err != nil {
		return w.err
	}
	for _, p := range parts {
		w.block = append(w.block, p...)
	}
	w.count++
	if len(w.block) < blockSize {
		return nil
	}
	return w.flush()
}

// maxHead is the longest head of a block: two varints.
const maxHead = 2 * binary.MaxVarintLen64

// flush writes the block.
func (w *containerWriter) flush() error {
	if w.err != nil || w.count == 0 {
		return w.err
	}
	var room [maxHead]byte
	b, err := w.packer.pack(append(w.packed[:0], room[:]...), w.block)
	if err != nil {
		w.err = fmt.Errorf("pack %s: %w", w.name, err)
		return w.err
	}
	// The head goes right before the data, of which the length is now known.
	head := binary.AppendVarint(nil, w.count)
	head = binary.AppendVarint(head, int64(len(b)-maxHead))
	start := maxHead - len(head)
	copy(b[start:], head)
	b = append(b, w.sync[:]...)
	w.packed = b
	w.raw += int64(len(w.block))
	w.block, w.count = w.block[:0], 0
	return w.write(b[start:])
}

// size is how long the file is, with an estimate for the open block.
func (w *containerWriter) size() int64 {
	open := int64(len(w.block))
	if w.raw > 0 {
		open = int64(float64(open) * float64(w.written) / float64(w.raw))
	}
	return w.written + open
}

// close writes the last block and gives the length of the file.
func (w *containerWriter) close() (int64, error) {
	err := w.flush()
	w.abort()
	return w.written, err
}

// abort gives the buffers back.
func (w *containerWriter) abort() {
	if w.err == nil {
		w.err = errWriterClosed
	}
	w.packer.release()
	w.block, w.packed = nil, nil
}
