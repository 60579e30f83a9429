package manifest

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// fuzzSpec has partition fields of ids that the zoo's manifests have too.
const fuzzSpec = `[{"source-id":4,"field-id":1000,"name":"cat","transform":"identity"},
	{"source-id":3,"field-id":1001,"name":"m","transform":"identity"},{"source-id":2,"field-id":1002,"name":"d","transform":"identity"}]`

// headed reads enough to give a list entry that goes with the manifest.
func headed(file []byte) *ListEntry {
	from := &ListEntry{Path: "m.avro", SpecID: 3, AddedSnapshotID: 77, SequenceNumber: 5, FirstRowID: 1000}
	r, err := NewReader(bytes.NewReader(file), "m.avro", 0)
	if err != nil {
		return from
	}
	defer r.Close()
	from.Deletes = r.Deletes()
	if id, err := strconv.ParseInt(r.Metadata("partition-spec-id"), 10, 32); err == nil {
		from.SpecID = int32(id)
	}
	return from
}

// requireFileError checks that the error condemns the file or leaves it be.
func requireFileError(t *testing.T, err error) {
	t.Helper()
	var c *CorruptError
	var no *NotCarriedError
	if err != nil && !errors.As(err, &c) && !errors.As(err, &no) {
		t.Fatalf("%v", err)
	}
}

func FuzzTranscriber(f *testing.F) {
	addSeeds(f, "manifest")
	for _, x := range extras {
		f.Add(foreignFile(f, foreign(numbers, plainFile+","+emptyPartition+`,{"name":"x","type":`+x.typ+`}`), "null",
			join(long(1), long(0), long(0), long(0), plainValues(), x.value)))
	}
	layouts := map[int32]*[2]*Layout{}
	f.Fuzz(func(t *testing.T, file []byte) {
		from := headed(file)
		if layouts[from.SpecID] == nil {
			spec := `{"spec-id":` + strconv.Itoa(int(from.SpecID)) + `,"fields":` + fuzzSpec + `}`
			var pair [2]*Layout
			for i := range pair {
				l, err := NewLayout(LayoutConfig{FormatVersion: 3, Deletes: i == 1, Schemas: rawList(columnsJSON), Spec: []byte(spec)})
				require.NoError(t, err)
				pair[i] = l
			}
			layouts[from.SpecID] = &pair
		}
		layout := layouts[from.SpecID][0]
		if from.Deletes {
			layout = layouts[from.SpecID][1]
		}
		all, err := transcripts(bytes.NewReader(file), from, layout)
		requireFileError(t, err)
		slow, slowErr := transcripts(iotest.OneByteReader(bytes.NewReader(file)), from, layout)
		requireFileError(t, slowErr)
		require.Equal(t, err == nil, slowErr == nil)
		if err == nil {
			require.Equal(t, all, slow)
			requireRoundTrip(t, all, from, layout)
		}
	})
}

// requireRoundTrip writes the entries and reads them again.
func requireRoundTrip(t *testing.T, all []Transcript, from *ListEntry, layout *Layout) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, "n.avro", layout, Compression{})
	require.NoError(t, err)
	for i := range all {
		require.NoError(t, w.Add(&all[i]))
		all[i].Bounds(1)
	}
	_, err = w.Close()
	require.NoError(t, err)
	again, err := transcripts(bytes.NewReader(out.Bytes()), &ListEntry{Path: "n.avro", SpecID: from.SpecID, Deletes: from.Deletes, AddedSnapshotID: -1, SequenceNumber: 1, FirstRowID: -1}, layout)
	require.NoError(t, err)
	require.Len(t, again, len(all))
	for i := range all {
		all[i].Status = StatusExisting
		require.Equal(t, all[i], again[i])
	}
}

func FuzzCarryList(f *testing.F) {
	addSeeds(f, "manifest-list")
	read := func(r io.Reader) (list []ListEntry, encoded []byte, err error) {
		err = CarryList(r, "l.avro", 3, func(k *Kept) error {
			list = append(list, k.ListEntry)
			encoded = append(encoded, k.encoded...)
			_, err := k.Partitions()
			return err
		})
		return list, encoded, err
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		list, encoded, err := read(bytes.NewReader(file))
		requireFileError(t, err)
		slow, slowEncoded, slowErr := read(iotest.HalfReader(bytes.NewReader(file)))
		require.Equal(t, err == nil, slowErr == nil)
		if err == nil {
			require.Equal(t, list, slow)
			require.Equal(t, encoded, slowEncoded)
		}
	})
}
