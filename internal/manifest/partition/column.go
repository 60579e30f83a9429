package partition

import (
	"encoding/json"
	"errors"
)

// maxDepth bounds how deeply a schema may be nested.
const maxDepth = 64

// typeJSON is a nested type of a schema: a struct, a list or a map.
type typeJSON struct {
	Type   string `json:"type"`
	Fields []struct {
		ID   int             `json:"id"`
		Type json.RawMessage `json:"type"`
	} `json:"fields"`
	ElementID int             `json:"element-id"`
	Element   json.RawMessage `json:"element"`
	KeyID     int             `json:"key-id"`
	Key       json.RawMessage `json:"key"`
	ValueID   int             `json:"value-id"`
	Value     json.RawMessage `json:"value"`
}

// collect adds the types of all columns of a schema, nested ones too, by id.
func collect(raw json.RawMessage, into map[int]json.RawMessage, depth int) error {
	if depth > maxDepth {
		return errors.New("types are nested too deeply")
	}
	if len(raw) == 0 || raw[0] == '"' {
		return nil
	}
	var t typeJSON
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	add := func(id int, nested json.RawMessage) error {
		into[id] = nested
		return collect(nested, into, depth+1)
	}
	switch t.Type {
	case "struct":
		for _, f := range t.Fields {
			if err := add(f.ID, f.Type); err != nil {
				return err
			}
		}
	case "list":
		return add(t.ElementID, t.Element)
	case "map":
		if err := add(t.KeyID, t.Key); err != nil {
			return err
		}
		return add(t.ValueID, t.Value)
	}
	return nil
}
