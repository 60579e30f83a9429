package manifest

import (
	"fmt"
	"math"
	"strings"
)

// maxInline is how many operations of a record become a part of those of the
// record around it. Larger ones are called, so that a program is never much
// larger than its schema.
const maxInline = 64

// skip appends the operations that step over a value of type t.
func (c *compiler) skip(ops []op, t any, space string, depth int) ([]op, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: %w", errSchema, errDepth)
	}
	if branches, ok := t.([]any); ok {
		return c.union(ops, branches, nil, space, depth)
	}
	name, object := typeName(t)
	switch name {
	case "null":
		return ops, nil
	case "boolean":
		return addSkip(ops, 1), nil
	case "int", "long":
		return addLong(ops), nil
	case "float":
		return addSkip(ops, 4), nil
	case "double":
		return addSkip(ops, 8), nil
	case "string", "bytes":
		return append(ops, op{code: opSkipBytes}), nil
	}
	if object == nil {
		n := c.lookup(name, space)
		if n == nil {
			return nil, fmt.Errorf("%w has the unknown type %q", errSchema, name)
		}
		if n.done && len(n.body) == 0 {
			return ops, nil
		}
		return append(ops, op{code: opCall, named: n}), nil
	}
	switch name {
	case "record", "error":
		return c.skipRecord(ops, object, space, depth)
	case "enum":
		_, err := c.define(object, space, []op{{code: opSkipLongs, n: 1}})
		return addLong(ops), err
	case "fixed":
		size, ok := object["size"].(float64)
		if !ok || size < 0 || size > math.MaxInt32 || size != math.Trunc(size) {
			return nil, fmt.Errorf("%w has a fixed of size %v", errSchema, object["size"])
		}
		_, err := c.define(object, space, addSkip(nil, int64(size)))
		return addSkip(ops, int64(size)), err
	case "array":
		body, err := c.skip(nil, object["items"], space, depth+1)
		return append(ops, array(body)), err
	case "map":
		body, err := c.skip(nil, object["values"], space, depth+1)
		return append(ops, op{code: opMap, body: body}), err
	}
	return nil, fmt.Errorf("%w has the unknown type %q", errSchema, name)
}

// skipRecord defines a record and appends its body.
func (c *compiler) skipRecord(ops []op, object map[string]any, space string, depth int) ([]op, error) {
	n, err := c.define(object, space, nil)
	if err != nil {
		return nil, err
	}
	n.done = false
	list, err := recordFields(object)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if n.body, err = c.skip(n.body, f["type"], n.space, depth+1); err != nil {
			return nil, err
		}
	}
	n.done = true
	if len(n.body) > maxInline {
		return append(ops, op{code: opCall, named: n}), nil
	}
	return append(ops, n.body...), nil
}

// array picks the quick forms for what Iceberg writes: lists of integers,
// and maps written as arrays of a key and a value.
func array(body []op) op {
	var longs int64
	for i, o := range body {
		if o.code == opSkipBytes && longs == 1 && i == len(body)-1 {
			return op{code: opLongBytesArray}
		}
		if o.code != opSkipLongs {
			return op{code: opArray, body: body}
		}
		longs += o.n
	}
	if longs == 0 {
		return op{code: opArray}
	}
	return op{code: opLongsArray, n: longs}
}

func addSkip(ops []op, n int64) []op {
	if n == 0 {
		return ops
	}
	return append(ops, op{code: opSkip, n: n})
}

func addLong(ops []op) []op { return append(ops, op{code: opSkipLongs, n: 1}) }

// define registers a named type.
func (c *compiler) define(object map[string]any, space string, body []op) (*named, error) {
	full := fullName(object, space)
	if full == "" {
		return nil, fmt.Errorf("%w has a type without a name", errSchema)
	}
	n := &named{schema: object, body: body, done: true}
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		n.space = full[:i]
	}
	c.names[full] = n
	return n, nil
}

// lookup finds a named type from inside a namespace.
func (c *compiler) lookup(name, space string) *named {
	if space != "" && !strings.Contains(name, ".") {
		if n := c.names[space+"."+name]; n != nil {
			return n
		}
	}
	return c.names[name]
}

// fullName is the name of a definition with its namespace.
func fullName(object map[string]any, space string) string {
	name, _ := object["name"].(string)
	if ns, ok := object["namespace"].(string); ok {
		space = ns
	}
	if name == "" || space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}

// typeName gives the name of a type that is not a union and, unless that is
// all it is, its definition. Logical types are what they are stored as.
func typeName(t any) (string, map[string]any) {
	for range maxDepth {
		switch v := t.(type) {
		case string:
			return v, nil
		case map[string]any:
			name, ok := v["type"].(string)
			if ok {
				switch name {
				case "record", "error", "enum", "fixed", "array", "map":
					return name, v
				}
				return name, nil
			}
			t = v["type"]
		default:
			return "", nil
		}
	}
	return "", nil
}

func recordFields(schema map[string]any) ([]map[string]any, error) {
	list, ok := schema["fields"].([]any)
	if !ok {
		return nil, fmt.Errorf("%w has a record without fields", errSchema)
	}
	fields := make([]map[string]any, len(list))
	for i, f := range list {
		if fields[i], ok = f.(map[string]any); !ok {
			return nil, fmt.Errorf("%w has a field that is not an object", errSchema)
		}
	}
	return fields, nil
}
