package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// avroKind is a type of the Avro specification.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroString
	avroBytes
	avroFixed
	avroEnum
	avroArray
	avroMap
	avroRecord
	avroUnion
)

var avroKinds = map[string]avroKind{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong, "float": avroFloat,
	"double": avroDouble, "string": avroString, "bytes": avroBytes, "fixed": avroFixed, "enum": avroEnum,
	"array": avroArray, "map": avroMap, "record": avroRecord, "error": avroRecord,
}

// avroType is a type of a schema. It may contain itself.
type avroType struct {
	kind    avroKind
	logical string
	scale   int         // of a decimal
	size    int         // of a fixed, bytes
	items   *avroType   // of an array or a map
	fields  []avroField // of a record
	types   []*avroType // of a union
}

type avroField struct {
	id   int // noID when there is none
	name string
	typ  *avroType
}

const noID = -1

// avroTypeSet is the named types of a schema.
type avroTypeSet map[string]*avroType

// parseAvro reads a schema. Its named types are as in [compiler].
func parseAvro(schema string) (*avroType, error) {
	if len(schema) > maxSchema {
		return nil, fmt.Errorf("%w of %d bytes is larger than the %d that are read", errSchema, len(schema), maxSchema)
	}
	var root any
	if err := json.Unmarshal([]byte(schema), &root); err != nil {
		return nil, fmt.Errorf("%w is not JSON: %w", errSchema, err)
	}
	return avroTypeSet{}.parse(root, "", 0)
}

func (s avroTypeSet) parse(t any, space string, depth int) (*avroType, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: %w", errSchema, errDepth)
	}
	if branches, ok := t.([]any); ok {
		return s.parseUnion(branches, space, depth)
	}
	name, object := typeName(t)
	kind, ok := avroKinds[name]
	if !ok {
		if space != "" && !strings.Contains(name, ".") {
			if n := s[space+"."+name]; n != nil {
				return n, nil
			}
		}
		if n := s[name]; n != nil {
			return n, nil
		}
		return nil, fmt.Errorf("%w has the unknown type %q", errSchema, name)
	}
	n := &avroType{kind: kind}
	attributes, _ := t.(map[string]any)
	n.logical, _ = attributes["logicalType"].(string)
	if scale, ok := attributes["scale"].(float64); ok {
		n.scale = int(scale)
	}
	if kind < avroFixed {
		return n, nil
	}
	if object == nil {
		return nil, fmt.Errorf("%w has a type %q without its definition", errSchema, name)
	}
	var err error
	switch kind {
	case avroFixed, avroEnum, avroRecord:
		err = s.parseNamed(n, object, space, depth)
	case avroArray:
		n.items, err = s.parse(object["items"], space, depth+1)
	case avroMap:
		n.items, err = s.parse(object["values"], space, depth+1)
	}
	return n, err
}

func (s avroTypeSet) parseUnion(branches []any, space string, depth int) (*avroType, error) {
	n := &avroType{kind: avroUnion, types: make([]*avroType, len(branches))}
	var err error
	for i, b := range branches {
		if n.types[i], err = s.parse(b, space, depth+1); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (s avroTypeSet) parseNamed(n *avroType, object map[string]any, space string, depth int) error {
	full := fullName(object, space)
	if full == "" {
		return fmt.Errorf("%w has a type without a name", errSchema)
	}
	s[full] = n
	if n.kind == avroFixed {
		size, ok := object["size"].(float64)
		if !ok || size < 0 || size > math.MaxInt32 || size != math.Trunc(size) {
			return fmt.Errorf("%w has a fixed of size %v", errSchema, object["size"])
		}
		n.size = int(size)
	}
	if n.kind != avroRecord {
		return nil
	}
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		space = full[:i]
	} else {
		space = ""
	}
	list, err := recordFields(object)
	if err != nil {
		return err
	}
	n.fields = make([]avroField, len(list))
	for i, f := range list {
		n.fields[i].id = noID
		if id, ok := f["field-id"].(float64); ok && id == math.Trunc(id) && math.Abs(id) < math.MaxInt32 {
			n.fields[i].id = int(id)
		}
		n.fields[i].name, _ = f["name"].(string)
		if n.fields[i].typ, err = s.parse(f["type"], space, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// String is the type's name, for messages.
func (t *avroType) String() string {
	names := make([]string, 0, len(avroKinds))
	for name, kind := range avroKinds {
		if kind == t.kind {
			names = append(names, name)
		}
	}
	switch {
	case t.kind == avroUnion:
		return "union"
	case t.logical != "":
		return slices.Max(names) + " (" + t.logical + ")"
	}
	return slices.Max(names)
}

// label names a field for messages.
func (f *avroField) label(in string) string {
	name := f.name
	if in != "" {
		name = in + "." + name
	}
	if f.id != noID {
		name = fmt.Sprintf("%s (%d)", name, f.id)
	}
	return name
}

// plain is the type itself or, of a union of null and one other type, that.
func (t *avroType) plain() *avroType {
	if t.kind != avroUnion {
		return t
	}
	var one *avroType
	for _, b := range t.types {
		switch {
		case b.kind == avroNull:
		case one != nil:
			return t
		default:
			one = b
		}
	}
	if one == nil {
		return t
	}
	return one
}

// same says whether a value of type t is encoded as one of type u and means
// the same there, so that its bytes may be carried over.
func (t *avroType) same(u *avroType, depth int) bool {
	if depth > maxDepth || !sameLogic(t, u) {
		return false
	}
	if t.kind != u.kind {
		return t.kind == avroInt && u.kind == avroLong || t.kind == avroString && u.kind == avroBytes
	}
	switch t.kind {
	case avroFixed:
		return t.size == u.size
	case avroEnum:
		return false
	case avroArray, avroMap:
		return t.items.same(u.items, depth+1)
	case avroUnion:
		return slices.EqualFunc(t.types, u.types, func(a, b *avroType) bool { return a.same(b, depth+1) })
	case avroRecord:
		return slices.EqualFunc(t.fields, u.fields, func(a, b avroField) bool {
			return a.is(&b) && a.typ.same(b.typ, depth+1)
		})
	}
	return true
}

// sameLogic says whether the logical types let a value mean the same. A type
// without one is taken for what it should be, as old writers left them out.
func sameLogic(t, u *avroType) bool {
	if t.logical == "decimal" && u.logical == "decimal" {
		return t.scale == u.scale
	}
	a, b := strings.TrimPrefix(t.logical, "local-"), strings.TrimPrefix(u.logical, "local-")
	return a == b || a == "" || b == ""
}

// is says whether a field of a source is the field of a layout: by its id or,
// when it has none, by its name.
func (f *avroField) is(target *avroField) bool {
	if f.id != noID {
		return f.id == target.id
	}
	return f.name == target.name || f.name != "" && f.name == listAliases[target.id]
}

// listAliases are the names that older writers gave.
var listAliases = map[int]string{
	504: "added_data_files_count", 505: "existing_data_files_count", 506: "deleted_data_files_count",
}

// find gives the index of the field of a source that is a field of a layout,
// or -1, and an error if there are two.
func (t *avroType) find(target *avroField) (int, error) {
	at := -1
	for i := range t.fields {
		if !t.fields[i].is(target) {
			continue
		}
		if at >= 0 {
			return 0, fmt.Errorf("%w has the field %s twice", errSchema, target.label(""))
		}
		at = i
	}
	return at, nil
}

var errNotAvroRecord = errors.New("the Avro schema is not that of a record")
