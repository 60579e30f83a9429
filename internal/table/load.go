package table

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"deckhand/internal/storage"
)

// Opener opens objects for streaming. [storage.Session] is one.
type Opener interface {
	Open(ctx context.Context, l storage.Location) (io.ReadCloser, storage.Info, error)
}

// Load reads the metadata file at a location, gzip-compressed or not. The error
// is that of the store, or wraps [ErrCorrupt], [ErrEncrypted] or
// [ErrNewerFormat].
func Load(ctx context.Context, from Opener, l storage.Location) (*Metadata, error) {
	var metadata *Metadata
	size, err := readJSON(ctx, from, l, func(dec *json.Decoder) (err error) {
		metadata, err = decodeMetadata(dec)
		return err
	})
	if err != nil {
		return nil, err
	}
	metadata.Size = size
	return metadata, nil
}

// Parse reads a table's metadata that came as part of something else, such as
// the answer of a catalog: one JSON object, not compressed. The error is that of
// r, or wraps [ErrCorrupt], [ErrEncrypted] or [ErrNewerFormat].
func Parse(r io.Reader) (*Metadata, error) {
	source := &failingReader{r: r}
	var metadata *Metadata
	err := decodeWhole(source, func(dec *json.Decoder) (err error) {
		metadata, err = decodeMetadata(dec)
		return err
	})
	if err := readFailure("metadata", source, err); err != nil {
		return nil, err
	}
	return metadata, nil
}

// readFailure tells a source that failed from a file that is not what it should
// be.
func readFailure(what string, source *failingReader, err error) error {
	switch {
	case err == nil:
		return nil
	case source.err != nil:
		return fmt.Errorf("read metadata: %w", source.err)
	case errors.Is(err, ErrEncrypted), errors.Is(err, ErrNewerFormat):
		return fmt.Errorf("read %s: %w", what, err)
	default:
		return fmt.Errorf("read %s: %w: %w", what, ErrCorrupt, err)
	}
}

// readJSON opens a metadata file, inflates it where its first bytes are those of
// gzip (its name does not tell: writers disagree), and hands it to decode.
func readJSON(ctx context.Context, from Opener, l storage.Location, decode func(*json.Decoder) error) (int64, error) {
	body, info, err := from.Open(ctx, l)
	if err != nil {
		return 0, fmt.Errorf("open metadata: %w", err)
	}
	defer func() { _ = body.Close() }()
	source := &failingReader{r: body}
	text, err := inflate(source)
	if err == nil {
		err = decodeWhole(text, decode)
	}
	if err := readFailure(l.String(), source, err); err != nil {
		return 0, err
	}
	return max(info.Size, 0), nil
}

// maxMetadata bounds a metadata file in bytes, inflated: a small compressed one
// must not fill the memory.
const maxMetadata = 512 << 20

// decodeWhole decodes one object and reads on to the end, where a damaged file
// shows: only there is the checksum of gzip compared.
func decodeWhole(text io.Reader, decode func(*json.Decoder) error) error {
	limited := &io.LimitedReader{R: text, N: maxMetadata}
	dec := json.NewDecoder(limited)
	if err := decode(dec); err != nil {
		if limited.N <= 0 {
			return fmt.Errorf("it is larger than %d MiB", maxMetadata>>20)
		}
		return err
	}
	rest := bufio.NewReader(io.MultiReader(dec.Buffered(), limited))
	for {
		c, err := rest.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case c != ' ' && c != '\n' && c != '\r' && c != '\t':
			return fmt.Errorf("%q follows the object", c)
		}
	}
}

func inflate(source io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(source, 64<<10)
	if magic, _ := buffered.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		return gzip.NewReader(buffered)
	}
	return buffered, nil
}

// failingReader remembers an error that was the source's own and not its end.
type failingReader struct {
	r   io.Reader
	err error
}

func (f *failingReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
