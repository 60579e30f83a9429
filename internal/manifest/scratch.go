package manifest

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// keptBuffer is the largest buffer of a snappy block that is kept for the
// next reader, in bytes.
const keptBuffer = 256 << 10

// scratch is everything a reader needs that is worth using again.
type scratch struct {
	source   [sourceSize]byte
	window   [windowSize]byte
	inflater *inflater // made when first needed, as is zstd
	zstd     *zstd.Decoder
	packed   []byte // a snappy block as stored
	block    []byte // and unpacked
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// release puts s back for the next reader, without a reference to the
// reader it served.
func (s *scratch) release() {
	if s.inflater != nil {
		s.inflater.src, s.inflater.out = nil, nil
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
