package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
)

// maxSchema is the largest Avro schema that is compiled, in bytes. It grows
// with the fields of the partition, not with the columns of the table.
const maxSchema = 1 << 20

var (
	errUnion  = errors.New("a union has no such branch")
	errSchema = errors.New("the Avro schema")
)

// compiler turns the schema of a file into a program.
type compiler struct {
	fields Fields
	names  map[string]*named
	seen   map[int]bool // ids of the fields found
	// marks are the places to note in the records of the entry and of the
	// data file: the index of a field, to that of a mark.
	marks [2]map[int]int
}

// The records of which places are noted.
const (
	markEntry = iota
	markFile
)

// marksIn gives the places to note in a record that is wanted.
func (c *compiler) marksIn(f *field, depth int) map[int]int {
	switch {
	case depth == 0:
		return c.marks[markEntry]
	case f.id == dataFile:
		return c.marks[markFile]
	}
	return nil
}

// compile makes the program that reads the wanted fields of an entry. what
// names the kind of file in errors. marks are those of the compiler.
func compile(schema, what string, wanted []field, fields Fields, marks ...map[int]int) (program, error) {
	if schema == "" {
		return nil, errors.New("the file has no Avro schema")
	}
	if len(schema) > maxSchema {
		return nil, fmt.Errorf("%w of %d bytes is larger than the %d that are read", errSchema, len(schema), maxSchema)
	}
	var root any
	if err := json.Unmarshal([]byte(schema), &root); err != nil {
		return nil, fmt.Errorf("%w is not JSON: %w", errSchema, err)
	}
	c := &compiler{fields: fields, names: map[string]*named{}, seen: map[int]bool{}}
	copy(c.marks[:], marks)
	ops, err := c.want(nil, &field{name: what, shape: shapeRecord, fields: wanted, required: true}, root, "", 0)
	if err != nil {
		return nil, err
	}
	if f := c.lacking(wanted); f != nil {
		return nil, fmt.Errorf("%w is not that of a %s: it has no field %s (%d)", errSchema, what, f.name, f.id)
	}
	p := program(ops)
	p.findRuns()
	return p, nil
}

func (c *compiler) lacking(fields []field) *field {
	for i := range fields {
		f := &fields[i]
		if f.required && !c.seen[f.id] {
			return f
		}
		if l := c.lacking(f.fields); l != nil {
			return l
		}
	}
	return nil
}

// want appends the operations that decode field f of type t.
func (c *compiler) want(ops []op, f *field, t any, space string, depth int) ([]op, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: %w", errSchema, errDepth)
	}
	if branches, ok := t.([]any); ok {
		return c.union(ops, branches, f, space, depth)
	}
	if f.shape == shapeRaw {
		ops = append(ops, op{code: opCapture, slot: f.slot})
		ops, err := c.skip(ops, t, space, depth)
		return append(ops, op{code: opCaptured, slot: f.slot}), err
	}
	name, object := typeName(t)
	switch {
	case name == "null":
		return append(ops, op{code: opMissing, name: f.name}), nil
	case f.shape == shapeLong && (name == "int" || name == "long"):
		return append(ops, op{code: opLong, slot: f.slot}), nil
	case f.shape == shapeText && (name == "string" || name == "bytes"):
		return append(ops, op{code: opText, slot: f.slot}), nil
	case f.shape == shapeHas && (name == "string" || name == "bytes"):
		return append(ops, op{code: opHas, slot: f.slot}), nil
	case f.shape == shapeRecord && (name == "record" || name == "error"):
		// Registers the types in it, which the rest of the schema may name.
		if _, err := c.skip(nil, t, space, depth); err != nil {
			return nil, err
		}
		return c.record(ops, f, object, c.names[fullName(object, space)].space, depth)
	case f.shape == shapeRecord && object == nil:
		if n := c.lookup(name, space); n != nil && n.schema != nil && n.done {
			return c.record(ops, f, n.schema, n.space, depth)
		}
	}
	return nil, fmt.Errorf("%w: %s cannot be of type %q", errSchema, f.name, name)
}

// record appends the operations of a record some fields of which are wanted.
func (c *compiler) record(ops []op, in *field, schema map[string]any, space string, depth int) ([]op, error) {
	list, err := recordFields(schema)
	if err != nil {
		return nil, err
	}
	marks := c.marksIn(in, depth)
	for i, sf := range list {
		if mark, ok := marks[i]; ok {
			ops = append(ops, op{code: opMark, n: int64(mark)})
		}
		f := in.find(sf)
		if f == nil {
			ops, err = c.skip(ops, sf["type"], space, depth+1)
		} else {
			if c.seen[f.id] {
				return nil, fmt.Errorf("%w has the field %s (%d) twice", errSchema, f.name, f.id)
			}
			c.seen[f.id] = true
			if f.ask != 0 && c.fields&f.ask == 0 {
				ops, err = c.skip(ops, sf["type"], space, depth+1)
			} else {
				ops, err = c.want(ops, f, sf["type"], space, depth+1)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if mark, ok := marks[len(list)]; ok {
		ops = append(ops, op{code: opMark, n: int64(mark)})
	}
	return ops, nil
}

// find gives the wanted field that a field of the schema is, by its id or,
// when it has none, by its name.
func (f *field) find(schema map[string]any) *field {
	id, hasID := schema["field-id"].(float64)
	name, _ := schema["name"].(string)
	for i := range f.fields {
		w := &f.fields[i]
		if hasID && float64(w.id) == id || !hasID && name != "" && (name == w.name || name == w.alias) {
			return w
		}
	}
	return nil
}

// union appends a union. f is nil when it is to be stepped over.
func (c *compiler) union(ops []op, branches []any, f *field, space string, depth int) ([]op, error) {
	if len(branches) == 0 {
		return nil, fmt.Errorf("%w has an empty union", errSchema)
	}
	branch := func(t any) ([]op, error) {
		if _, ok := t.([]any); ok {
			return nil, fmt.Errorf("%w has a union in a union", errSchema)
		}
		name, _ := typeName(t)
		if f == nil || name == "null" && !f.required {
			return c.skip(nil, t, space, depth+1)
		}
		return c.want(nil, f, t, space, depth+1)
	}
	if len(branches) == 2 {
		for i, t := range branches {
			if name, _ := typeName(t); name != "null" {
				continue
			}
			body, err := branch(branches[1-i])
			if err != nil {
				return nil, err
			}
			o := op{code: opNullable, null: byte(2 * i), n: int64(len(body))}
			if f != nil {
				o.must, o.name = f.required, f.name
			}
			return append(append(ops, o), body...), nil
		}
	}
	o := op{code: opUnion}
	for _, t := range branches {
		// A record that is wanted may be in one branch only, or its fields
		// would be found twice, which record refuses.
		body, err := branch(t)
		if err != nil {
			return nil, err
		}
		o.alts = append(o.alts, body)
	}
	return append(ops, o), nil
}
