package metastore

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

var errManifestData = errors.New("the manifest in the row is not what Iceberg's ManifestFiles.encode writes")

// manifestPath reads the path of a manifest from what Iceberg's
// ManifestFiles.encode made, in base64: the bytes C2 01, the Avro schema in JSON
// as Java's DataOutput.writeUTF writes it (two bytes of length, big-endian, and
// that many bytes), and one record of that schema in Avro's binary encoding. The
// path is the field with Iceberg's id 500, the first one in every release; what
// follows it is not looked at.
//
// Source: org.apache.iceberg.avro.AvroEncoderUtil and GenericManifestFile of
// Iceberg 1.0 to 1.11.
func manifestPath(encoded string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(data) < 4 || data[0] != 0xC2 || data[1] != 0x01 {
		return "", errManifestData
	}
	length := int(binary.BigEndian.Uint16(data[2:]))
	if len(data) < 4+length {
		return "", errManifestData
	}
	var schema struct {
		Fields []avroField `json:"fields"`
	}
	if json.Unmarshal(data[4:4+length], &schema) != nil {
		return "", fmt.Errorf("%w: its schema is not JSON", errManifestData)
	}
	record := avroRecord{data[4+length:]}
	for _, field := range schema.Fields {
		if field.ID != fieldManifestPath {
			if !record.skip(field.Type) {
				break
			}
			continue
		}
		if path, ok := record.text(); ok && string(field.Type) == `"string"` && len(path) > 0 {
			return string(path), nil
		}
		break
	}
	return "", fmt.Errorf("%w: it has no path", errManifestData)
}

// fieldManifestPath is the id that the Iceberg specification gives the path.
const fieldManifestPath = 500

type avroField struct {
	ID   int             `json:"field-id"`
	Type json.RawMessage `json:"type"`
}

// avroRecord is what is left of a record in Avro's binary encoding.
type avroRecord struct{ left []byte }

func (r *avroRecord) long() (int64, bool) {
	value, n := binary.Varint(r.left) // Avro's zigzag is Go's
	if n <= 0 {
		return 0, false
	}
	r.left = r.left[n:]
	return value, true
}

func (r *avroRecord) text() ([]byte, bool) {
	length, ok := r.long()
	if !ok || length < 0 || length > int64(len(r.left)) {
		return nil, false
	}
	text := r.left[:length]
	r.left = r.left[length:]
	return text, true
}

// skip steps over a value of a plain type. false: it cannot.
func (r *avroRecord) skip(kind json.RawMessage) (ok bool) {
	switch string(kind) {
	case `"int"`, `"long"`:
		_, ok = r.long()
	case `"string"`, `"bytes"`:
		_, ok = r.text()
	}
	return ok
}
