package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/manifest/partition"
)

func TestAnEntryOfAnotherLayoutIsRefused(t *testing.T) {
	t.Parallel()
	w, err := NewWriter(io.Discard, "n.avro", layoutOf(t, 2, false, `[]`), Compression{})
	require.NoError(t, err)
	defer w.Abort()
	require.ErrorIs(t, w.Add(&Transcript{Layout: layoutOf(t, 2, false, `[]`)}), errOtherLayout)
}

// bigEntries are entries that do not fit into one block.
func bigEntries(n int) [][]byte {
	var list [][]byte
	for i := range n {
		noise := make([]byte, 3000)
		for j := range 3000 / 8 {
			binary.LittleEndian.PutUint64(noise[8*j:], uint64(i*3000+j+1)*0x9E3779B97F4A7C15)
		}
		list = append(list, join(long(1), long(0), long(0), long(0), plainValues(), long(1), text(string(noise))))
	}
	return list
}

func TestEveryCodecIsWrittenInBlocks(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"x","type":["null","bytes"],"field-id":131}`)
	data := foreignFile(t, schema, "null", bigEntries(100)...)
	layout := layoutOf(t, 2, false, `[]`)
	want, err := transcripts(bytes.NewReader(data), listed(), layout)
	require.NoError(t, err)
	for _, c := range []Compression{{}, {Level: 9}, {Codec: "zstd"}, {Codec: "ZSTD", Level: 19}, {Codec: "snappy"}, {Codec: "uncompressed"}} {
		file, written := transcribe(t, data, listed(), layout, c)
		again, err := transcripts(bytes.NewReader(file), listed(), layout)
		require.NoError(t, err)
		for i := range again {
			require.Equal(t, want[i].Bytes, again[i].Bytes)
		}
		require.EqualValues(t, 100, written.ExistingFiles)
		require.EqualValues(t, 1000, written.ExistingRows)
		require.EqualValues(t, 5, written.MinSequenceNumber)
		require.Len(t, rawRecords(t, file), 100)
	}
	for _, c := range []Compression{{Codec: "lz4"}, {Level: 10}, {Level: -1}, {Codec: "zstd", Level: 23}} {
		_, err := NewWriter(io.Discard, "n.avro", layout, c)
		require.ErrorContains(t, err, "is not")
	}
}

// failingWriter takes so many bytes.
type failingWriter struct{ left int }

var errDisk = errors.New("the disk is full")

func (w *failingWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, errDisk
	}
	return n, nil
}

func TestAnErrorOfTheUnderlyingWriterIsFinal(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"x","type":["null","bytes"],"field-id":131}`)
	layout := layoutOf(t, 2, false, `[]`)
	list, err := transcripts(bytes.NewReader(foreignFile(t, schema, "null", bigEntries(50)...)), listed(), layout)
	require.NoError(t, err)
	whole := 0
	for room := 0; ; room += 20_000 {
		out := &failingWriter{left: room}
		w, err := NewWriter(out, "n.avro", layout, Compression{Codec: "uncompressed"})
		if err == nil {
			for i := range list {
				if err = w.Add(&list[i]); err != nil {
					require.ErrorIs(t, w.Add(&list[i]), errDisk)
					break
				}
			}
			var closeErr error
			_, closeErr = w.Close()
			if err != nil {
				require.ErrorIs(t, closeErr, errDisk)
			}
			err = closeErr
			_, again := w.Close()
			require.Error(t, again)
		}
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errDisk)
		require.ErrorContains(t, err, "write n.avro: ")
		whole++
	}
	require.Greater(t, whole, 5)
}

func TestTheSizeOfAManifestIsKnownWhileItGrows(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"x","type":["null","bytes"],"field-id":131}`)
	layout := layoutOf(t, 2, false, `[]`)
	list, err := transcripts(bytes.NewReader(foreignFile(t, schema, "null", bigEntries(200)...)), listed(), layout)
	require.NoError(t, err)
	var out bytes.Buffer
	w, err := NewWriter(&out, "n.avro", layout, Compression{})
	require.NoError(t, err)
	last := w.Size()
	for i := range list {
		require.NoError(t, w.Add(&list[i]))
		require.Greater(t, w.Size(), last-5000)
		last = w.Size()
		require.EqualValues(t, i+1, w.Files())
	}
	written, err := w.Close()
	require.NoError(t, err)
	require.InDelta(t, written.Length, last, 5000)
}

func TestWhatIsWrittenIsCounted(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"row","type":["null","long"],"field-id":142}`)
	entry := func(sequence int64, row []byte) []byte {
		return join(long(1), long(0), long(1), long(sequence), long(0), plainValues(), row)
	}
	file := foreignFile(t, schema, "null", entry(5, long(0)), entry(2, join(long(1), long(70))), entry(7, long(0)))
	_, written := transcribe(t, file, listed(), layoutOf(t, 3, false, `[]`), Compression{})
	require.Equal(t, &Written{
		Path: "m.avro-new", Length: written.Length, SpecID: 3, MinSequenceNumber: 2,
		ExistingFiles: 3, ExistingRows: 30, UnassignedRows: 20, Partitions: []partition.Summary{},
	}, written)
	_, written = transcribe(t, foreignFile(t, schema, "null", entry(5, long(0))), listed(), layoutOf(t, 2, false, `[]`), Compression{})
	require.Zero(t, written.UnassignedRows)
}

// Iceberg's Java library counts the partitions of deleted files too, and takes the
// sequence number of existing ones alone.
func TestAFileThatASnapshotRemovesIsWrittenAsDeletedByIt(t *testing.T) {
	t.Parallel()
	for _, id := range [][]byte{long(0), join(long(1), long(1<<62))} {
		schema := foreign(numbers, plainFile+","+emptyPartition)
		file := foreignFile(t, schema, "null", join(long(0), id, long(1), long(4), long(1), long(3), plainValues()), join(long(0), long(0), long(1), long(6), long(1), long(6), plainValues()))
		layout := layoutOf(t, 2, false, `[]`)
		from, err := NewTranscriber(bytes.NewReader(file), listed(), layout)
		require.NoError(t, err)
		defer from.Close()
		var out bytes.Buffer
		w, err := NewWriter(&out, "n.avro", layout, Compression{})
		require.NoError(t, err)
		var e Transcript
		for n := range 2 {
			ok, err := from.Next(&e)
			require.NoError(t, err)
			require.True(t, ok)
			if n == 0 {
				require.NoError(t, w.Delete(&e, 99))
			} else {
				require.NoError(t, w.Add(&e))
			}
			require.EqualValues(t, n+1, w.Files())
		}
		written, err := w.Close()
		require.NoError(t, err)
		require.Equal(t, &Written{
			Path: "n.avro", Length: int64(out.Len()), SpecID: 3, MinSequenceNumber: 6,
			ExistingFiles: 1, ExistingRows: 10, DeletedFiles: 1, DeletedRows: 10, Partitions: []partition.Summary{},
		}, written)
		got := rawRecords(t, out.Bytes())
		require.Equal(t, []any{int32(2), int64(99), int64(4), int64(3)}, []any{got[0]["status"], got[0]["snapshot_id"], got[0]["sequence_number"], got[0]["file_sequence_number"]})
		require.Equal(t, []any{int32(0), int64(77), int64(6), int64(6)}, []any{got[1]["status"], got[1]["snapshot_id"], got[1]["sequence_number"], got[1]["file_sequence_number"]})
		require.Equal(t, got[0]["data_file"], got[1]["data_file"])
	}
	w, err := NewWriter(io.Discard, "n.avro", layoutOf(t, 2, false, `[]`), Compression{})
	require.NoError(t, err)
	defer w.Abort()
	require.ErrorIs(t, w.Delete(&Transcript{Layout: layoutOf(t, 2, false, `[]`)}, 1), errOtherLayout)
}
