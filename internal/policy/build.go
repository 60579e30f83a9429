package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// emptySettings of each kind.
var emptySettings = map[Kind]Settings{ExpireKind: Expire{}, OrphansKind: Orphans{}, ManifestsKind: Manifests{}, CompactKind: Compact{}}

// build makes the settings of a kind of what was given.
func build(kind Kind, values map[string]given) Settings {
	settings := reflect.New(reflect.TypeOf(emptySettings[kind])).Elem()
	fill(settings, values)
	return settings.Interface().(Settings)
}

// fill sets the fields whose keys are given; others stay as they are.
func fill(settings reflect.Value, values map[string]given) {
	for name, field := range fields(settings) {
		if v, found := values[name]; found {
			set(field, v.value)
		}
	}
}

// fields by their keys, in the order of the struct.
func fields(settings reflect.Value) func(yield func(string, reflect.Value) bool) {
	return func(yield func(string, reflect.Value) bool) {
		for i := range settings.NumField() {
			if key := settings.Type().Field(i).Tag.Get("key"); key != "" && !yield(key, settings.Field(i)) {
				return
			}
		}
	}
}

// set a field to a parsed value; the types of keys and fields are held to each
// other by a test.
func set(field reflect.Value, value any) {
	if ago, isDuration := value.(time.Duration); isDuration && (field.Type() == reflect.TypeFor[*Age]()) {
		value = Age{Ago: ago}
	}
	v := reflect.ValueOf(value)
	if field.Kind() == reflect.Pointer && v.Type() != field.Type() {
		p := reflect.New(field.Type().Elem())
		p.Elem().Set(v.Convert(field.Type().Elem()))
		field.Set(p)
		return
	}
	field.Set(v.Convert(field.Type()))
}

// params are the fields that are set, as JSON.
func params(settings Settings) json.RawMessage {
	var b bytes.Buffer
	for name, field := range fields(reflect.ValueOf(settings)) {
		if field.IsZero() {
			continue
		}
		value := reflect.Indirect(field).Interface()
		if age, isAge := value.(Age); isAge && !age.Before.IsZero() {
			name = "older-than" // the spelling that takes a time
		}
		switch value.(type) {
		case int, int64, float64, bool, []int64, []string:
		default:
			value = format(value)
		}
		b.WriteByte(separator(b.Len()))
		// Numbers, lists and texts always encode.
		encodedName, _ := json.Marshal(name)
		encoded, _ := json.Marshal(value)
		b.Write(encodedName)
		b.WriteByte(':')
		b.Write(encoded)
	}
	if b.Len() == 0 {
		return json.RawMessage("{}")
	}
	b.WriteByte('}')
	return b.Bytes()
}

func separator(written int) byte {
	if written == 0 {
		return '{'
	}
	return ','
}

// format a value as text that its type's parse reads again.
func format(value any) string {
	switch v := value.(type) {
	case time.Duration:
		return formatDuration(v)
	case Age:
		if !v.Before.IsZero() {
			return v.Before.UTC().Format(time.RFC3339Nano)
		}
		return formatDuration(v.Ago)
	case []int64:
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]")
	case []string:
		return strings.Join(v, ",")
	case map[string]string:
		return formatPairs(v)
	}
	return fmt.Sprint(value)
}

// formatPairs writes "a,b=c; d=e", sorted.
func formatPairs(pairs map[string]string) string {
	names := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		names[pairs[name]] = append(names[pairs[name]], name)
	}
	var parts []string
	for _, meaning := range slices.Sorted(maps.Keys(names)) {
		parts = append(parts, strings.Join(names[meaning], ",")+"="+meaning)
	}
	return strings.Join(parts, "; ")
}
