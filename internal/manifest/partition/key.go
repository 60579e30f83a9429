package partition

import (
	"encoding/binary"
	"math"
)

// AppendKey appends to dst a key of the partition of which the order as bytes
// is that of the partitions, by the fields with the given indexes, one after
// the other, or by all fields in their order when there are none given. Nulls
// come first and NaN, of whatever bits, last. Equal keys are equal values, and the
// other way round but for the two zeros. An error says that the
// partition is not one of this spec.
func (s *Spec) AppendKey(dst, partition []byte, fields ...int) ([]byte, error) {
	if len(fields) == 0 {
		return s.appendAll(dst, partition)
	}
	values := make([]value, len(s.fields))
	var err error
	for i, f := range s.fields {
		if values[i], partition, err = f.Type.next(partition); err != nil {
			return dst, err
		}
	}
	if len(partition) > 0 {
		return dst, errPartition
	}
	for _, i := range fields {
		dst = s.fields[i].Type.appendKey(dst, values[i])
	}
	return dst, nil
}

func (s *Spec) appendAll(dst, partition []byte) ([]byte, error) {
	for _, f := range s.fields {
		v, rest, err := f.Type.next(partition)
		if err != nil {
			return dst, err
		}
		dst, partition = f.Type.appendKey(dst, v), rest
	}
	if len(partition) > 0 {
		return dst, errPartition
	}
	return dst, nil
}

const sign = 0x80

// appendKey appends one field's part of a key, which is never a prefix of
// another value's part.
func (t Type) appendKey(dst []byte, v value) []byte {
	if v.null {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	switch t.Kind {
	case Boolean, UUID, Fixed:
		return append(dst, v.bytes...)
	case Decimal:
		at := len(dst)
		dst = append(dst, v.bytes...)
		if len(v.bytes) > 0 {
			dst[at] ^= sign
		}
		return dst
	case Float:
		bits := binary.LittleEndian.Uint32(v.bytes)
		if t.isNaN(v) {
			bits = math.Float32bits(float32(math.NaN()))
		}
		return binary.BigEndian.AppendUint32(dst, ordered32(bits))
	case Double:
		bits := binary.LittleEndian.Uint64(v.bytes)
		if t.isNaN(v) {
			bits = math.Float64bits(math.NaN())
		}
		return binary.BigEndian.AppendUint64(dst, ordered64(bits))
	case String, Binary:
		// A zero byte is escaped, so that the end sorts before all else.
		for _, b := range v.bytes {
			if dst = append(dst, b); b == 0 {
				dst = append(dst, 0xff)
			}
		}
		return append(dst, 0, 0)
	}
	return binary.BigEndian.AppendUint64(dst, uint64(v.n)^1<<63)
}

// ordered32 maps the bits of a floating point number to an unsigned one of
// the same order (IEEE 754 totalOrder).
func ordered32(bits uint32) uint32 {
	if bits>>31 != 0 {
		return ^bits
	}
	return bits | 1<<31
}

func ordered64(bits uint64) uint64 {
	if bits>>63 != 0 {
		return ^bits
	}
	return bits | 1<<63
}

// SummaryKeys gives the parts of keys, as [Spec.AppendKey] makes them, of the
// bounds in a summary of the field with the given index; nil where there is no
// bound. Nulls and NaN are not in them. An error says that a bound is not one
// of the field's type.
func (s *Spec) SummaryKeys(field int, summary Summary) (lower, upper []byte, err error) {
	t := s.fields[field].Type
	if lower, err = t.singleKey(summary.Lower); err == nil {
		upper, err = t.singleKey(summary.Upper)
	}
	return lower, upper, err
}

// singleKey is the key of a single-value serialisation.
func (t Type) singleKey(single []byte) ([]byte, error) {
	if single == nil {
		return nil, nil
	}
	v, ok := t.parseSingle(single)
	if !ok {
		return nil, errBound
	}
	return t.appendKey(nil, v), nil
}
