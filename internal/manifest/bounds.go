package manifest

import (
	"sync"

	"deckhand/internal/manifest/partition"
)

// Columns of a position delete file, of which a manifest may have bounds: the
// reserved field ids of the Iceberg table specification.
const ColumnFilePath = 2147483546

// Ids of fields.
const (
	lowerBounds    = 125
	upperBounds    = 128
	listPartitions = 507
)

// Bounds gives the bounds of a column as the entry has them, in single-value
// serialisation, nil where it has none. They may be cut short, and the upper
// one be rounded up. They point into e.Bytes.
func (e *Transcript) Bounds(column int) (lower, upper []byte) {
	c := cursor{in: e.Bytes}
	fields := e.Layout.entry.fields
	for i := range fields[:len(fields)-1] {
		if c.skip(fields[i].typ, 0) != nil {
			return nil, nil
		}
	}
	for i := range e.Layout.file.fields {
		f := &e.Layout.file.fields[i]
		at := c.in
		if c.skip(f.typ, 0) != nil {
			return nil, nil
		}
		value := cursor{in: at[:len(at)-len(c.in)]}
		switch f.id {
		case lowerBounds:
			lower = value.lookUp(column)
		case upperBounds:
			return lower, value.lookUp(column)
		}
	}
	return lower, nil
}

// lookUp finds a key in a map of integers to bytes that may be null, as it is
// in a layout.
func (c *cursor) lookUp(key int) []byte {
	if branch, err := c.long(); err != nil || branch != 1 {
		return nil
	}
	var found []byte
	_ = c.items(nil, func() error {
		k, err := c.long()
		if err != nil {
			return err
		}
		b, err := c.text()
		if k == int64(key) {
			found = b
		}
		return err
	})
	return found
}

// text takes a string or bytes.
func (c *cursor) text() ([]byte, error) {
	n, err := c.long()
	if err != nil {
		return nil, err
	}
	return c.take(n)
}

// listTypes are the types of the entries of the lists that are written, by
// format version less one.
var listTypes = sync.OnceValue(func() [newestVersion]*avroType {
	var types [newestVersion]*avroType
	for i := range types {
		t, err := parseAvro(listSchema(i + 1))
		if err != nil {
			panic(err) // the schema is a constant
		}
		types[i] = t
	}
	return types
})

// Partitions gives the summaries of the manifest's partitions by the list, one
// for each field of its spec. They are nil when the list has none.
func (k *Kept) Partitions() ([]partition.Summary, error) {
	c := cursor{in: k.encoded}
	for _, f := range listTypes()[k.version-1].fields {
		if f.id == listPartitions {
			return c.summaries()
		}
		if err := c.skip(f.typ, 0); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// summaries takes a union of null and a list of field summaries.
func (c *cursor) summaries() ([]partition.Summary, error) {
	if branch, err := c.long(); err != nil || branch != 1 {
		return nil, err
	}
	list := []partition.Summary{}
	err := c.items(nil, func() error {
		var s partition.Summary
		var err error
		if s.ContainsNull, err = c.boolean(); err != nil {
			return err
		}
		if known, err := c.long(); err != nil {
			return err
		} else if known == 1 {
			if s.ContainsNaN, err = c.boolean(); err != nil {
				return err
			}
		}
		for _, bound := range []*[]byte{&s.Lower, &s.Upper} {
			known, err := c.long()
			if err == nil && known == 1 {
				*bound, err = c.text()
			}
			if err != nil {
				return err
			}
		}
		list = append(list, s)
		return nil
	})
	return list, err
}

func (c *cursor) boolean() (bool, error) {
	b, err := c.take(1)
	return err == nil && b[0] != 0, err
}
