package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
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

func TestZstandardBlocksAreReadAtOnceOrAsAStream(t *testing.T) {
	t.Parallel()
	var b block
	for j := range 30_000 {
		b = append(b, plainEntry(1, fmt.Sprintf("s3://w/t/data/%d.parquet", j%10), 1, 2))
	}
	small, large := b[:1000], b
	require.Greater(t, len(join(large...)), 5*windowSize)
	require.Less(t, len(javaZstd(t, join(large...))), windowSize)
	noise := make([]byte, 3*windowSize)
	for i := range noise {
		noise[i] = byte(i * i >> 3 * 7919 >> 5)
	}
	schema := strings.Replace(plainSchema, `"fields":[`, `"fields":[{"name":"x","type":"bytes"},`, 1)
	for _, blocks := range [][]block{{small, large, small}, {large, small}, {small}, {nil, small, nil}} {
		want := mustRead(t, avroFile(t, plainSchema, "null", blocks...), 0)
		java := avroHeader(plainSchema, "zstandard")
		for _, b := range blocks {
			java = append(java, rawBlock(int64(len(b)), javaZstd(t, join(b...)))...)
		}
		require.Equal(t, want, mustRead(t, java, 0))
		require.Equal(t, want, mustRead(t, avroFile(t, plainSchema, "zstandard", blocks...), 0))
		for _, cut := range []int{1, 20, 40} {
			_, err := readAllEntries(bytes.NewReader(java[:len(java)-cut]), 0)
			requireCorrupt(t, err, "cut short")
		}
	}
	long := join(text(string(noise)), plainEntry(1, "p", 2, 3))
	require.Len(t, mustRead(t, join(avroHeader(schema, "zstandard"), rawBlock(2, javaZstd(t, join(long, long)))), 0), 2)
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
			if name != "wide" {
				// Over the end of a block as well.
				require.Zero(t, testing.AllocsPerRun(1500, next), "%s over blocks", name)
			}
			require.NoError(t, r.Close())
		}
	}
}

// javaZstd packs as Java's writers do: a frame that does not say its length
// and asks for a window of 2 MiB.
func javaZstd(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithWindowSize(2<<20), zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	for len(b) > 0 {
		n := min(len(b), 10_000)
		_, err := w.Write(b[:n])
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		b = b[n:]
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// Not parallel: it measures what the process holds.
func TestAReaderHoldsLittleMemoryInTheMiddleOfABlock(t *testing.T) {
	const readers = 16
	var small, large block
	for j := range 20_000 {
		large = append(large, plainEntry(1, fmt.Sprintf("s3://w/t/data/%d.parquet", j*7919), int64(j), int64(j)<<20))
	}
	small = large[:1500]
	java := rawBlock(int64(len(small)), javaZstd(t, join(small...)))
	files := map[string][]byte{
		"java zstd": join(avroHeader(plainSchema, "zstandard"), java, java, java),
		"null":      avroFile(t, plainSchema, "null", large),
		"deflate":   avroFile(t, plainSchema, "deflate", large),
		"snappy":    avroFile(t, plainSchema, "snappy", small, small),
	}
	for name, file := range files {
		before := heap()
		var open []*Reader
		for range readers {
			r, err := NewReader(bytes.NewReader(file), "m.avro", allFields)
			require.NoError(t, err)
			open = append(open, r)
			var e Entry
			for range 2000 {
				ok, err := r.Next(&e)
				require.NoError(t, err)
				require.True(t, ok)
			}
		}
		used := (int64(heap()) - int64(before)) / readers
		t.Logf("%s: %d KiB a reader", name, used>>10)
		require.Less(t, used, int64(400<<10), name)
		for _, r := range open {
			require.NoError(t, r.Close())
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // The second empties what pools keep.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
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
