package manifest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/snappy"
	"github.com/stretchr/testify/require"
)

var codecs = []string{"null", "deflate", "snappy", "zstandard"}

// twoBlocks is a small manifest and where its first block ends.
func twoBlocks(t testing.TB, codec string) (file []byte, header, firstEnd int) {
	first := block{plainEntry(0, "s3://w/t/data/a.parquet", 1, 2), plainEntry(1, "s3://w/t/data/b.parquet", 300, 40_000)}
	second := block{plainEntry(2, "s3://w/t/data/c.parquet", 1<<40, 1<<50)}
	return avroFile(t, plainSchema, codec, first, second), len(avroHeader(plainSchema, codec)), len(avroFile(t, plainSchema, codec, first))
}

func TestAFileThatIsCutShortIsCorrupt(t *testing.T) {
	t.Parallel()
	for _, codec := range codecs {
		file, header, firstEnd := twoBlocks(t, codec)
		for n := range len(file) {
			list, err := readAllEntries(bytes.NewReader(file[:n]), allFields)
			switch n {
			case header, firstEnd:
				// Between blocks: nothing in the file tells.
				require.NoError(t, err)
			default:
				c := requireCorrupt(t, err, "cut short")
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				require.LessOrEqual(t, c.Offset, int64(n))
			}
			require.LessOrEqual(t, len(list), 3)
		}
	}
}

func TestAnErrorOfTheReaderIsNotCorruption(t *testing.T) {
	t.Parallel()
	// HTTP bodies give io.ErrUnexpectedEOF when the connection is lost.
	for _, cause := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for _, codec := range codecs {
			file, _, _ := twoBlocks(t, codec)
			for n := range len(file) + 1 {
				broken := func() io.Reader { return io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(cause)) }
				for _, r := range []io.Reader{broken(), iotest.OneByteReader(broken()), iotest.DataErrReader(broken())} {
					_, err := readAllEntries(r, 0)
					require.ErrorIs(t, err, cause)
					require.Contains(t, err.Error(), "read m.avro: ")
					var c *CorruptError
					require.False(t, errors.As(err, &c), "%v", err)
				}
			}
		}
	}
	err := ReadList(iotest.ErrReader(errors.New("no route")), "l.avro", nil)
	require.EqualError(t, err, "read l.avro: no route")
}

func TestAReaderThatGivesNothingIsAnError(t *testing.T) {
	t.Parallel()
	_, err := NewReader(idle{}, "m.avro", 0)
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// An error that comes together with bytes may come only once.
func TestAnErrorThatCameWithBytesIsNotForgotten(t *testing.T) {
	t.Parallel()
	file, _, firstEnd := twoBlocks(t, "null")
	cause := errors.New("connection reset")
	_, err := readAllEntries(&onceBroken{file[:firstEnd], cause}, 0)
	require.ErrorIs(t, err, cause)
}

type onceBroken struct {
	data []byte
	err  error
}

func (o *onceBroken) Read(p []byte) (int, error) {
	n := copy(p, o.data)
	switch o.data = o.data[n:]; {
	case n == 0:
		return 0, io.EOF
	case len(o.data) > 0:
		return n, nil
	}
	return n, o.err
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestAnyByteMayBeWrongWithoutHarm(t *testing.T) {
	t.Parallel()
	for _, codec := range codecs {
		file, _, _ := twoBlocks(t, codec)
		for i := range file {
			for _, flip := range []byte{0x01, 0x80, 0xff} {
				bad := bytes.Clone(file)
				bad[i] ^= flip
				_, err := readAllEntries(bytes.NewReader(bad), allFields)
				var c *CorruptError
				require.True(t, err == nil || errors.As(err, &c), "%v", err)
			}
		}
	}
}

func TestWhatIsWrongInABlockIsSaid(t *testing.T) {
	t.Parallel()
	good := plainEntry(1, "p", 2, 3)
	head := func(codec string) []byte { return avroHeader(plainSchema, codec) }
	file := func(codec string, b []byte) []byte { return join(head(codec), b) }
	otherMarker := rawBlock(1, good)
	otherMarker[len(otherMarker)-1]++
	badSum := pack(t, "snappy", good)
	badSum[len(badSum)-1]++
	noSnappy := binary.BigEndian.AppendUint32([]byte{0xff, 0xff}, 0)
	wantsMuch := binary.BigEndian.AppendUint32(join(binary.AppendUvarint(nil, maxSnappyBlock+1), []byte{0, 0}), 0)
	wantsTooMuch := binary.BigEndian.AppendUint32(join(binary.AppendUvarint(nil, maxSnappyBlock), []byte{0, 0}), 0)
	array := strings.Replace(plainSchema, `"fields":[`, `"fields":[{"name":"x","type":["null",{"type":"array","items":"int"}]},`, 1)
	arrayFile := func(b ...[]byte) []byte { return avroFile(t, array, "null", block{join(b...)}) }
	self := strings.Replace(plainSchema, `"fields":[`, `"fields":[{"name":"x","type":{"type":"record","name":"L","fields":[{"name":"l","type":["null","L"]}]}},`, 1)
	endless := strings.Replace(plainSchema, `"fields":[`, `"fields":[{"name":"x","type":{"type":"record","name":"L","fields":[{"name":"l","type":"L"},{"name":"m","type":"L"}]}},`, 1)
	for _, c := range []struct {
		name string
		file []byte
		why  string
	}{
		{"empty", nil, "cut short"},
		{"not Avro", []byte("PAR1 and so on"), `not an Avro file: it begins with "PAR1"`},
		{"encrypted", []byte("AGS1 and so on"), "the file is encrypted"},
		{"unknown codec", file("bzip2", nil), `codec "bzip2" is unknown`},
		{"header too large", join([]byte("Obj\x01"), long(1), long(maxHeader+1)), "the header has more than"},
		{"header below zero", join([]byte("Obj\x01"), long(1), long(-5)), "a length is negative"},
		{"header of too many", join([]byte("Obj\x01"), long(-1<<63), long(0)), "a length is negative"},
		{"sync marker", file("null", otherMarker), "the sync marker after the block is not the file's"},
		{"negative count", file("null", rawBlock(-1, good)), "a block of -1 entries"},
		{"negative size", file("null", join(long(1), long(-1))), "and -1 bytes"},
		{"endless count", file("null", bytes.Repeat([]byte{0xff}, 20)), "more than 64 bits"},
		{"more entries than said", file("null", rawBlock(1, join(good, good))), "the block holds more than the 1 entries"},
		{"more bytes than said", file("deflate", rawBlock(1, pack(t, "deflate", join(good, []byte{0})))), "the block holds more than"},
		{"entries but none said", file("zstandard", rawBlock(0, pack(t, "zstandard", good))), "the block holds more than the 0 entries"},
		{"fewer entries than said", file("null", rawBlock(2, good)), "the block ends inside an entry"},
		{"fewer in deflate", file("deflate", rawBlock(2, pack(t, "deflate", good))), "the block ends inside an entry"},
		{"fewer in snappy", file("snappy", rawBlock(2, pack(t, "snappy", good))), "the block ends inside an entry"},
		{"fewer in zstandard", file("zstandard", rawBlock(2, pack(t, "zstandard", good))), "the block ends inside an entry"},
		{"bytes after deflate", file("deflate", rawBlock(1, join(pack(t, "deflate", good), make([]byte, 5)))), "5 bytes follow the compressed data"},
		{"many bytes after deflate", file("deflate", rawBlock(1, join(pack(t, "deflate", good), make([]byte, 50_000)))), "50000 bytes follow"},
		{"half a deflate", file("deflate", rawBlock(1, pack(t, "deflate", good)[:5])), "unexpected EOF"},
		{"not deflate", file("deflate", rawBlock(1, []byte{7, 7, 7})), "the deflate stream is wrong"},
		{"not zstandard", file("zstandard", rawBlock(1, []byte("nothing of the kind"))), "magic"},
		{"snappy checksum", file("snappy", rawBlock(1, badSum)), "checksum"},
		{"snappy without checksum", file("snappy", rawBlock(1, []byte{1})), "has no checksum"},
		{"not snappy", file("snappy", rawBlock(1, noSnappy)), "snappy"},
		{"snappy unpacks to too much", file("snappy", rawBlock(1, wantsMuch)), "larger than the"},
		{"snappy cannot hold that", file("snappy", rawBlock(1, wantsTooMuch)), "cannot hold"},
		{"snappy block too large", file("snappy", join(long(1), long(maxSnappyBlock+1))), "larger than the"},
		{"status", file("null", rawBlock(1, plainEntry(3, "p", 2, 3))), "status 3 is unknown"},
		{"negative status", file("null", rawBlock(1, plainEntry(-1, "p", 2, 3))), "status -1 is unknown"},
		{"empty path", file("null", rawBlock(1, plainEntry(1, "", 2, 3))), "file_path is empty"},
		{"long path", file("null", rawBlock(1, join(long(1), long(maxValue+1)))), "longer than"},
		{"path of a negative length", file("null", rawBlock(1, join(long(1), long(-1), good))), "a length is negative"},
		{"path beyond the block", file("null", rawBlock(1, join(long(1), long(1000), good))), "the block ends inside an entry"},
		{"varint", file("null", rawBlock(1, bytes.Repeat([]byte{0x80}, 30))), "more than 64 bits"},
		{"union branch", arrayFile(long(2), good), "no such branch"},
		{"array too long", arrayFile(long(1), long(1<<62), long(0), good), "the block ends inside an entry"},
		{"array of a negative size", arrayFile(long(1), long(-1), long(-1), good), "a length is negative"},
		{"array of a size too large", arrayFile(long(1), long(-1), long(1<<62), good), "the block ends inside an entry"},
		{"nested too deeply", avroFile(t, self, "null", block{join(bytes.Repeat(long(1), 100), long(0), good)}), "nested too deeply"},
		{"endless record", avroFile(t, endless, "null", block{good}), "nested too deeply"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []io.Reader{bytes.NewReader(c.file), iotest.OneByteReader(bytes.NewReader(c.file))} {
				_, err := readAllEntries(r, allFields)
				e := requireCorrupt(t, err, c.why)
				require.LessOrEqual(t, e.Offset, int64(len(c.file)))
			}
		})
	}
}

func TestTheErrorNamesFileOffsetAndEntry(t *testing.T) {
	t.Parallel()
	header := len(avroHeader(plainSchema, "null"))
	good, bad := plainEntry(1, "p", 2, 3), plainEntry(1, "", 2, 3)
	first := rawBlock(1, good)
	file := join(avroHeader(plainSchema, "null"), first, rawBlock(3, join(good, bad, good)))
	r, err := NewReader(bytes.NewReader(file), "m.avro", 0)
	require.NoError(t, err)
	defer r.Close()
	var e Entry
	for range 2 {
		ok, err := r.Next(&e)
		require.NoError(t, err)
		require.True(t, ok)
	}
	_, err = r.Next(&e)
	block := header + len(first)
	at := block + 2 + len(good) + len(bad)
	require.EqualError(t, err, fmt.Sprintf(
		"m.avro is corrupt at byte %d: entry 2 of 3 in the block at byte %d: file_path is empty", at, block))
	_, again := r.Next(&e)
	require.Equal(t, err, again)
}

func TestNullWhereAValueMustBeIsCorrupt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typ, path string }{
		{`["null","string"]`, string(long(0))},
		{`["string","null"]`, string(long(1))},
		{`["string","null","bytes"]`, string(long(1))},
		{`"null"`, ""},
	} {
		schema := strings.Replace(plainSchema, `"string"`, c.typ, 1)
		_, err := readAllEntries(bytes.NewReader(avroFile(t, schema, "null", block{join(long(1), []byte(c.path), long(2), long(3), make([]byte, 20))})), 0)
		requireCorrupt(t, err, "file_path is null")
	}
}

func TestALargePartitionIsRefusedOnlyWhenItIsWanted(t *testing.T) {
	t.Parallel()
	schema := strings.Replace(plainSchema, `{"name":"record_count"`,
		`{"name":"partition","field-id":102,"type":{"type":"record","name":"r102","fields":[{"name":"k","type":"string"}]}},{"name":"record_count"`, 1)
	with := func(n int) []byte {
		return avroFile(t, schema, "null", block{join(long(1), text("p"), text(strings.Repeat("k", n)), long(2), long(3))})
	}
	require.Len(t, mustRead(t, with(maxValue-10), FieldPartition)[0].partition, maxValue-10+3)
	require.Len(t, mustRead(t, with(2*maxValue), 0), 1)
	_, err := readAllEntries(bytes.NewReader(with(2*maxValue)), FieldPartition)
	requireCorrupt(t, err, "a value is larger than")
}

func TestTheRestOfAZlibChecksumIsTolerated(t *testing.T) {
	t.Parallel()
	// Python's Avro writers cut a zlib stream like this.
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, err := w.Write(plainEntry(1, "p", 2, 3))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	file := join(avroHeader(plainSchema, "deflate"), rawBlock(1, z.Bytes()[2:z.Len()-1]))
	require.Len(t, mustRead(t, file, 0), 1)
}

func TestAListIsNoManifestAndAManifestNoList(t *testing.T) {
	t.Parallel()
	z := zoo(t)
	for _, table := range z.tables {
		for _, f := range table.Files {
			switch f.Kind {
			case "manifest-list":
				_, err := NewReader(bytes.NewReader(z.object(t, f.Path)), "m.avro", 0)
				requireCorrupt(t, err, "not that of a manifest: it has no field status")
			case "metadata", "manifest", "data":
				var c *CorruptError
				err := ReadList(bytes.NewReader(z.object(t, f.Path)), f.Path, nil)
				require.ErrorAs(t, err, &c)
				require.Equal(t, f.Path, c.Name)
				if f.Kind != "manifest" {
					_, err := NewReader(bytes.NewReader(z.object(t, f.Path)), f.Path, 0)
					require.ErrorAs(t, err, &c)
				}
			}
		}
	}
}

func TestWrongValuesInAListAreCorrupt(t *testing.T) {
	t.Parallel()
	schema := `{"type":"record","name":"f","fields":[{"name":"p","type":"string","field-id":500},{"name":"s","type":"long","field-id":502},{"name":"c","type":"int","field-id":517}]}`
	for _, c := range []struct {
		entry []byte
		why   string
	}{
		{join(text(""), long(0), long(0)), "manifest_path is empty"},
		{join(text("p"), long(1<<31), long(0)), "partition_spec_id 2147483648 has more than 32 bits"},
		{join(text("p"), long(0), long(2)), "content 2 is unknown"},
	} {
		err := ReadList(bytes.NewReader(avroFile(t, schema, "null", block{c.entry})), "m.avro", func(*ListEntry) error {
			t.Fatal("yielded")
			return nil
		})
		requireCorrupt(t, err, c.why)
	}
}

func TestSnappyOfTheSpecificationIsRead(t *testing.T) {
	t.Parallel()
	// The limit on the ratio must not refuse what packs best.
	long := plainEntry(1, strings.Repeat("a", maxValue), 2, 3)
	require.Less(t, len(snappy.Encode(nil, long)), len(long)/15)
	list := mustRead(t, avroFile(t, plainSchema, "snappy", block{long, long, long}), 0)
	require.Len(t, list, 3)
	require.Len(t, list[2].path, maxValue)
}
