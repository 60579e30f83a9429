package table

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"deckhand/internal/storage"
)

// MaxFormatVersion is the newest Iceberg table format that is understood.
const MaxFormatVersion = 3

var (
	// ErrCorrupt: the file can be read, but is not what it should be.
	ErrCorrupt = errors.New("damaged metadata file")
	// ErrEncrypted: the table's metadata is encrypted and cannot be followed.
	ErrEncrypted = errors.New("the table is encrypted, and Deckhand has no key to read its manifests")
	// ErrNewerFormat: the table's format is newer than [MaxFormatVersion].
	ErrNewerFormat = errors.New("the table format is newer than this version of Deckhand knows")
)

// Opener opens objects for streaming. [storage.Session] is one.
type Opener interface {
	Open(ctx context.Context, l storage.Location) (io.ReadCloser, storage.Info, error)
}

// Metadata is what a table's root metadata file says about its files. Field
// names follow the Iceberg table spec, appendix C.
type Metadata struct {
	FormatVersion int
	// UUID is empty in some v1 tables.
	UUID       string
	Location   string
	Properties map[string]string
	Snapshots  []Snapshot
	// MetadataLog names the earlier metadata files, oldest first.
	MetadataLog []string
	// Statistics and PartitionStatistics name the files of every snapshot.
	Statistics          []StatisticsFile
	PartitionStatistics []StatisticsFile
	// Size of the metadata file as stored, in bytes; 0 when the store does not
	// tell.
	Size int64
}

// Snapshot is what a snapshot says about its files.
type Snapshot struct {
	// ManifestList is empty in v1 tables that name their manifests inline.
	ManifestList string
	// Manifests are those inline names.
	Manifests []string
}

// StatisticsFile is a Puffin file of statistics, or a file of partition
// statistics.
type StatisticsFile struct {
	Path string
	// Size in bytes, as the metadata says.
	Size int64
}

// Locations are where the table keeps its files: its location and the paths
// that its properties set for data and for metadata, without repeats.
func (m *Metadata) Locations() []string {
	var locations []string
	for _, l := range []string{m.Location, m.Properties["write.data.path"], m.Properties["write.metadata.path"]} {
		repeated := false
		for _, have := range locations {
			repeated = repeated || have == l
		}
		if l != "" && !repeated {
			locations = append(locations, l)
		}
	}
	return locations
}

// ManifestLists are the lists that the snapshots name, each once by whatever
// spelling, in the order of the snapshots.
func (m *Metadata) ManifestLists() []string {
	var lists []string
	for _, snapshot := range m.Snapshots {
		if snapshot.ManifestList != "" {
			lists = append(lists, snapshot.ManifestList)
		}
	}
	return Distinct(lists)
}

// GCEnabled reports whether the table owns its files. Like Iceberg's Java
// library it takes every value but "true" for false.
func (m *Metadata) GCEnabled() bool {
	value, set := m.Properties["gc.enabled"]
	return !set || strings.EqualFold(value, "true")
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
	switch {
	case err == nil:
		return max(info.Size, 0), nil
	case source.err != nil: // the store failed, not the file
		return 0, fmt.Errorf("read metadata: %w", source.err)
	case errors.Is(err, ErrEncrypted), errors.Is(err, ErrNewerFormat):
		return 0, fmt.Errorf("read %s: %w", l, err)
	default:
		return 0, fmt.Errorf("read %s: %w: %w", l, ErrCorrupt, err)
	}
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

func decodeMetadata(dec *json.Decoder) (*Metadata, error) {
	m := &Metadata{}
	encrypted, isTable := false, false
	err := decodeObject(dec, func(key string) error {
		switch key {
		case "format-version":
			return dec.Decode(&m.FormatVersion)
		case "table-uuid":
			return dec.Decode(&m.UUID)
		case "location":
			return dec.Decode(&m.Location)
		case "properties":
			return dec.Decode(&m.Properties)
		case "snapshots":
			return decodeArray(dec, func() error {
				snapshot, err := decodeSnapshot(dec)
				encrypted = encrypted || snapshot.encrypted
				m.Snapshots = append(m.Snapshots, snapshot.Snapshot)
				return err
			})
		case "metadata-log":
			return decodeArray(dec, func() error {
				var entry struct {
					File string `json:"metadata-file"`
				}
				err := dec.Decode(&entry)
				if entry.File != "" {
					m.MetadataLog = append(m.MetadataLog, entry.File)
				}
				return err
			})
		case "statistics":
			return decodeStatistics(dec, &m.Statistics)
		case "partition-statistics":
			return decodeStatistics(dec, &m.PartitionStatistics)
		case "encryption-keys":
			return decodeArray(dec, func() error {
				encrypted = true
				return skipValue(dec)
			})
		case "last-column-id": // every table has one, no view has
			isTable = true
			return skipValue(dec)
		default:
			return skipValue(dec)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case !isTable:
		return nil, errors.New("last-column-id is missing: this is not a table's metadata")
	case m.FormatVersion > MaxFormatVersion:
		return nil, fmt.Errorf("%w: it is v%d, known is up to v%d", ErrNewerFormat, m.FormatVersion, MaxFormatVersion)
	case m.FormatVersion < 1:
		return nil, errors.New("format-version is missing: this is not a table's metadata")
	case m.Location == "":
		return nil, errors.New("location is missing: this is not a table's metadata")
	case encrypted, m.Properties["encryption.key-id"] != "":
		return nil, ErrEncrypted
	}
	return m, nil
}

type decodedSnapshot struct {
	Snapshot
	encrypted bool
}

func decodeSnapshot(dec *json.Decoder) (decodedSnapshot, error) {
	var raw struct {
		ManifestList string   `json:"manifest-list"`
		Manifests    []string `json:"manifests"`
		KeyID        string   `json:"key-id"`
	}
	err := dec.Decode(&raw)
	if err == nil && raw.ManifestList == "" && raw.Manifests == nil {
		err = errors.New("a snapshot names neither a manifest list nor manifests")
	}
	return decodedSnapshot{
		Snapshot:  Snapshot{ManifestList: raw.ManifestList, Manifests: raw.Manifests},
		encrypted: raw.KeyID != "",
	}, err
}

func decodeStatistics(dec *json.Decoder, into *[]StatisticsFile) error {
	return decodeArray(dec, func() error {
		var raw struct {
			Path string `json:"statistics-path"`
			Size int64  `json:"file-size-in-bytes"`
		}
		err := dec.Decode(&raw)
		*into = append(*into, StatisticsFile{Path: raw.Path, Size: raw.Size})
		return err
	})
}

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
