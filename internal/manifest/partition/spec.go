package partition

import (
	"encoding/json"
	"errors"
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
	schema json.RawMessage
}

// NewSpec resolves a partition spec, an object with spec-id and fields, with
// the schemas of the table: a column is looked for in the first, then in the
// next. An error says which field has a column, a transform or a type that is
// not known.
func NewSpec(spec json.RawMessage, schemas []json.RawMessage) (*Spec, error) {
	return nil, errors.New("not yet")
}

// ID is the id of the spec.
func (s *Spec) ID() int32 { return s.id }

// Fields are the fields in their order; not to be changed.
func (s *Spec) Fields() []Field { return s.fields }

// AppendKey appends to dst a key of the partition of which the order as bytes
// is that of the partitions, by the fields with the given indexes, one after
// the other, or by all fields in their order when there are none given. Nulls
// come first. Equal keys are equal partitions. An error says that the
// partition is not one of this spec.
func (s *Spec) AppendKey(dst, partition []byte, fields ...int) ([]byte, error) {
	return dst, errors.New("not yet")
}
