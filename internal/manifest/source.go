package manifest

import "io"

const (
	sourceSize = 16 << 10
	// maxEmptyReads is how often a reader may give nothing and no error.
	maxEmptyReads = 100
)

// source reads the file as stored and knows how far it has come.
type source struct {
	r        io.Reader
	buf      []byte
	pos, end int
	read     int64 // bytes taken from r
	pending  error // came together with bytes that are not used up yet
	err      error // r failed, other than by its end
	eof      bool  // r ended
}

func (s *source) reset(r io.Reader, buf []byte) { *s = source{r: r, buf: buf} }

// offset is the place in the file of the next byte.
func (s *source) offset() int64 { return s.read - int64(s.end-s.pos) }

// readInto reads once into p, which is not empty. It gives io.EOF at the end
// of the file and keeps any other error.
func (s *source) readInto(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	for range maxEmptyReads {
		err := s.pending
		n := 0
		if err == nil {
			n, err = s.r.Read(p)
			n = max(0, min(n, len(p)))
			s.read += int64(n)
		}
		if n > 0 {
			s.pending = err
			return n, nil
		}
		if err == io.EOF {
			s.eof = true
			return 0, io.EOF
		}
		if err != nil {
			s.err = err
			return 0, err
		}
	}
	s.err = io.ErrNoProgress
	return 0, s.err
}

func (s *source) fill() error {
	n, err := s.readInto(s.buf)
	s.pos, s.end = 0, n
	return err
}

// ReadByte gives io.EOF at the end of the file.
func (s *source) ReadByte() (byte, error) {
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	b := s.buf[s.pos]
	s.pos++
	return b, nil
}

// Read passes large reads through to the underlying reader.
func (s *source) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.pos == s.end {
		if len(p) >= len(s.buf) {
			return s.readInto(p)
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buf[s.pos:s.end])
	s.pos += n
	return n, nil
}

// long reads a zigzag varint. A file that ends before its first byte gives
// io.EOF, one that ends later io.ErrUnexpectedEOF.
func (s *source) long() (int64, error) {
	var u uint64
	for i := range 10 {
		b, err := s.ReadByte()
		if err == io.EOF && i > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		if i == 9 && b > 1 {
			return 0, errVarint
		}
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	return 0, errVarint
}

// section is the next left bytes of a source: the data of one block.
type section struct {
	src  *source
	left int64
}

// Read gives io.EOF at the end of the section and io.ErrUnexpectedEOF when
// the file ends before it.
func (s *section) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.src.Read(p)
	s.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
