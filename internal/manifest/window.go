package manifest

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

const (
	// windowSize has room for the history of the inflater and twice as much
	// that is new.
	windowSize = 3 * historySize
	// maxValue is the longest string that is decoded and the largest
	// partition that is kept, in bytes. Values stepped over may be longer.
	maxValue = 1 << 20
)

// window is a refillable view on the unpacked bytes of one block.
type window struct {
	buf      []byte
	pos, end int
	src      io.Reader // gives the bytes, unless
	inflater *inflater // does; without either buf holds the whole block

	capturing bool
	mark      int    // where the part of the capture that is still in buf begins
	captured  []byte // the part that is not
	limit     int    // the largest capture, bytes
}

// fill replaces the window, which must be used up. It gives io.EOF at the
// end of the block.
func (w *window) fill() error {
	if w.capturing {
		if err := w.keep(); err != nil {
			return err
		}
	}
	if w.inflater != nil {
		b, err := w.inflater.next()
		w.buf, w.pos, w.end = b, 0, len(b)
		return err
	}
	if w.src == nil {
		return io.EOF
	}
	w.pos, w.end = 0, 0
	for range maxEmptyReads {
		n, err := w.src.Read(w.buf)
		if n > 0 {
			// An error that came with bytes comes again with the next read:
			// all the readers below keep theirs.
			w.end = n
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// more is fill inside an entry, where a block must not end.
func (w *window) more() error {
	err := w.fill()
	if err == io.EOF {
		return errBlockEnd
	}
	return err
}

// long decodes a zigzag varint, Avro's int and long.
func (w *window) long() (int64, error) {
	if w.pos < w.end {
		if b := w.buf[w.pos]; b < 0x80 {
			w.pos++
			return int64(b>>1) ^ -int64(b&1), nil
		}
	}
	return w.longSlow()
}

func (w *window) longSlow() (int64, error) {
	if w.end-w.pos >= binary.MaxVarintLen64 {
		b := w.buf[w.pos : w.pos+binary.MaxVarintLen64]
		// Counts and sizes of files have two to four bytes.
		u := uint64(b[0]&0x7f) | uint64(b[1]&0x7f)<<7
		n := 2
		if b[1] >= 0x80 {
			if u, n = binary.Uvarint(b); n <= 0 {
				return 0, errVarint
			}
		}
		w.pos += n
		return int64(u>>1) ^ -int64(u&1), nil
	}
	var u uint64
	for i := range binary.MaxVarintLen64 {
		if w.pos == w.end {
			if err := w.more(); err != nil {
				return 0, err
			}
		}
		b := w.buf[w.pos]
		w.pos++
		if i == binary.MaxVarintLen64-1 && b > 1 {
			return 0, errVarint
		}
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	return 0, errVarint
}

// length decodes the length of a string or bytes.
func (w *window) length() (int64, error) {
	n, err := w.long()
	if err == nil && n < 0 {
		return 0, errLength
	}
	return n, err
}

// skip steps over n bytes.
func (w *window) skip(n int64) error {
	for n > int64(w.end-w.pos) {
		n -= int64(w.end - w.pos)
		w.pos = w.end
		if err := w.more(); err != nil {
			return err
		}
	}
	w.pos += int(n)
	return nil
}

// skipBytes steps over one string or bytes.
func (w *window) skipBytes() error {
	n, err := w.length()
	if err != nil {
		return err
	}
	return w.skip(n)
}

// bytes decodes one string or bytes into dst[:0]. It grows dst with what
// really arrives, so a wrong length does not allocate.
func (w *window) bytes(dst []byte) ([]byte, error) {
	dst = dst[:0]
	n, err := w.length()
	if err != nil {
		return dst, err
	}
	if n > maxValue {
		return dst, fmt.Errorf("a string of %d bytes is longer than the %d that are read", n, maxValue)
	}
	for int(n) > w.end-w.pos {
		n -= int64(w.end - w.pos)
		dst = append(dst, w.buf[w.pos:w.end]...)
		w.pos = w.end
		if err := w.more(); err != nil {
			return dst, err
		}
	}
	dst = append(dst, w.buf[w.pos:w.pos+int(n)]...)
	w.pos += int(n)
	return dst, nil
}

// skipLongs steps over n varints, eight bytes at a time: the bytes without
// the high bit are the ends of varints, and they are counted.
func (w *window) skipLongs(n int64) error {
	const high = 0x8080808080808080
	for n > 0 {
		if w.end-w.pos < 8 {
			if w.pos == w.end {
				if err := w.more(); err != nil {
					return err
				}
				continue
			}
			if w.buf[w.pos] < 0x80 {
				n--
			}
			w.pos++
			continue
		}
		ends := ^binary.LittleEndian.Uint64(w.buf[w.pos:]) & high
		c := int64(bits.OnesCount64(ends))
		if c < n {
			n -= c
			w.pos += 8
			continue
		}
		for ; n > 1; n-- {
			ends &= ends - 1
		}
		w.pos += bits.TrailingZeros64(ends)/8 + 1
		return nil
	}
	return nil
}

// skipLongBytes steps over n pairs of a varint and a bytes value: the items
// of the bounds as Iceberg writes them.
func (w *window) skipLongBytes(n int64) error {
	for ; n > 0; n-- {
		// The usual item: both varints of one byte, all of it in the window.
		if p := w.pos; w.end-p >= 2 && w.buf[p] < 0x80 && w.buf[p+1]&0x81 == 0 {
			if p += 2 + int(w.buf[p+1]>>1); p <= w.end {
				w.pos = p
				continue
			}
		}
		if err := w.skipLongs(1); err != nil {
			return err
		}
		if err := w.skipBytes(); err != nil {
			return err
		}
	}
	return nil
}

// begin starts to keep what is stepped over, in dst[:0], up to limit bytes.
func (w *window) begin(dst []byte, limit int) {
	w.capturing, w.mark, w.captured, w.limit = true, w.pos, dst[:0], limit
}

func (w *window) keep() error {
	if len(w.captured)+w.pos-w.mark > w.limit {
		return fmt.Errorf("a value is larger than the %d bytes that are read", w.limit)
	}
	w.captured = append(w.captured, w.buf[w.mark:w.pos]...)
	w.mark = 0
	return nil
}

// finish gives what was stepped over since begin.
func (w *window) finish() ([]byte, error) {
	err := w.keep()
	b := w.captured
	w.capturing, w.captured = false, nil
	return b, err
}
