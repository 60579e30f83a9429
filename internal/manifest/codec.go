package manifest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxSnappyBlock is the largest snappy block that is read, in bytes,
	// packed or not: the format can only be unpacked as a whole.
	maxSnappyBlock = 64 << 20
	// maxSnappyRatio is more than snappy can pack (64 bytes into 3), so that
	// a wrong length does not allocate.
	maxSnappyRatio = 32
	// maxZstdWindow is the largest window a zstandard frame may ask for, in
	// bytes; it is the limit that the format recommends to decoders.
	maxZstdWindow = 8 << 20
	// deflateTail is how many bytes may follow a deflate stream in its
	// block: Python's Avro writers cut the frame from a zlib stream
	// inexactly and leave a part of its checksum there.
	deflateTail = 4
)

type codec uint8

const (
	codecNull codec = iota
	codecDeflate
	codecSnappy
	codecZstd
)

// codecOf knows the names of the Avro specification, and "zstd", which some
// writers use. A file that names none is not compressed.
func codecOf(name string) (codec, error) {
	switch name {
	case "", "null":
		return codecNull, nil
	case "deflate":
		return codecDeflate, nil
	case "snappy":
		return codecSnappy, nil
	case "zstandard", "zstd":
		return codecZstd, nil
	}
	return 0, fmt.Errorf("codec %q is unknown: null, deflate, snappy and zstandard are read", name)
}

// openData points the window at the data of the block in c.section.
func (c *container) openData() error {
	w := &c.window
	w.buf, w.pos, w.end = c.scratch.window[:], 0, 0
	w.src, w.inflater = nil, nil
	switch c.codec {
	case codecNull:
		w.src = &c.section
	case codecDeflate:
		s := c.scratch
		if s.inflater == nil {
			s.inflater = new(inflater)
		}
		s.inflater.reset(&c.section, s.window[:])
		w.inflater = s.inflater
	case codecSnappy:
		return c.openSnappy()
	case codecZstd:
		return c.openZstd()
	}
	return nil
}

// openZstd unpacks a small block at once, into the window, and streams any
// other. A frame may ask for a window of megabytes (Java's writers do, for
// blocks of 64 KiB), which a stream has to provide.
func (c *container) openZstd() error {
	s := c.scratch
	if s.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderMaxMemory(1<<62), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return err
		}
		s.zstd = d
	}
	var src io.Reader = &c.section
	if c.section.left <= windowSize && !c.zstdStream {
		packed, err := readAll(&c.section, s.packed[:0])
		s.packed = packed
		if err != nil {
			return err
		}
		block, err := s.zstd.DecodeAll(packed, s.window[:0])
		if err == nil {
			c.window.buf, c.window.end = block, len(block)
			return nil
		}
		// It is too large, which several errors say, or broken, which the
		// stream will say. The blocks of a file are alike: no second try.
		c.zstdStream = true
		src = bytes.NewReader(packed)
	}
	if err := s.zstd.Reset(src); err != nil {
		return err
	}
	c.window.src = s.zstd
	return nil
}

// openSnappy unpacks the block: snappy, then the CRC-32 of the unpacked
// bytes, big-endian.
func (c *container) openSnappy() error {
	s := c.scratch
	if c.section.left > maxSnappyBlock {
		return fmt.Errorf("a snappy block of %d bytes is larger than the %d that are read", c.section.left, maxSnappyBlock)
	}
	packed, err := readAll(&c.section, s.packed[:0])
	s.packed = packed
	if err != nil {
		return err
	}
	if len(packed) < crc32.Size {
		return fmt.Errorf("a snappy block of %d bytes has no checksum", len(packed))
	}
	sum := binary.BigEndian.Uint32(packed[len(packed)-crc32.Size:])
	packed = packed[:len(packed)-crc32.Size]
	n, err := snappy.DecodedLen(packed)
	if err != nil {
		return fmt.Errorf("unpack the snappy block: %w", err)
	}
	if n > maxSnappyBlock {
		return fmt.Errorf("a snappy block of %d bytes unpacked is larger than the %d that are read", n, maxSnappyBlock)
	}
	if n/maxSnappyRatio > len(packed) {
		return fmt.Errorf("a snappy block of %d bytes cannot hold %d", len(packed), n)
	}
	if cap(s.block) < n {
		s.block = make([]byte, n)
	}
	block, err := snappy.Decode(s.block[:cap(s.block)], packed)
	if err != nil {
		return fmt.Errorf("unpack the snappy block: %w", err)
	}
	if got := crc32.ChecksumIEEE(block); got != sum {
		return fmt.Errorf("a snappy block has the checksum %08x instead of %08x", got, sum)
	}
	w := &c.window
	w.buf, w.pos, w.end = block, 0, len(block)
	return nil
}

// readAll appends what r gives to b, growing with what arrives.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// closeData checks that the entries of the block were all there is in it.
func (c *container) closeData() error {
	w := &c.window
	if w.pos == w.end {
		err := w.fill()
		if err != nil && err != io.EOF {
			return err
		}
	}
	if w.pos < w.end {
		return fmt.Errorf("the block holds more than the %d entries that its head says", c.count)
	}
	tail := c.section.left
	if c.codec == codecDeflate {
		tail += int64(c.scratch.inflater.unread())
		if tail <= deflateTail {
			_, err := io.Copy(io.Discard, &c.section)
			return err
		}
	}
	if tail > 0 {
		return fmt.Errorf("%d bytes follow the compressed data of the block", tail)
	}
	return nil
}
