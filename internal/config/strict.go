package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"deckhand/internal/spelling"
)

// strictness checks a YAML tree against the type it is decoded into, and
// collects every mistake with its line. The decoder would find them too, but
// names Go types instead of keys and shows values, which may be secrets.
type strictness struct {
	file     string
	mistakes []error
}

func (s *strictness) report(node *yaml.Node, format string, args ...any) {
	s.mistakes = append(s.mistakes, fmt.Errorf("%s:%d: %s", s.file, node.Line, fmt.Sprintf(format, args...)))
}

// check compares node with t; path names the node for people.
func (s *strictness) check(node *yaml.Node, t reflect.Type, path string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if node.Tag == "!!null" {
		return
	}
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()):
		if err := node.Decode(reflect.New(t).Interface()); err != nil {
			s.report(node, "%s: %v", path, err)
		}
	case t.Kind() == reflect.Struct:
		s.checkStruct(node, t, path)
	case t.Kind() == reflect.Map:
		s.eachPair(node, path, func(key, value *yaml.Node) { s.check(value, t.Elem(), join(path, key.Value)) })
	case t.Kind() == reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			s.report(node, "%s: want a list, as in [a, b]", path)
			return
		}
		for i, item := range node.Content {
			s.check(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		if node.Kind != yaml.ScalarNode || node.Decode(reflect.New(t).Interface()) != nil {
			s.report(node, "%s: want %s", path, want(t))
		}
	}
}

func want(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration with its unit, for instance 25s or 15m"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return "a whole number"
	}
	return "a text"
}

func (s *strictness) checkStruct(node *yaml.Node, t reflect.Type, path string) {
	fields, names := map[string]reflect.Type{}, []string(nil)
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" && name != "-" {
			fields[name] = t.Field(i).Type
			names = append(names, name)
		}
	}
	s.eachPair(node, path, func(key, value *yaml.Node) {
		if field, known := fields[key.Value]; known {
			s.check(value, field, join(path, key.Value))
			return
		}
		hint := "known here are " + strings.Join(names, ", ")
		if near := spelling.Nearest(key.Value, names); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		s.report(key, "unknown key %q; %s", join(path, key.Value), hint)
	})
}

// eachPair visits a mapping's keys and finds those that are there twice.
func (s *strictness) eachPair(node *yaml.Node, path string, visit func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		if path == "" {
			path = "the file"
		}
		s.report(node, "%s: want a mapping, as in {key: value}", path)
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			s.report(key, "%s: a key must be a text", path)
			continue
		}
		if key.Tag == "!!merge" {
			s.report(key, "%s: merging with << is not supported; write the keys themselves", path)
			continue
		}
		if line, twice := lines[key.Value]; twice {
			s.report(key, "key %q is there twice, the first is in line %d", join(path, key.Value), line)
			continue
		}
		lines[key.Value] = key.Line
		visit(key, value)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
