package manifest

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// maxDepth bounds how deeply values and schemas are nested.
const maxDepth = 64

// run executes ops on the window, which is at the beginning of a value.
func (w *window) run(ops []op, rec *record, depth int) error {
	for pc := 0; pc < len(ops); pc++ {
		o := &ops[pc]
		var err error
		switch o.code {
		case opNullable:
			// Most fields of most entries are null, one after the other.
			if w.end-w.pos >= 8 {
				x := binary.LittleEndian.Uint64(w.buf[w.pos:]) ^ o.nulls
				if k := min(bits.TrailingZeros64(x)>>3, int(o.run)); k > 0 {
					w.pos += k
					pc += int(o.after[k-1])
					continue
				}
			}
			if w.pos == w.end {
				if err := w.more(); err != nil {
					return err
				}
			}
			b := w.buf[w.pos]
			w.pos++
			switch {
			case b == o.null && !o.must:
				pc += int(o.n)
			case b == o.null:
				return missing(o.name)
			case b != 2-o.null:
				return errUnion
			}
		case opLong:
			rec.ints[o.slot], err = w.long()
		case opText:
			rec.texts[o.slot], err = w.bytes(rec.texts[o.slot])
		case opHas:
			var n int64
			if n, err = w.length(); n > 0 && err == nil {
				rec.ints[o.slot] = 1
				err = w.skip(n)
			}
		case opSkip:
			err = w.skip(o.n)
		case opSkipLongs:
			err = w.skipLongs(o.n)
		case opSkipBytes:
			err = w.skipBytes()
		case opLongsArray, opLongBytesArray, opArray, opMap:
			err = w.items(o, rec, depth)
		case opUnion:
			var i int64
			if i, err = w.long(); err != nil {
				return err
			}
			if i < 0 || i >= int64(len(o.alts)) {
				return errUnion
			}
			err = w.nested(o.alts[i], rec, depth)
		case opCall:
			err = w.nested(o.named.body, rec, depth)
		case opCapture:
			w.begin(rec.texts[o.slot], maxValue)
		case opCaptured:
			rec.texts[o.slot], err = w.finish()
		case opMark:
			rec.marks[o.n] = len(w.captured) + w.pos - w.mark
		case opMissing:
			return missing(o.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *window) nested(ops []op, rec *record, depth int) error {
	if depth >= maxDepth {
		return errDepth
	}
	return w.run(ops, rec, depth+1)
}

// items steps over the blocks of an array or a map. A negative count says
// that the size of the block in bytes follows.
func (w *window) items(o *op, rec *record, depth int) error {
	for {
		n, err := w.long()
		if err != nil || n == 0 {
			return err
		}
		if n < 0 {
			size, err := w.length()
			if err != nil {
				return err
			}
			if err := w.skip(size); err != nil {
				return err
			}
			continue
		}
		switch {
		case o.code == opArray && len(o.body) == 0:
			// Items of no bytes, such as nulls: any count is there already.
		case o.code == opLongsArray:
			if n > math.MaxInt64/o.n {
				return fmt.Errorf("an array of %d items", n)
			}
			err = w.skipLongs(n * o.n)
		case o.code == opLongBytesArray:
			err = w.skipLongBytes(n)
		default:
			for ; n > 0 && err == nil; n-- {
				if o.code == opMap {
					if err = w.skipBytes(); err != nil {
						break
					}
				}
				err = w.nested(o.body, rec, depth)
			}
		}
		if err != nil {
			return err
		}
	}
}

func missing(name string) error { return fmt.Errorf("%s is null", name) }
