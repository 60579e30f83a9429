package manifest

import (
	"bufio"
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// keptBuffer is the largest buffer of a snappy block that is kept for the
// next reader, in bytes.
const keptBuffer = 256 << 10

// scratch is everything a reader needs that is worth using again.
type scratch struct {
	source  [sourceSize]byte
	window  [windowSize]byte
	buffer  *bufio.Reader // between a block and the inflater
	inflate io.ReadCloser // made when first needed, as is zstd
	zstd    *zstd.Decoder
	packed  []byte // a snappy block as stored
	block   []byte // and unpacked
}

var scratches = sync.Pool{New: func() any {
	return &scratch{buffer: bufio.NewReaderSize(bytes.NewReader(nil), sourceSize)}
}}

// release puts s back for the next reader, without a reference to the
// reader it served.
func (s *scratch) release() {
	none := bytes.NewReader(nil)
	s.buffer.Reset(none)
	if s.inflate != nil {
		_ = s.inflate.(flate.Resetter).Reset(none, nil)
	}
	if s.zstd != nil {
		// Without a reader the decoder lets go of the window of the frame.
		_ = s.zstd.Reset(nil)
	}
	if cap(s.packed) > keptBuffer {
		s.packed = nil
	}
	if cap(s.block) > keptBuffer {
		s.block = nil
	}
	scratches.Put(s)
}
