package tabletest

import "bytes"

// Damage is a way to break a file. It never changes its input.
type Damage func(data []byte) []byte

// Truncate cuts the file off after the given share of it, in per cent.
func Truncate(percent int) Damage {
	return func(data []byte) []byte { return bytes.Clone(data[:len(data)*percent/100]) }
}

// FlipByte inverts one byte at the given share of the file, in per cent (at most
// 99).
func FlipByte(percent int) Damage {
	return func(data []byte) []byte {
		broken := bytes.Clone(data)
		broken[len(broken)*percent/100] ^= 0xff
		return broken
	}
}

// BreakSync inverts the last byte of an Avro file, which belongs to the sync
// marker of its last block: every Avro reader has to notice.
func BreakSync(data []byte) []byte {
	broken := bytes.Clone(data)
	broken[len(broken)-1] ^= 0xff
	return broken
}

// Empty is a file of no bytes.
func Empty([]byte) []byte { return []byte{} }

// NotAvro is a file of another format.
func NotAvro([]byte) []byte { return []byte("PAR1 this is not an Avro file\n") }

// Damage breaks the object at a location in place and reports whether there is
// one.
func (o Objects) Damage(location string, damage Damage) bool {
	data, found := o[location]
	if found {
		o[location] = damage(data)
	}
	return found
}
