package warehouse

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
)

// keys are those of a table's objects. All tables of an hour have some millions, which
// are asked for twice: they are kept compressed.
type keys struct {
	loose  []string
	packed []byte
}

// add one, before they are packed.
func (k *keys) add(key string) { k.loose = append(k.loose, key) }

// between stands between two keys: none has it.
const between = "\x00"

// pack compresses them. Writing into memory does not fail, nor does reading from it
// again: what would is a mistake that must not look like fewer keys.
func (k *keys) pack() {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = io.WriteString(w, strings.Join(k.loose, between))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("pack keys: " + err.Error())
	}
	k.loose, k.packed = nil, bytes.Clone(b.Bytes())
}

// all of them, once they are packed.
func (k *keys) all() []string {
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(k.packed)))
	if err != nil {
		panic("unpack keys: " + err.Error())
	}
	return strings.Split(string(text), between)
}
