package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestEveryCodecGivesTheSameEntries(t *testing.T) {
	t.Parallel()
	var blocks []block
	for i := range 5 {
		var b block
		for j := range i * 400 {
			b = append(b, plainEntry(int64(j%3), fmt.Sprintf("s3://w/t/data/%d-%d.parquet", i, j*7919), int64(j), int64(j)<<20))
		}
		blocks = append(blocks, b)
	}
	want := mustRead(t, avroFile(t, plainSchema, "", blocks...), 0)
	require.Len(t, want, 4000)
	for _, codec := range []string{"null", "deflate", "snappy", "zstandard", "zstd"} {
		file := avroFile(t, plainSchema, codec, blocks...)
		require.Equal(t, want, mustRead(t, file, 0), codec)
		for _, r := range []io.Reader{
			iotest.OneByteReader(bytes.NewReader(file)), iotest.HalfReader(bytes.NewReader(file)),
			iotest.DataErrReader(bytes.NewReader(file)),
		} {
			slow, err := readAllEntries(r, 0)
			require.NoError(t, err)
			require.Equal(t, want, slow, codec)
		}
	}
}

func TestTheHeaderIsGiven(t *testing.T) {
	t.Parallel()
	r, err := NewReader(bytes.NewReader(avroHeader(plainSchema, "null")), "m.avro", 0)
	require.NoError(t, err)
	require.True(t, r.Deletes())
	require.EqualValues(t, 3, r.SpecID())
	require.Equal(t, "2", r.Metadata("format-version"))
	require.Empty(t, r.Metadata("nothing"))
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	_, err = r.Next(&Entry{})
	require.ErrorIs(t, err, errClosed)

	bare := join([]byte("Obj\x01"), long(1), text("avro.schema"), text(plainSchema), long(0), marker[:])
	r, err = NewReader(bytes.NewReader(bare), "m.avro", 0)
	require.NoError(t, err)
	defer r.Close()
	require.False(t, r.Deletes())
	require.EqualValues(t, -1, r.SpecID())
}

func TestAnErrorOfYieldStopsTheListAndIsReturned(t *testing.T) {
	t.Parallel()
	z := zoo(t)
	stop := errors.New("stop")
	for _, f := range z.tables[1].Files {
		if f.Kind == "manifest-list" {
			n := 0
			require.Equal(t, stop, ReadList(bytes.NewReader(z.object(t, f.Path)), f.Path, func(*ListEntry) error {
				n++
				return stop
			}))
			require.Equal(t, 1, n)
			return
		}
	}
	t.Fatal("no list")
}

// Not parallel: AllocsPerRun counts those of every goroutine.
func TestNothingIsAllocatedPerEntry(t *testing.T) {
	_, wide := writeManifest(t, 3000, true)
	files := map[string][]byte{"wide": wide}
	for _, codec := range codecs {
		var b block
		for j := range 1000 {
			b = append(b, plainEntry(1, fmt.Sprintf("s3://w/t/data/%d.parquet", j*7919), int64(j), int64(j)<<20))
		}
		files[codec] = avroFile(t, plainSchema, codec, b, b, b)
	}
	for name, file := range files {
		for _, fields := range []Fields{0, allFields} {
			r, err := NewReader(bytes.NewReader(file), "m.avro", fields)
			require.NoError(t, err)
			var e Entry
			next := func() {
				if ok, err := r.Next(&e); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
			for range 100 {
				next()
			}
			require.Zero(t, testing.AllocsPerRun(800, next), "%s in one block", name)
			if name != "zstandard" && name != "wide" {
				// Over the end of a block as well.
				require.Zero(t, testing.AllocsPerRun(1500, next), "%s over blocks", name)
			}
			require.NoError(t, r.Close())
		}
	}
}

// repeated gives head, then body n times, then tail.
func repeated(head, body []byte, n int, tail []byte) io.Reader {
	readers := make([]io.Reader, 0, 2*n)
	readers = append(readers, bytes.NewReader(head))
	for range n {
		readers = append(readers, bytes.NewReader(body))
	}
	return io.MultiReader(append(readers, bytes.NewReader(tail))...)
}

// Not parallel: it measures what the process allocates.
func TestAGiantBlockIsReadInAFewHundredKilobytes(t *testing.T) {
	const entries = 400_000
	one := plainEntry(1, "s3://warehouse/db/events/data/00000-1-4f1f9d35-a825-4d5e-8d53-502b434f7e41.parquet", 1000, 1<<20)
	wide := bytes.Repeat(one, 1000)
	for _, codec := range []string{"null", "deflate"} {
		t.Run(codec, func(t *testing.T) {
			var r io.Reader
			if codec == "null" {
				r = repeated(join(avroHeader(plainSchema, codec), long(entries), long(int64(len(one))*entries)), wide, entries/1000, marker[:])
			} else {
				data := pack(t, codec, bytes.Repeat(one, entries))
				r = bytes.NewReader(join(avroHeader(plainSchema, codec), rawBlock(entries, data)))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m, err := NewReader(r, "m.avro", 0)
			require.NoError(t, err)
			defer m.Close()
			var e Entry
			n := 0
			for {
				ok, err := m.Next(&e)
				require.NoError(t, err)
				if !ok {
					break
				}
				n++
			}
			runtime.ReadMemStats(&after)
			require.Equal(t, entries, n)
			used := after.TotalAlloc - before.TotalAlloc
			t.Logf("%s: %d entries, %d MB unpacked, %d KiB allocated", codec, n, len(one)*entries>>20, used>>10)
			require.Less(t, used, uint64(512<<10))
		})
	}
}

func TestReadersDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 40 {
				codec := codecs[(g+i)%len(codecs)]
				var b block
				for j := range 100 {
					b = append(b, plainEntry(1, fmt.Sprintf("%d/%d/%d", g, i, j), int64(j), 1))
				}
				file := avroFile(t, plainSchema, codec, b)
				if i%3 == 0 { // A reader that fails must leave nothing behind either.
					_, err := readAllEntries(bytes.NewReader(file[:len(file)-20]), 0)
					if err == nil {
						t.Error("no error")
					}
				}
				list, err := readAllEntries(bytes.NewReader(file), 0)
				if err != nil || len(list) != 100 {
					t.Errorf("%d entries, %v", len(list), err)
					return
				}
				for j, e := range list {
					if e.path != fmt.Sprintf("%d/%d/%d", g, i, j) {
						t.Errorf("%q", e.path)
					}
				}
			}
		})
	}
	wg.Wait()
}
