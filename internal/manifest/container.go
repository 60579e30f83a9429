package manifest

import (
	"errors"
	"fmt"
	"io"
)

const (
	// maxHeader bounds the metadata in the header of a file, in bytes. It
	// holds the table's schema twice or thrice.
	maxHeader = 8 << 20
	syncSize  = 16
)

// container reads an Avro object container file: a header, then blocks of
// entries, each closed by the sync marker of the header.
type container struct {
	name    string
	src     source
	section section
	window  window
	scratch *scratch
	codec   codec
	meta    map[string]string
	sync    [syncSize]byte

	zstdStream bool // a block did not fit into the window

	open  bool
	start int64 // where the current block begins in the file
	count int64 // its entries, by its head
	left  int64 // those still to read
}

func (c *container) init(r io.Reader, name string) error {
	c.name = name
	c.scratch = scratches.Get().(*scratch)
	c.src.reset(r, c.scratch.source[:])
	c.section.src = &c.src
	if err := c.readHeader(); err != nil {
		return c.fail(err)
	}
	return nil
}

// close gives the buffers back. It is harmless to call it twice.
func (c *container) close() {
	if c.scratch != nil {
		c.scratch.release()
		c.scratch = nil
		c.window, c.src = window{}, source{}
	}
}

func (c *container) readHeader() error {
	var magic [4]byte
	if _, err := io.ReadFull(&c.src, magic[:]); err != nil {
		return noEOF(err)
	}
	switch string(magic[:]) {
	case "Obj\x01":
	case "AGS1":
		return errors.New("the file is encrypted")
	default:
		return fmt.Errorf("not an Avro file: it begins with %q", magic[:])
	}
	c.meta = make(map[string]string, 10)
	var total int64
	text := func() (string, error) {
		n, err := c.src.long()
		if err != nil {
			return "", err
		}
		if n < 0 {
			return "", errLength
		}
		if total += n; total > maxHeader {
			return "", fmt.Errorf("the header has more than the %d bytes that are read", maxHeader)
		}
		c.section.left = n
		b, err := readAll(&c.section, c.scratch.packed[:0])
		c.scratch.packed = b
		return string(b), err
	}
	for {
		n, err := c.src.long()
		if err != nil {
			return noEOF(err)
		}
		if n < 0 {
			// The size in bytes of this part of the map follows.
			if _, err := c.src.long(); err != nil {
				return noEOF(err)
			}
			n = -n
		}
		if n == 0 {
			break
		}
		if n < 0 || n > maxHeader {
			return errLength
		}
		for range n {
			total += 2
			k, err := text()
			if err != nil {
				return noEOF(err)
			}
			v, err := text()
			if err != nil {
				return noEOF(err)
			}
			c.meta[k] = v
		}
	}
	if _, err := io.ReadFull(&c.src, c.sync[:]); err != nil {
		return noEOF(err)
	}
	var err error
	c.codec, err = codecOf(c.meta["avro.codec"])
	return err
}

// next steps to the next entry; false is the end of the file.
func (c *container) next() (bool, error) {
	for c.left == 0 {
		if c.open {
			if err := c.endBlock(); err != nil {
				return false, err
			}
		}
		if ok, err := c.beginBlock(); !ok || err != nil {
			return false, err
		}
	}
	c.left--
	return true, nil
}

func (c *container) beginBlock() (bool, error) {
	c.start = c.src.offset()
	n, err := c.src.long()
	if err == io.EOF {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	size, err := c.src.long()
	if err != nil {
		return false, noEOF(err)
	}
	if n < 0 || size < 0 {
		return false, fmt.Errorf("a block of %d entries and %d bytes", n, size)
	}
	c.count, c.left, c.section.left, c.open = n, n, size, true
	return true, c.openData()
}

func (c *container) endBlock() error {
	if err := c.closeData(); err != nil {
		return err
	}
	c.open = false
	var sync [syncSize]byte
	if _, err := io.ReadFull(&c.src, sync[:]); err != nil {
		return noEOF(err)
	}
	if sync != c.sync {
		return errors.New("the sync marker after the block is not the file's")
	}
	return nil
}

// offset is where reading has come to in the file as stored.
func (c *container) offset() int64 {
	off := c.src.offset()
	if !c.open {
		return off
	}
	switch c.codec {
	case codecNull:
		off -= int64(c.window.end - c.window.pos)
	case codecDeflate:
		off -= int64(c.scratch.inflater.unread())
	}
	return off
}

// fail turns an error into the one that the caller gets: a failure of the
// underlying reader stays what it is, everything else is corruption.
func (c *container) fail(err error) error {
	if c.src.err != nil {
		return fmt.Errorf("read %s: %w", c.name, c.src.err)
	}
	off := c.offset()
	if c.src.eof && (c.section.left > 0 || errors.Is(err, io.ErrUnexpectedEOF)) {
		// Some decoders take the end of their input for the end of the data.
		err = errTruncated
	}
	switch entry := c.count - c.left; {
	case !c.open:
	case entry == 0:
		err = fmt.Errorf("in the block at byte %d: %w", c.start, err)
	default:
		err = fmt.Errorf("entry %d of %d in the block at byte %d: %w", entry, c.count, c.start, err)
	}
	return &CorruptError{Name: c.name, Offset: off, Err: err}
}

// noEOF is for places where the file must not end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
