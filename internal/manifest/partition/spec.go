package partition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Field is one field of a partition.
type Field struct {
	ID   int    // 1000 and up
	Name string // as in the spec
	Type Type   // of the transformed value
}

// Spec is a partition spec with the types of its fields. Partitions are given
// and taken in Avro's binary encoding: a record of the fields in their order,
// each a union of null and the type. It does not change and may be used by
// several goroutines at once.
type Spec struct {
	id     int32
	fields []Field
	json   []byte // its fields, as in a manifest's header
	schema []byte
}

// firstID is the id of the first field where a spec does not say, as in v1.
const firstID = 1000

type specJSON struct {
	ID     int32           `json:"spec-id"`
	Fields json.RawMessage `json:"fields"`
}

type fieldJSON struct {
	Source    *int   `json:"source-id"`
	Sources   []int  `json:"source-ids"`
	ID        *int   `json:"field-id"`
	Name      string `json:"name"`
	Transform string `json:"transform"`
}

// NewSpec resolves a partition spec with the schemas of the table: a column
// is looked for in the first, then in the next. The spec is an object with
// spec-id and fields or, as in old v1 metadata, only the list of fields, which
// is spec 0. An error says which field has a column, a transform or a type
// that is not known.
func NewSpec(spec json.RawMessage, schemas []json.RawMessage) (*Spec, error) {
	var s specJSON
	if trimmed := bytes.TrimSpace(spec); len(trimmed) > 0 && trimmed[0] == '[' {
		s.Fields = trimmed
	} else if err := json.Unmarshal(spec, &s); err != nil {
		return nil, fmt.Errorf("read partition spec: %w", err)
	}
	var list []fieldJSON
	if err := json.Unmarshal(s.Fields, &list); err != nil {
		return nil, fmt.Errorf("read fields of partition spec %d: %w", s.ID, err)
	}
	if len(schemas) == 0 {
		return nil, errors.New("resolve partition spec: there is no schema")
	}
	columns := make([]map[int]json.RawMessage, len(schemas))
	for i, schema := range schemas {
		columns[i] = map[int]json.RawMessage{}
		if err := collect(schema, columns[i], 0); err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
	}
	resolved := &Spec{id: s.ID, fields: make([]Field, len(list))}
	deepest := 0
	for i, f := range list {
		field, at, err := f.resolve(columns)
		if err != nil {
			return nil, fmt.Errorf("partition field %q of spec %d: %w", f.Name, s.ID, err)
		}
		if f.ID == nil {
			field.ID = firstID + i
		}
		resolved.fields[i] = field
		deepest = max(deepest, at)
	}
	var fields, schema bytes.Buffer
	if err := json.Compact(&fields, s.Fields); err != nil {
		return nil, fmt.Errorf("read fields of partition spec %d: %w", s.ID, err)
	}
	if err := json.Compact(&schema, schemas[deepest]); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	resolved.json, resolved.schema = fields.Bytes(), schema.Bytes()
	return resolved, nil
}

// resolve gives the field, and the index of the schema that has its column.
func (f fieldJSON) resolve(columns []map[int]json.RawMessage) (Field, int, error) {
	field := Field{Name: f.Name}
	if f.Name == "" {
		return field, 0, errors.New("it has no name")
	}
	if f.ID != nil {
		field.ID = *f.ID
	}
	source, err := f.source()
	if err != nil {
		return field, 0, err
	}
	transform := strings.ToLower(f.Transform)
	for at, c := range columns {
		raw, ok := c[source]
		if !ok {
			continue
		}
		if field.Type, err = result(transform, raw); err != nil {
			return field, 0, fmt.Errorf("column %d: %w", source, err)
		}
		return field, at, nil
	}
	if transform == "void" {
		return field, 0, nil
	}
	return field, 0, fmt.Errorf("no schema of the table has column %d", source)
}

func (f fieldJSON) source() (int, error) {
	switch {
	case f.Source != nil:
		return *f.Source, nil
	case len(f.Sources) == 1:
		return f.Sources[0], nil
	}
	return 0, fmt.Errorf("a transform of %d columns is not known", len(f.Sources))
}

// result is the type that a transform gives.
func result(transform string, column json.RawMessage) (Type, error) {
	name, _, _ := strings.Cut(transform, "[")
	switch name {
	case "bucket", "year", "month", "hour":
		return Type{Kind: Int}, nil
	case "day":
		return Type{Kind: Date}, nil
	case "identity", "truncate", "void":
		return parseType(column)
	}
	return Type{}, fmt.Errorf("the transform %q is unknown", transform)
}

// ID is the id of the spec.
func (s *Spec) ID() int32 { return s.id }

// Fields are the fields in their order; not to be changed.
func (s *Spec) Fields() []Field { return s.fields }

// JSON is the list of the fields, as in the header of a manifest.
func (s *Spec) JSON() []byte { return s.json }

// Schema is the first schema of the table that has the columns of all fields.
func (s *Spec) Schema() []byte { return s.schema }
