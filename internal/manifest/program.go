package manifest

// opcode is what one operation of a program does with the next bytes.
type opcode uint8

const (
	opLong           opcode = iota // decode a varint into ints[slot]
	opText                         // decode a string or bytes into texts[slot]
	opHas                          // ints[slot] = 1 if the bytes are not empty
	opSkip                         // step over n bytes
	opSkipLongs                    // step over n varints
	opSkipBytes                    // step over a string or bytes
	opNullable                     // a union with null: step over n operations when it is null
	opUnion                        // another union: run one of alts
	opArray                        // blocks of items, each as body says
	opMap                          // the same with a string before each
	opLongsArray                   // blocks of items of n varints each
	opLongBytesArray               // blocks of items of a varint and a bytes
	opCall                         // a named type, defined elsewhere
	opCapture                      // begin to keep what is stepped over
	opCaptured                     // texts[slot] = what was
	opMark                         // marks[n] = how far the capture has come
	opMissing                      // a null where there must be a value
)

// op is one operation. There are none for what takes no bytes (a null, an
// empty record, a fixed of no bytes), so that every step over a value takes
// at least one and each loop is bounded by the size of the file.
type op struct {
	code  opcode
	slot  slot
	null  byte           // opNullable: the index of null as encoded, 0 or 2
	must  bool           // opNullable: null is an error
	run   uint8          // opNullable: how many of them follow each other, if all are null
	nulls uint64         // opNullable: the bytes of such a run
	after *[maxRun]int32 // opNullable: the operations to step over with so many
	n     int64          // see the opcodes
	body  []op           // opArray, opMap
	alts  [][]op         // opUnion
	named *named         // opCall
	name  string         // of the field, where it may be missing
}

// program reads one entry. It does not change once compiled.
type program []op

// named is a record, enum or fixed of the schema, which may be used by name
// after its definition and, in a record, inside it.
type named struct {
	schema map[string]any
	space  string // the namespace that its fields are in
	body   []op
	done   bool
}

// maxRun is the longest run of nulls that is stepped over at once: what one
// load of eight bytes can tell.
const maxRun = 8

// findRuns notes at each opNullable how to step over the nulls that may
// follow it.
func (p program) findRuns() {
	for i := range p {
		o := &p[i]
		if o.code != opNullable {
			continue
		}
		o.after = new([maxRun]int32)
		for j := i; o.run < maxRun && j < len(p) && p[j].code == opNullable && !p[j].must; {
			o.nulls |= uint64(p[j].null) << (8 * o.run)
			j += 1 + int(p[j].n)
			o.after[o.run] = int32(j - i - 1)
			o.run++
		}
	}
}
