package manifest

import (
	"encoding/binary"
	"fmt"
	"math"
)

// cursor takes values from in, which holds whole entries, and writes them
// anew to out.
type cursor struct{ in, out []byte }

// transfer carries one value over.
type transfer func(*cursor) error

func (c *cursor) long() (int64, error) {
	n, size := binary.Varint(c.in)
	if size <= 0 {
		return 0, errConvert
	}
	c.in = c.in[size:]
	return n, nil
}

func (c *cursor) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(c.in)) {
		return nil, errConvert
	}
	b := c.in[:n]
	c.in = c.in[n:]
	return b, nil
}

// branch reads which type of a union the value is of.
func (c *cursor) branch(t *avroType) (*avroType, error) {
	i, err := c.branchIndex(len(t.types))
	if err != nil {
		return nil, err
	}
	return t.types[i], nil
}

func (c *cursor) branchIndex(n int) (int, error) {
	i, err := c.long()
	if err != nil || i < 0 || i >= int64(n) {
		return 0, errUnion
	}
	return int(i), nil
}

func (c *cursor) putLong(n int64) { c.out = binary.AppendVarint(c.out, n) }

// convert makes the transfer of values of type from to values of type to.
// Types that do not fit are an error only when there is a value.
func convert(from, to *avroType, label string, depth int) transfer {
	switch {
	case depth > maxDepth:
		return refuse(label, "is nested too deeply")
	case from.kind == avroUnion:
		branches := make([]transfer, len(from.types))
		for i, b := range from.types {
			branches[i] = convert(b, to, label, depth+1)
		}
		return func(c *cursor) error {
			i, err := c.branchIndex(len(branches))
			if err != nil {
				return err
			}
			return branches[i](c)
		}
	case to.kind == avroUnion:
		return convertNullable(from, to, label, depth)
	case from.kind == avroNull && to.kind == avroNull:
		return func(*cursor) error { return nil }
	case from.kind == avroNull:
		return refuse(label, "is null and has to have a value")
	case from.same(to, 0):
		return func(c *cursor) error { return c.copy(from) }
	}
	if t := convertValue(from, to, label, depth); t != nil {
		return t
	}
	return refuse(label, fmt.Sprintf("is a %s in the file, which cannot become a %s", from, to))
}

func refuse(label, why string) transfer {
	err := &errNoPlace{label, why}
	return func(*cursor) error { return err }
}

// convertNullable writes into a union of null and another type, in this
// order, as those of the layouts are.
func convertNullable(from, to *avroType, label string, depth int) transfer {
	if from.kind == avroNull {
		return func(c *cursor) error {
			c.out = append(c.out, 0)
			return nil
		}
	}
	value := convert(from, to.types[1], label, depth+1)
	return func(c *cursor) error {
		c.out = append(c.out, 2)
		return value(c)
	}
}

// convertValue gives nil when a type cannot become the other.
func convertValue(from, to *avroType, label string, depth int) transfer {
	switch {
	case from.kind == avroRecord && to.kind == avroRecord:
		return convertRecord(from, to, label, depth)
	case from.kind == avroArray && to.kind == avroArray:
		return convertArray(convert(from.items, to.items, label, depth+1))
	case !sameLogic(from, to):
		return nil
	case from.kind == avroLong && to.kind == avroInt:
		return func(c *cursor) error {
			n, err := c.long()
			if err == nil && (n < math.MinInt32 || n > math.MaxInt32) {
				err = &errNoPlace{label, fmt.Sprintf("is %d, which has more than 32 bits", n)}
			}
			c.putLong(n)
			return err
		}
	case from.kind == avroFloat && to.kind == avroDouble:
		return func(c *cursor) error {
			b, err := c.take(4)
			if err != nil {
				return err
			}
			f := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
			c.out = binary.LittleEndian.AppendUint64(c.out, math.Float64bits(f))
			return nil
		}
	case to.kind == avroFixed && to.logical == "decimal" && (from.kind == avroFixed || from.kind == avroBytes):
		return convertDecimal(from, to, label)
	}
	return nil
}

// convertRecord writes the fields of to in their order. Those of from are
// found first, since they may be in another.
func convertRecord(from, to *avroType, label string, depth int) transfer {
	next := 0
	m := &places{marks: map[int]int{}, next: &next}
	c, err := carryNested(from, to, label, m, depth)
	if err != nil {
		return func(*cursor) error { return err }
	}
	return func(cur *cursor) error {
		p := passage{raw: cur.in, marks: make([]int, next)}
		for i := range from.fields {
			if mark, ok := m.marks[i]; ok {
				p.marks[mark] = len(p.raw) - len(cur.in)
			}
			if err := cur.skip(from.fields[i].typ, 0); err != nil {
				return err
			}
		}
		if mark, ok := m.marks[len(from.fields)]; ok {
			p.marks[mark] = len(p.raw) - len(cur.in)
		}
		if err := c.check(&p); err != nil {
			return err
		}
		p.out = cur.out
		_, err := c.run(&p, 0)
		cur.out = p.out
		return err
	}
}

// carryNested is carry, with a bound on the depth of the schema.
func carryNested(from, to *avroType, label string, m *places, depth int) (*carriage, error) {
	if depth > maxDepth {
		return nil, &errNoPlace{label, "is nested too deeply"}
	}
	return carry(from, to, noID, label, m)
}

// convertArray writes the blocks of the source without their sizes.
func convertArray(item transfer) transfer {
	return func(c *cursor) error {
		return c.items(c.putLong, func() error { return item(c) })
	}
}

// items calls item at each item of an array, which has to step over at least
// one byte, and block with the count of each block and with the 0 at the end.
func (c *cursor) items(block func(int64), item func() error) error {
	for {
		n, err := c.long()
		if err != nil {
			return err
		}
		if n < 0 {
			if _, err := c.long(); err != nil {
				return err
			}
			if n = -n; n < 0 {
				return errConvert
			}
		}
		if block != nil {
			block(n)
		}
		if n == 0 {
			return nil
		}
		for ; n > 0; n-- {
			before := len(c.in)
			if err := item(); err != nil {
				return err
			}
			if len(c.in) == before {
				return errConvert // else a count could be any
			}
		}
	}
}

// convertDecimal brings a big-endian two's complement number to the size of
// the fixed.
func convertDecimal(from, to *avroType, label string) transfer {
	return func(c *cursor) error {
		size := int64(from.size)
		if from.kind == avroBytes {
			var err error
			if size, err = c.long(); err != nil {
				return err
			}
		}
		b, err := c.take(size)
		if err != nil || len(b) == 0 {
			return errConvert
		}
		var pad byte
		if b[0] >= 0x80 {
			pad = 0xff
		}
		for len(b) > to.size {
			if b[0] != pad || b[1]&0x80 != pad&0x80 {
				return &errNoPlace{label, fmt.Sprintf("is a decimal of more than %d bytes", to.size)}
			}
			b = b[1:]
		}
		for range to.size - len(b) {
			c.out = append(c.out, pad)
		}
		c.out = append(c.out, b...)
		return nil
	}
}

// copy carries the bytes of a value over.
func (c *cursor) copy(t *avroType) error {
	before := c.in
	if err := c.skip(t, 0); err != nil {
		return err
	}
	c.out = append(c.out, before[:len(before)-len(c.in)]...)
	return nil
}

// skip steps over a value.
func (c *cursor) skip(t *avroType, depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	n := int64(0)
	var err error
	switch t.kind {
	case avroBoolean:
		n = 1
	case avroInt, avroLong, avroEnum:
		_, err = c.long()
	case avroFloat:
		n = 4
	case avroDouble:
		n = 8
	case avroString, avroBytes:
		_, err = c.text()
	case avroFixed:
		n = int64(t.size)
	case avroArray, avroMap:
		return c.skipItems(t, depth)
	case avroRecord:
		for i := range t.fields {
			if err := c.skip(t.fields[i].typ, depth+1); err != nil {
				return err
			}
		}
	case avroUnion:
		branch, err := c.branch(t)
		if err != nil {
			return err
		}
		return c.skip(branch, depth+1)
	}
	if err == nil {
		_, err = c.take(n)
	}
	return err
}

func (c *cursor) skipItems(t *avroType, depth int) error {
	for {
		n, err := c.long()
		if err != nil || n == 0 {
			return err
		}
		if n < 0 {
			if _, err := c.text(); err != nil { // the block's size is before it
				return err
			}
			continue
		}
		for ; n > 0; n-- {
			before := len(c.in)
			if t.kind == avroMap {
				if _, err := c.text(); err != nil {
					return err
				}
			}
			if err := c.skip(t.items, depth+1); err != nil {
				return err
			}
			if len(c.in) == before {
				break // items of no bytes
			}
		}
	}
}
