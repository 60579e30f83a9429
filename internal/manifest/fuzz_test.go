package manifest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// addSeeds gives a fuzzer the small files of a kind from the zoo.
func addSeeds(f *testing.F, kind string) {
	z := zoo(f)
	seen := map[int]bool{}
	for _, table := range z.tables {
		for _, file := range table.Files {
			if b := z.object(f, file.Path); file.Kind == kind && len(b) < 9000 && !seen[len(b)/50] {
				seen[len(b)/50] = true
				f.Add(b)
				f.Add(unpacked(f, b))
			}
		}
	}
}

// unpacked is the same file with the codec null, which a fuzzer can change
// to more effect.
func unpacked(f *testing.F, file []byte) []byte {
	var c container
	require.NoError(f, c.init(bytes.NewReader(file), "seed"))
	defer c.close()
	out := avroHeader(c.meta["avro.schema"], "null")
	for {
		ok, err := c.beginBlock()
		require.NoError(f, err)
		if !ok {
			return out
		}
		var data []byte
		for c.window.fill() == nil {
			data = append(data, c.window.buf[:c.window.end]...)
			c.window.pos = c.window.end
		}
		require.NoError(f, c.endBlock())
		out = append(out, rawBlock(c.count, data)...)
	}
}

// sameOutcome checks that two readings of the same bytes agree, and that an
// error is a CorruptError.
func sameOutcome[T comparable](t *testing.T, a, b []T, errA, errB error) {
	t.Helper()
	var c *CorruptError
	if errA != nil && !errors.As(errA, &c) {
		t.Fatalf("%v", errA)
	}
	if (errA == nil) != (errB == nil) {
		t.Fatalf("%v, or %v", errA, errB)
	}
	if errA == nil && len(a) != len(b) {
		t.Fatalf("%d entries, or %d", len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("%+v, or %+v", a[i], b[i])
		}
	}
}

// plainGot is the part of an entry that is always read, comparable.
type plainGot struct {
	status        Status
	content       Content
	path          string
	records, size int64
	encrypted     bool
}

func plainOf(list []got) []plainGot {
	var out []plainGot
	for _, g := range list {
		out = append(out, plainGot{g.Status, g.Content, g.path, g.RecordCount, g.FileSize, g.HasKeyMetadata})
	}
	return out
}

func FuzzReader(f *testing.F) {
	addSeeds(f, "manifest")
	for _, codec := range codecs {
		file, _, _ := twoBlocks(f, codec)
		f.Add(file)
	}
	for _, x := range extras {
		schema := `{"type":"record","name":"m","fields":[` + emptyRecord + `,{"name":"x","type":` + x.typ + `},` + plainSchema[len(`{"type":"record","name":"manifest_entry","fields":[`):]
		f.Add(avroFile(f, schema, "null", block{join(x.value, plainEntry(1, "p", 2, 3))}))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		all, err := readAllEntries(bytes.NewReader(file), allFields)
		slow, slowErr := readAllEntries(iotest.OneByteReader(bytes.NewReader(file)), allFields)
		sameOutcome(t, plainOf(all), plainOf(slow), err, slowErr)
		if err == nil {
			// Fields that are not asked for are checked less, so only this way.
			few, fewErr := readAllEntries(bytes.NewReader(file), 0)
			sameOutcome(t, plainOf(all), plainOf(few), err, fewErr)
		}
	})
}

func FuzzList(f *testing.F) {
	addSeeds(f, "manifest-list")
	read := func(r io.Reader) (list []ListEntry, err error) {
		err = ReadList(r, "l.avro", func(e *ListEntry) error {
			list = append(list, *e)
			return nil
		})
		return list, err
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		list, err := read(bytes.NewReader(file))
		slow, slowErr := read(iotest.HalfReader(bytes.NewReader(file)))
		sameOutcome(t, list, slow, err, slowErr)
	})
}
