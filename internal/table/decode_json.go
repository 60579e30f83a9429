package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// decodeObject walks the keys of one object, so that a large metadata file is
// never held as a whole. value must consume the key's value.
func decodeObject(dec *json.Decoder, value func(key string) error) error {
	if err := expect(dec, json.Delim('{')); err != nil {
		return err
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if err := value(key); err != nil {
			return fmt.Errorf("field %s: %w", key, err)
		}
	}
	return expect(dec, json.Delim('}'))
}

// decodeArray walks the elements of an array; null is an empty one.
func decodeArray(dec *json.Decoder, element func() error) error {
	token, err := dec.Token()
	switch {
	case err != nil:
		return err
	case token == nil:
		return nil
	case token != json.Delim('['):
		return fmt.Errorf("want a list, found %v", token)
	}
	for dec.More() {
		if err := element(); err != nil {
			return err
		}
	}
	return expect(dec, json.Delim(']'))
}

func expect(dec *json.Decoder, want json.Delim) error {
	token, err := dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if token != want {
		return fmt.Errorf("want %v, found %v", want, token)
	}
	return nil
}

// skipValue steps over one value token by token, whatever its size.
func skipValue(dec *json.Decoder) error {
	for depth := 0; ; {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
