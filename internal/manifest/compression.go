package manifest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// Compression is how the blocks of a file are packed.
type Compression struct {
	// Codec is named as in the table property write.avro.compression-codec:
	// gzip, zstd, snappy or uncompressed. Default gzip.
	Codec string
	// Level of gzip (1 to 9, default [DefaultLevel]) or of zstd (1 to 22,
	// default 3).
	Level int
}

// DefaultLevel is the level of gzip where none is given: a manifest is written
// once and read by every scan. Of entries of 20 columns it makes 343 bytes each,
// 128,000 a second on one core (BenchmarkManifestRewrite); level 1 makes 385 at
// 187,000 a second, level 6 is 0.2 % smaller and 10 % slower, and level 9, with
// which Java writes, makes 336 and takes twenty times as long.
const DefaultLevel = 5

const (
	defaultZstd = 3
	maxZstd     = 22
)

// packer packs blocks.
type packer struct {
	codec codec
	level int
	flate *flate.Writer
	zstd  *zstd.Encoder
}

func newPacker(c Compression) (*packer, error) {
	p := &packer{level: c.Level}
	switch strings.ToLower(cmp.Or(c.Codec, "gzip")) {
	case "gzip", "deflate":
		p.codec, p.level = codecDeflate, cmp.Or(c.Level, DefaultLevel)
		if p.level < flate.BestSpeed || p.level > flate.BestCompression {
			return nil, fmt.Errorf("the level %d of gzip is not one of 1 to 9", c.Level)
		}
	case "zstd", "zstandard":
		p.codec, p.level = codecZstd, cmp.Or(c.Level, defaultZstd)
		if p.level < 1 || p.level > maxZstd {
			return nil, fmt.Errorf("the level %d of zstd is not one of 1 to %d", c.Level, maxZstd)
		}
	case "snappy":
		p.codec = codecSnappy
	case "uncompressed", "none", "null":
		p.codec = codecNull
	default:
		return nil, fmt.Errorf("the codec %q is not known: gzip, zstd, snappy and uncompressed are written", c.Codec)
	}
	return p, nil
}

// name is what the header of the file calls the codec.
func (p *packer) name() string {
	return [...]string{codecNull: "null", codecDeflate: "deflate", codecSnappy: "snappy", codecZstd: "zstandard"}[p.codec]
}

// pack appends a block to dst. It only fails when the encoder does, which
// writes to memory.
func (p *packer) pack(dst, block []byte) ([]byte, error) {
	switch p.codec {
	case codecDeflate:
		return p.deflate(dst, block)
	case codecZstd:
		return p.zstandard(dst, block)
	case codecSnappy:
		dst = append(dst, snappy.Encode(nil, block)...)
		return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(block)), nil
	}
	return append(dst, block...), nil
}

// deflaters are the encoders, by level; one holds up to a megabyte.
var deflaters [flate.BestCompression + 1]sync.Pool

func (p *packer) deflate(dst, block []byte) ([]byte, error) {
	out := &sliceWriter{dst}
	if p.flate == nil {
		p.flate, _ = deflaters[p.level].Get().(*flate.Writer)
	}
	if p.flate == nil {
		w, err := flate.NewWriter(out, p.level)
		if err != nil {
			return dst, fmt.Errorf("begin deflate: %w", err)
		}
		p.flate = w
	} else {
		p.flate.Reset(out)
	}
	if _, err := p.flate.Write(block); err != nil {
		return dst, fmt.Errorf("deflate block: %w", err)
	}
	if err := p.flate.Close(); err != nil {
		return dst, fmt.Errorf("deflate block: %w", err)
	}
	return out.b, nil
}

func (p *packer) zstandard(dst, block []byte) ([]byte, error) {
	if p.zstd == nil {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(p.level)), zstd.WithWindowSize(zstdWindow))
		if err != nil {
			return dst, fmt.Errorf("begin zstandard: %w", err)
		}
		p.zstd = w
	}
	return p.zstd.EncodeAll(block, dst), nil
}

// zstdWindow is no smaller than a usual block.
const zstdWindow = 128 << 10

// release gives the encoder back.
func (p *packer) release() {
	if p.flate != nil {
		p.flate.Reset(nil)
		deflaters[p.level].Put(p.flate)
		p.flate = nil
	}
	p.zstd = nil
}

type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}
