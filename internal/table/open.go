package table

import (
	"context"
	"errors"
	"fmt"
	"io"

	"deckhand/internal/manifest"
	"deckhand/internal/storage"
)

// OpenManifest opens a manifest that a list names. One that is shorter than the
// list says is a [manifest.CorruptError], from here where the store tells the size
// and else from reading on at its end: an Avro file that is cut between two blocks
// looks whole from the inside. For the other errors see [StateOf].
func OpenManifest(ctx context.Context, from Opener, m *manifest.ListEntry) (io.ReadCloser, error) {
	body, info, err := openPath(ctx, from, m.Path)
	if err != nil {
		return nil, err
	}
	whole := &wholeBody{ReadCloser: body, name: m.Path, length: m.Length}
	if info.Size >= 0 && info.Size < m.Length {
		_ = body.Close()
		return nil, whole.tooShort(info.Size)
	}
	return whole, nil
}

func openPath(ctx context.Context, from Opener, path string) (io.ReadCloser, storage.Info, error) {
	location, err := storage.Parse(path)
	if err != nil {
		return nil, storage.Info{}, err
	}
	return from.Open(ctx, location)
}

// wholeBody fails at an end that comes before the length.
type wholeBody struct {
	io.ReadCloser
	name    string
	length  int64
	already int64
}

func (w *wholeBody) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.already += int64(n)
	if errors.Is(err, io.EOF) && w.already < w.length {
		err = w.tooShort(w.already)
	}
	return n, err
}

func (w *wholeBody) tooShort(size int64) error {
	return &manifest.CorruptError{Name: w.name, Offset: size,
		Err: fmt.Errorf("it has %d bytes, the manifest list says %d", size, w.length)}
}
