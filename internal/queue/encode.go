package queue

import (
	"bytes"
	"encoding/json"
)

// encode is json.Marshal without the escapes for HTML, which would make one
// character of a location six.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
