package manifest

import (
	"errors"
	"fmt"
)

// A carriage brings a record of a file's own schema into that of a layout. The
// fields of the layout are taken in their order; neighbours that are encoded
// alike and follow each other in the file are one copy. Whatever else the
// record holds must be null.
type carriage struct {
	steps  []step
	unread []unread // fields without a place in the layout
}

// step writes one or several fields of the layout.
type step struct {
	from, to  int      // marks: the bytes between them are copied, unless
	convert   transfer // does it, from the mark on
	literal   []byte   // or this is written
	own       bool     // or the caller writes it: the first row id
	partition bool     // it is the partition, and nothing else
	name      string
}

// unread is a field of the source that must be null or, where that is what
// the layout takes it for, zero.
type unread struct {
	mark  int
	typ   *avroType
	zero  bool
	label string
}

// dropped are fields that the specification says are not to be written, and
// that no reader uses: block size, file ordinal, sort columns and distinct
// counts.
var dropped = map[int]bool{105: true, 106: true, 107: true, 111: true}

// defaults are what fields mean that older versions had not: content, the
// block size that Java writes in v1, and the sequence numbers in a list.
var defaults = map[int][]byte{
	134: {0}, 517: {0}, 515: {0}, 516: {0},
	105: {0x80, 0x80, 0x80, 0x40}, // 64 MiB
}

// places numbers the marks of a source's record: where the fields begin that
// have to be found.
type places struct {
	marks map[int]int // index of a field, or how many there are, to mark
	next  *int
}

func (m *places) at(index int) int {
	mark, ok := m.marks[index]
	if !ok {
		mark = *m.next
		*m.next++
		m.marks[index] = mark
	}
	return mark
}

// errNoPlace is why a value is not carried over.
type errNoPlace struct{ label, why string }

func (e *errNoPlace) Error() string { return e.label + " " + e.why }

// carry plans how the fields of source become those of target. own is the id
// of the field that the caller writes, in names the record in messages.
func carry(source, target *avroType, own int, in string, m *places) (*carriage, error) {
	c := &carriage{}
	used := make([]bool, len(source.fields))
	for i := range target.fields {
		f := &target.fields[i]
		at, err := source.find(f)
		if err != nil {
			return nil, err
		}
		if at >= 0 {
			used[at] = true
		}
		s := step{name: f.label(in), partition: f.id == partitionID}
		switch {
		case f.id == own:
			s.own = true
		case at < 0:
			literal, ok := absent(f)
			if !ok {
				return nil, &errNoPlace{f.label(in), "is not in the file and has to be"}
			}
			s.literal = literal
		case source.fields[at].typ.same(f.typ, 0):
			last := len(c.steps) - 1
			if last >= 0 && f.id != partitionID && c.steps[last].copies(m.at(at)) {
				c.steps[last].to = m.at(at + 1)
				continue
			}
			s.from, s.to = m.at(at), m.at(at+1)
		default:
			s.from, s.to = m.at(at), m.at(at+1)
			s.convert = convert(source.fields[at].typ, f.typ, f.label(in), 0)
		}
		c.steps = append(c.steps, s)
	}
	for i := range source.fields {
		if f := &source.fields[i]; !used[i] && !dropped[f.id] {
			c.unread = append(c.unread, unread{m.at(i), f.typ, len(defaults[f.id]) == 1, f.label(in)})
		}
	}
	return c, nil
}

// copies says whether the step is a copy that ends at a mark.
func (s *step) copies(mark int) bool {
	return s.convert == nil && s.literal == nil && !s.own && !s.partition && s.to == mark
}

// absent is what is written for a field that the source has not.
func absent(f *avroField) ([]byte, bool) {
	if b, ok := defaults[f.id]; ok {
		return b, true
	}
	if f.typ.kind == avroUnion && f.typ.types[0].kind == avroNull {
		return []byte{0}, true
	}
	if f.typ.kind == avroNull {
		return []byte{}, true
	}
	return nil, false
}

// passage is a record on its way.
type passage struct {
	raw   []byte // as it was read
	marks []int  // places in it
	out   []byte
	// where in out the partition is
	partitionFrom, partitionTo int

	cursor cursor // of the value that is converted
}

// check makes sure that nothing of the record stays behind.
func (c *carriage) check(p *passage) error {
	for i := range c.unread {
		u := &c.unread[i]
		empty, err := u.typ.isEmpty(p.raw[p.marks[u.mark]:], u.zero)
		if err != nil {
			return err
		}
		if !empty {
			return &errNoPlace{u.label, "has a value and no place in the format that is written"}
		}
	}
	return nil
}

// isEmpty says whether the value that begins with p is null or, if that is as
// good, the integer zero.
func (t *avroType) isEmpty(p []byte, zero bool) (bool, error) {
	c := cursor{in: p}
	if t.kind == avroUnion {
		var err error
		if t, err = c.branch(t); err != nil {
			return false, err
		}
	}
	if t.kind == avroNull {
		return true, nil
	}
	if !zero || t.kind != avroInt && t.kind != avroLong {
		return false, nil
	}
	n, err := c.long()
	return n == 0, err
}

// run appends the record to the output from a step on, up to the one that the
// caller writes or to the end, and gives where it came to.
func (c *carriage) run(p *passage, from int) (int, error) {
	for i := from; i < len(c.steps); i++ {
		s := &c.steps[i]
		start := len(p.out)
		switch {
		case s.own:
			return i, nil
		case s.literal != nil:
			p.out = append(p.out, s.literal...)
		case s.convert == nil:
			p.out = append(p.out, p.raw[p.marks[s.from]:p.marks[s.to]]...)
		default:
			p.cursor = cursor{in: p.raw[p.marks[s.from]:p.marks[s.to]], out: p.out}
			if err := s.convert(&p.cursor); err != nil {
				return i, err
			}
			if len(p.cursor.in) > 0 {
				return i, fmt.Errorf("%s: %w", s.name, errConvert)
			}
			p.out = p.cursor.out
		}
		if s.partition {
			p.partitionFrom, p.partitionTo = start, len(p.out)
		}
	}
	return len(c.steps), nil
}

var errConvert = errors.New("the value is not of the type that the schema says")

// notCarried gives the error that the caller gets for one of a carriage, and
// whether it is one.
func notCarried(name string, err error) (*NotCarriedError, bool) {
	var no *errNoPlace
	if errors.As(err, &no) {
		return &NotCarriedError{Name: name, Field: no.label, Why: no.why}, true
	}
	return nil, false
}
