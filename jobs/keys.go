package jobs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// jobKeys are the JSON names of a job's fields, by their small letters.
var jobKeys = func() map[string]string {
	keys := map[string]string{}
	for i := range reflect.TypeFor[Job]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[Job]().Field(i).Tag.Get("json"), ",")
		keys[strings.ToLower(name)] = name
	}
	return keys
}()

// checkKeys refuses a job in which a key of the contract appears twice or in
// other letters. encoding/json would take the last of two, and "Dry_Run" for
// dry_run; another reader may see another job in the same bytes, and a job that
// can be read in two ways must not delete.
func checkKeys(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if _, err := dec.Token(); err != nil {
		return fieldError("body", "%v", err)
	}
	var seen [32]string
	used := 0
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return fieldError("body", "%v", err)
		}
		key, _ := token.(string)
		if known := jobKeys[strings.ToLower(key)]; known != "" {
			if known != key {
				return fieldError(key, "is written %s", known)
			}
			for _, earlier := range seen[:used] {
				if earlier == key {
					return fieldError(key, "appears twice")
				}
			}
			seen[used] = key
			used++
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return fieldError("body", "%v", err)
		}
	}
	return nil
}
