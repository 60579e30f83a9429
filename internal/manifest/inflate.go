package manifest

import (
	"encoding/binary"
	"errors"
	"io"
)

// Inflating is three quarters of the time that reading a manifest takes, so
// it is done here: RFC 1951 with a 64-bit buffer of input and the output
// unpacked in place, where the window reads it. The design of the loop and of
// the tables follows libdeflate (decompress_template.h). It is held to
// compress/flate by FuzzInflate.

const (
	historySize = 32 << 10
	inputSize   = sourceSize + 64
	inputPad    = 16  // zeros after the end of the input
	outputSlack = 288 // more than one step of the loop writes: 258 bytes, in units of 16
)

var errDeflate = errors.New("the deflate stream is wrong")

// inflater unpacks one deflate stream after another.
type inflater struct {
	src      io.Reader
	in       [inputSize + inputPad]byte
	pos, end int // of the input; pos may run into the padding
	safe     int // the last pos at which eight bytes of input can be loaded
	eof      bool
	bits     uint64 // the next nbits of the input; what is above them is also right
	nbits    uint

	out []byte // history, then what is new
	wp  int    // where the next byte goes

	block  blockKind
	final  bool // the current block is the last
	stored int  // bytes left of a stored block
	err    error

	lit  [1 << litBits * 2]uint32
	dist [1 << distBits * 2]uint32
}

type blockKind uint8

const (
	blockNone blockKind = iota // between blocks
	blockStored
	blockCoded
)

// reset begins a stream that is unpacked into out, which is longer than
// historySize and outputSlack together.
func (f *inflater) reset(src io.Reader, out []byte) {
	f.src, f.out = src, out
	f.pos, f.end, f.safe, f.eof = 0, 0, -1, false
	f.bits, f.nbits, f.wp = 0, 0, 0
	f.block, f.final, f.err = blockNone, false, nil
}

// unread is how many bytes were taken from the source and not used.
func (f *inflater) unread() int { return max(0, f.end-f.used()) }

// used is the place in the input behind the last byte a bit was taken of.
func (f *inflater) used() int { return f.pos - int(f.nbits>>3) }

// next gives the next bytes of the stream, valid until the next call, and
// io.EOF at its end.
func (f *inflater) next() ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	limit := len(f.out) - outputSlack
	if f.wp >= limit {
		copy(f.out, f.out[f.wp-historySize:f.wp])
		f.wp = historySize
	}
	start := f.wp
	for f.wp < limit && !(f.final && f.block == blockNone) {
		var err error
		switch f.block {
		case blockNone:
			err = f.head()
		case blockStored:
			err = f.copyStored(limit)
		case blockCoded:
			err = f.decode(limit)
		}
		// What lies in the padding is never a reason to call the data wrong,
		// and never given out.
		if f.used() > f.end && (err == nil || err == errDeflate) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			f.err = err
			return nil, err
		}
	}
	if start == f.wp {
		f.err = io.EOF
		return nil, io.EOF
	}
	return f.out[start:f.wp], nil
}

// more gets input so that eight bytes can be loaded at pos. At the end of the
// input those are zeros, and it is an error to have used one.
func (f *inflater) more() error {
	if !f.eof {
		// The bytes in the bit buffer stay, so that they can be given back.
		used := f.used()
		f.end = copy(f.in[:], f.in[used:f.end])
		f.pos -= used
		for f.end-f.pos < 8 && !f.eof {
			n, err := f.src.Read(f.in[f.end:inputSize])
			f.end += n
			if err == io.EOF {
				f.eof = true
				clear(f.in[f.end : f.end+inputPad])
			} else if err != nil {
				return err
			}
		}
		f.safe = f.end - 8
	}
	if f.used() > f.end {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// refill makes nbits at least 56.
func (f *inflater) refill() error {
	if f.pos > f.safe {
		if err := f.more(); err != nil {
			return err
		}
	}
	f.bits |= binary.LittleEndian.Uint64(f.in[f.pos:]) << (f.nbits & 63)
	f.pos += int((63 - f.nbits) >> 3)
	f.nbits |= 56
	return nil
}

// take gives the next n bits, at most 32.
func (f *inflater) take(n uint) (int, error) {
	if f.nbits < n {
		if err := f.refill(); err != nil {
			return 0, err
		}
	}
	v := int(f.bits & (1<<n - 1))
	f.bits >>= n
	f.nbits -= n
	return v, nil
}

// head reads the head of a block.
func (f *inflater) head() error {
	v, err := f.take(3)
	if err != nil {
		return err
	}
	f.final = v&1 != 0
	switch v >> 1 {
	case 0:
		return f.headStored()
	case 1:
		f.block = blockCoded
		return f.fixedTables()
	case 2:
		f.block = blockCoded
		return f.readTables()
	}
	return errDeflate
}

func (f *inflater) headStored() error {
	f.bits >>= f.nbits & 7
	f.nbits -= f.nbits & 7
	size, err := f.take(16)
	if err != nil {
		return err
	}
	check, err := f.take(16)
	if err != nil {
		return err
	}
	if size != check^0xffff {
		return errDeflate
	}
	// Give the whole bytes in the buffer back to the input.
	f.pos, f.bits, f.nbits = f.used(), 0, 0
	if f.pos > f.end {
		return io.ErrUnexpectedEOF
	}
	f.block, f.stored = blockStored, size
	return nil
}

func (f *inflater) copyStored(limit int) error {
	for f.stored > 0 && f.wp < limit {
		if f.pos == f.end {
			if f.eof {
				return io.ErrUnexpectedEOF
			}
			if err := f.more(); err != nil {
				return err
			}
			continue
		}
		n := copy(f.out[f.wp:limit], f.in[f.pos:min(f.end, f.pos+f.stored)])
		f.wp += n
		f.pos += n
		f.stored -= n
	}
	if f.stored == 0 {
		f.block = blockNone
	}
	return nil
}

// decode unpacks a block of codes until its end or until wp reaches limit.
func (f *inflater) decode(limit int) error {
	var (
		pos, bits, nbits = f.pos, f.bits, f.nbits
		out, wp          = f.out, f.wp
	)
	for wp < limit {
		if pos > f.safe {
			f.pos, f.bits, f.nbits = pos, bits, nbits
			if err := f.more(); err != nil {
				return err
			}
			pos = f.pos
		}
		// 56 bits are enough for a length and a distance (48) or for three
		// literals (45).
		bits |= binary.LittleEndian.Uint64(f.in[pos:]) << (nbits & 63)
		pos += int((63 - nbits) >> 3)
		nbits |= 56

		e := f.lit[bits&(1<<litBits-1)]
		if e&codeTable != 0 {
			e = f.lit[(e>>8&0xffff+uint32(bits>>litBits)&(1<<(e>>24&15)-1))%uint32(len(f.lit))]
		}
		bits >>= e & 63
		nbits -= uint(e & 63)
		if e&codeLiteral != 0 {
			out[wp] = byte(e >> 8)
			wp++
			if e = f.lit[bits&(1<<litBits-1)]; e&codeLiteral != 0 {
				bits >>= e & 63
				nbits -= uint(e & 63)
				out[wp] = byte(e >> 8)
				wp++
				if e = f.lit[bits&(1<<litBits-1)]; e&codeLiteral != 0 {
					bits >>= e & 63
					nbits -= uint(e & 63)
					out[wp] = byte(e >> 8)
					wp++
				}
			}
			continue
		}
		if e&codeSpecial != 0 {
			f.pos, f.bits, f.nbits, f.wp = pos, bits, nbits, wp
			if e&codeEnd == 0 {
				return errDeflate
			}
			f.block = blockNone
			return nil
		}
		length := int(e>>8&0x1ff) + int(bits&(1<<(e>>17&7)-1))
		bits >>= e >> 17 & 7
		nbits -= uint(e >> 17 & 7)

		e = f.dist[bits&(1<<distBits-1)]
		if e&codeTable != 0 {
			e = f.dist[(e>>8&0xffff+uint32(bits>>distBits)&(1<<(e>>24&15)-1))%uint32(len(f.dist))]
		}
		bits >>= e & 63
		nbits -= uint(e & 63)
		distance := int(e>>8&0x7fff) + int(bits&(1<<(e>>23&15)-1))
		bits >>= e >> 23 & 15
		nbits -= uint(e >> 23 & 15)
		if e&codeSpecial != 0 || distance > wp {
			f.pos, f.bits, f.nbits = pos, bits, nbits
			return errDeflate
		}
		copyMatch(out, wp, distance, length)
		wp += length
	}
	f.pos, f.bits, f.nbits, f.wp = pos, bits, nbits, wp
	return nil
}

// copyMatch repeats length bytes from distance before wp. It may write up to
// 15 bytes more, which are written again later.
func copyMatch(out []byte, wp, distance, length int) {
	from := wp - distance
	switch {
	case distance >= 16:
		src, dst := out[from:], out[wp:]
		for i := 0; i < length; i += 16 {
			*(*[16]byte)(dst[i:]) = *(*[16]byte)(src[i:])
		}
	case distance >= 8:
		src, dst := out[from:], out[wp:]
		for i := 0; i < length; i += 8 {
			*(*[8]byte)(dst[i:]) = *(*[8]byte)(src[i:])
		}
	default:
		for i := range length {
			out[wp+i] = out[from+i]
		}
	}
}
