package manifest

import "math/bits"

const (
	litBits  = 10 // of the first table for literals and lengths
	distBits = 8
	maxCode  = 15 // bits of the longest code
)

// An entry of a table has the length of its code in bits 0 to 5 and its
// value from bit 8: a literal; the base of a length with its extra bits from
// bit 17; the base of a distance with its extra bits from bit 23; or the
// place of a second table with the bits that index it from bit 24.
const (
	codeLiteral uint32 = 1 << 31
	codeTable   uint32 = 1 << 30
	codeSpecial uint32 = 1 << 29 // the end of the block, or no code at all
	codeEnd     uint32 = 1 << 28

	noCode = codeSpecial
)

// The bases and extra bits of RFC 1951, 3.2.5, as entries without a length.
var (
	litEntries  = makeLitEntries()
	distEntries = makeDistEntries()
	sizeEntries = makeSizeEntries()
)

func makeLitEntries() (t [288]uint32) {
	for i := range t {
		switch {
		case i < 256:
			t[i] = codeLiteral | uint32(i)<<8
		case i == 256:
			t[i] = codeSpecial | codeEnd
		case i < 265:
			t[i] = uint32(i-254) << 8
		case i < 285:
			extra := uint32(i-261) / 4
			base := uint32(i-265)%4<<extra + 4<<extra + 3
			t[i] = base<<8 | extra<<17
		case i == 285:
			t[i] = 258 << 8
		default:
			t[i] = noCode
		}
	}
	return t
}

func makeDistEntries() (t [32]uint32) {
	for i := range t {
		switch {
		case i < 4:
			t[i] = uint32(i+1) << 8
		case i < 30:
			extra := uint32(i-2) / 2
			base := uint32(i%2)<<extra + 2<<extra + 1
			t[i] = base<<8 | extra<<23
		default:
			t[i] = noCode
		}
	}
	return t
}

func makeSizeEntries() (t [19]uint32) {
	for i := range t {
		t[i] = uint32(i) << 8
	}
	return t
}

// makeTable fills table, whose first 1<<first entries are the first table,
// for codes of the given lengths (0 is no code) that stand for entries.
// It takes what compress/flate takes: complete codes, a single code of one
// bit, or none.
func makeTable(table []uint32, first int, lengths []uint8, entries []uint32) error {
	var count, next [maxCode + 1]int
	longest := 0
	for _, n := range lengths {
		count[n]++
		longest = max(longest, int(n))
	}
	count[0] = 0
	code := 0
	for n := 1; n <= longest; n++ {
		code <<= 1
		next[n] = code
		code += count[n]
	}
	single := code == 1 && longest == 1
	if longest > 0 && code != 1<<longest && !single {
		return errDeflate
	}
	if longest == 0 || single {
		for i := range 1 << first {
			table[i] = noCode
		}
	}
	// How many more bits the codes have that share their first bits.
	var deeper [1 << litBits]uint8
	if longest > first {
		walk := next
		for _, n := range lengths {
			if c := walk[n]; int(n) > first {
				at := reverse(c, int(n)) & (1<<first - 1)
				deeper[at] = max(deeper[at], n-uint8(first))
			}
			walk[n]++
		}
	}
	used := 1 << first
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		size := int(n)
		c := reverse(next[n], size)
		next[n]++
		e := entries[symbol] | uint32(n)
		if size <= first {
			for i := c; i < 1<<first; i += 1 << size {
				table[i] = e
			}
			continue
		}
		at := c & (1<<first - 1)
		more := int(deeper[at])
		if deeper[at]&placed == 0 {
			if used+1<<more > len(table) {
				return errDeflate
			}
			table[at] = codeTable | uint32(used)<<8 | uint32(more)<<24
			used += 1 << more
			deeper[at] |= placed
		} else {
			more &^= placed
		}
		sub := table[int(table[at]>>8&0xffff):][:1<<more]
		for i := c >> first; i < 1<<more; i += 1 << (size - first) {
			sub[i] = e
		}
	}
	return nil
}

// placed marks that a second table has its place.
const placed = 0x80

func reverse(code, size int) int { return int(bits.Reverse16(uint16(code)) >> (16 - size)) }

// fixedTables makes the tables of RFC 1951, 3.2.6.
func (f *inflater) fixedTables() error {
	var lit [288]uint8
	for i := range lit {
		switch {
		case i < 144:
			lit[i] = 8
		case i < 256:
			lit[i] = 9
		case i < 280:
			lit[i] = 7
		default:
			lit[i] = 8
		}
	}
	var dist [32]uint8
	for i := range dist {
		dist[i] = 5
	}
	if err := makeTable(f.lit[:], litBits, lit[:], litEntries[:]); err != nil {
		return err
	}
	return makeTable(f.dist[:], distBits, dist[:], distEntries[:])
}

// sizeOrder is the order of the lengths of the code for lengths.
var sizeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readTables reads the codes of a block, RFC 1951, 3.2.7.
func (f *inflater) readTables() error {
	v, err := f.take(14)
	if err != nil {
		return err
	}
	lits, dists, sizes := v&31+257, v>>5&31+1, v>>10+4
	if lits > 286 || dists > 30 {
		return errDeflate
	}
	var size [19]uint8
	for i := range sizes {
		n, err := f.take(3)
		if err != nil {
			return err
		}
		size[sizeOrder[i]] = uint8(n)
	}
	const sizeBits = 7
	var table [1 << sizeBits]uint32
	if err := makeTable(table[:], sizeBits, size[:], sizeEntries[:]); err != nil {
		return err
	}
	var lengths [286 + 30]uint8
	for i := 0; i < lits+dists; {
		if err := f.refill(); err != nil {
			return err
		}
		e := table[f.bits&(1<<sizeBits-1)]
		if e&codeSpecial != 0 {
			return errDeflate
		}
		f.bits >>= e & 63
		f.nbits -= uint(e & 63)
		symbol := uint8(e >> 8)
		if symbol < 16 {
			lengths[i] = symbol
			i++
			continue
		}
		var value uint8
		var n int
		switch symbol {
		case 16:
			if i == 0 {
				return errDeflate
			}
			value = lengths[i-1]
			n, err = f.take(2)
			n += 3
		case 17:
			n, err = f.take(3)
			n += 3
		default:
			n, err = f.take(7)
			n += 11
		}
		if err != nil {
			return err
		}
		if i+n > lits+dists {
			return errDeflate
		}
		for range n {
			lengths[i] = value
			i++
		}
	}
	if err := makeTable(f.lit[:], litBits, lengths[:lits], litEntries[:]); err != nil {
		return err
	}
	return makeTable(f.dist[:], distBits, lengths[lits:lits+dists], distEntries[:])
}
