package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	// maxDepth of objects and lists; policies have two levels.
	maxDepth = 16
	// maxContent in bytes that is read.
	maxContent = 1 << 20
)

// member is one key of a JSON object, with its value: a string, json.Number, bool,
// nil, []any or object.
type member struct {
	key   string
	value any
}

// object is a JSON object in the order in which it is written. No key is there
// twice.
type object []member

// readObject reads one JSON object and nothing after it. encoding/json would take
// the last of several equal keys, and what cannot be read as a letter for another.
func readObject(data []byte) (object, error) {
	switch {
	case len(data) > maxContent:
		return nil, fmt.Errorf("it is longer than %d bytes", maxContent)
	case !utf8.Valid(data):
		return nil, errors.New("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	value, err := readValue(dec, 0)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("it is not JSON: it ends too early")
		}
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return nil, fmt.Errorf("it is not JSON: %w, at byte %d", err, dec.InputOffset())
		}
		return nil, err
	}
	members, isObject := value.(object)
	if !isObject {
		return nil, fmt.Errorf("want a JSON object, as in {\"key\": value}, not %s", describe(value))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}

func readValue(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, opens := token.(json.Delim)
	if !opens {
		return token, nil
	}
	if depth == maxDepth {
		return nil, errors.New("it is nested too deep")
	}
	if delim == '[' {
		return readList(dec, depth+1)
	}
	return readMembers(dec, depth+1)
}

func readList(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		item, err := readValue(dec, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := dec.Token()
	return list, err
}

func readMembers(dec *json.Decoder, depth int) (any, error) {
	members, seen := object{}, map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, isText := token.(string)
		if !isText {
			return nil, errors.New("it is not JSON: a key must be a text")
		}
		if seen[key] {
			return nil, fmt.Errorf("key %s is there twice", quote(key))
		}
		seen[key] = true
		value, err := readValue(dec, depth)
		if err != nil {
			return nil, err
		}
		members = append(members, member{key, value})
	}
	_, err := dec.Token()
	return members, err
}

// describe a value for a message.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "the text " + quote(v)
	case json.Number:
		return "the number " + shorten(v.String())
	case bool:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	}
	return "an object"
}

// maxShown is how many letters of a text of others a message shows.
const maxShown = 80

func shorten(text string) string {
	if runes := []rune(text); len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return text
}

func quote(text string) string { return fmt.Sprintf("%q", shorten(text)) }
