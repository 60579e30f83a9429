package maintenancetest

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Object is JSON as a catalog has it: a part of metadata, an update, an answer.
type Object = map[string]any

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// decode keeps numbers as they are written: snapshot ids have 64 bits.
func decode(data []byte, into any) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		panic(err)
	}
}

func text(v any) string { return fmt.Sprint(v) }

// number is 0 for what is not there.
func number(v any) (n int64) {
	if v != nil {
		_, _ = fmt.Sscan(text(v), &n)
	}
	return n
}
