package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var (
	errPartition = errors.New("the partition is not one of the spec")
	errBound     = errors.New("the bound is not one of the field's type")
)

// nullBranch and valueBranch are the two branches of each field's union, as
// encoded.
const (
	nullBranch  = 0
	valueBranch = 2
)

// value is one value of a partition: the bytes of a string, a binary, a fixed
// or a floating point number, or an integer.
type value struct {
	null  bool
	n     int64
	bytes []byte
}

// next reads the value of the next field of a partition.
func (t Type) next(p []byte) (v value, rest []byte, err error) {
	if t.Kind == Unknown {
		return value{null: true}, p, nil
	}
	if len(p) == 0 {
		return v, nil, errPartition
	}
	switch p[0] {
	case nullBranch:
		return value{null: true}, p[1:], nil
	case valueBranch:
	default:
		return v, nil, errPartition
	}
	p = p[1:]
	length := t.Length
	switch t.Kind {
	case Int, Long, Date, Time, Timestamp, TimestampTZ, TimestampNano, TimestampTZNano:
		n, size := binary.Varint(p)
		if size <= 0 {
			return v, nil, errPartition
		}
		if (t.Kind == Int || t.Kind == Date) && (n < math.MinInt32 || n > math.MaxInt32) {
			return v, nil, fmt.Errorf("%w: the integer %d has more than 32 bits", errPartition, n)
		}
		return value{n: n}, p[size:], nil
	case Boolean:
		length = 1
	case Float:
		length = 4
	case Double:
		length = 8
	case String, Binary:
		n, size := binary.Varint(p)
		if size <= 0 || n < 0 || n > int64(len(p)-size) {
			return v, nil, errPartition
		}
		p, length = p[size:], int(n)
	}
	if len(p) < length || t.Kind == Boolean && p[0] > 1 {
		return v, nil, errPartition
	}
	return value{bytes: p[:length]}, p[length:], nil
}

// isNaN says whether v, a value of type t, is not a number.
func (t Type) isNaN(v value) bool {
	switch t.Kind {
	case Float:
		f := math.Float32frombits(binary.LittleEndian.Uint32(v.bytes))
		return f != f
	case Double:
		return math.IsNaN(math.Float64frombits(binary.LittleEndian.Uint64(v.bytes)))
	}
	return false
}

// appendSingle appends the single-value serialisation of v, of appendix D of
// the Iceberg table specification.
func (t Type) appendSingle(dst []byte, v value) []byte {
	switch t.Kind {
	case Int, Date:
		return binary.LittleEndian.AppendUint32(dst, uint32(int32(v.n)))
	case Long, Time, Timestamp, TimestampTZ, TimestampNano, TimestampTZNano:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.n))
	case Decimal:
		return append(dst, shortest(v.bytes)...)
	}
	return append(dst, v.bytes...)
}

// parseSingle reads a single-value serialisation. One of a type that was
// promoted since may be shorter.
func (t Type) parseSingle(b []byte) (value, bool) {
	switch t.Kind {
	case Unknown:
		return value{}, false
	case Int, Long, Date, Time, Timestamp, TimestampTZ, TimestampNano, TimestampTZNano:
		switch len(b) {
		case 4:
			return value{n: int64(int32(binary.LittleEndian.Uint32(b)))}, true
		case 8:
			return value{n: int64(binary.LittleEndian.Uint64(b))}, true
		}
		return value{}, false
	case Double:
		if len(b) == 4 {
			f := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
			b = binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))
		}
		return value{bytes: b}, len(b) == 8
	case Boolean:
		return value{bytes: b}, len(b) == 1
	case Float:
		return value{bytes: b}, len(b) == 4
	case Decimal:
		if len(b) == 0 || len(b) > t.Length {
			return value{}, false
		}
		return value{bytes: extend(b, t.Length)}, true
	case UUID, Fixed:
		return value{bytes: b}, len(b) == t.Length
	}
	return value{bytes: b}, true
}

// extend repeats the sign of a two's complement number in front of it.
func extend(b []byte, length int) []byte {
	var pad byte
	if b[0] >= 0x80 {
		pad = 0xff
	}
	return append(bytes.Repeat([]byte{pad}, length-len(b)), b...)
}

// shortest takes away the leading bytes of a two's complement number that
// only repeat its sign.
func shortest(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}
