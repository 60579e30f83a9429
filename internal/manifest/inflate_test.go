package manifest

import (
	"bytes"
	stdflate "compress/flate"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/flate"
	"github.com/stretchr/testify/require"
)

// usedInflater has unpacked other streams, as in the window; nothing is cleared.
type usedInflater struct {
	inflater
	space [windowSize]byte
}

var inflaters = sync.Pool{New: func() any { return new(usedInflater) }}

// standard are used readers of compress/flate.
var standard = sync.Pool{New: func() any { return stdflate.NewReader(nil) }}

// inflateAll unpacks with this package's inflater; rest is what it left.
func inflateAll(r io.Reader, outSize int) (b []byte, unread int, err error) {
	used := inflaters.Get().(*usedInflater)
	defer inflaters.Put(used)
	f := &used.inflater
	f.reset(r, used.space[:outSize])
	for {
		next, err := f.next()
		b = append(b, next...)
		if err == io.EOF {
			return b, f.unread(), nil
		}
		if err != nil {
			return b, 0, err
		}
	}
}

// texts to pack, of several kinds.
func packable(t testing.TB) map[string][]byte {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	few := make([]byte, 300_000)
	for i := range few {
		few[i] = "abcdefgh"[rnd.IntN(1+rnd.IntN(8))]
	}
	skewed := make([]byte, 300_000)
	for i := range skewed {
		skewed[i] = byte(rnd.ExpFloat64() * 12)
	}
	far := bytes.Repeat(noise[:32<<10], 5)
	source, err := os.ReadFile("inflate_test.go")
	require.NoError(t, err)
	return map[string][]byte{
		"empty": nil, "one": []byte("x"), "noise": noise, "few": few, "skewed": skewed, "far": far,
		"zeros": make([]byte, 200_000), "source": source, "two": bytes.Repeat([]byte("ab"), 60_000),
		"seven": bytes.Repeat([]byte("abcdefg"), 20_000), "nine": bytes.Repeat([]byte("abcdefghi"), 20_000),
	}
}

func TestInflatingUndoesWhatPackersDo(t *testing.T) {
	t.Parallel()
	for name, want := range packable(t) {
		for _, level := range []int{-2, 0, 1, 4, 6, 9} {
			for _, std := range []bool{true, false} {
				var packed bytes.Buffer
				var w io.WriteCloser
				var err error
				if std {
					w, err = stdflate.NewWriter(&packed, level)
				} else {
					w, err = flate.NewWriter(&packed, level)
				}
				require.NoError(t, err)
				_, err = w.Write(want)
				require.NoError(t, err)
				require.NoError(t, w.Close())
				for _, size := range []int{windowSize, historySize + outputSlack + 501} {
					b, unread, err := inflateAll(bytes.NewReader(append(packed.Bytes(), 1, 2, 3)), size)
					require.NoError(t, err, "%s at level %d", name, level)
					require.True(t, bytes.Equal(want, b), "%s at level %d", name, level)
					require.LessOrEqual(t, unread, 3)
				}
				if len(want) < 150_000 && level == 6 {
					b, _, err := inflateAll(iotest.OneByteReader(bytes.NewReader(packed.Bytes())), windowSize)
					require.NoError(t, err)
					require.True(t, bytes.Equal(want, b))
					for _, cut := range []int{1, 2, 3, 5, 9, packed.Len() / 2, packed.Len()} {
						if cut > packed.Len() {
							continue
						}
						_, _, err := inflateAll(bytes.NewReader(packed.Bytes()[:packed.Len()-cut]), windowSize)
						require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s without %d of %d", name, cut, packed.Len())
					}
				}
			}
		}
	}
}

// smallStreams are deflate streams of every kind of block.
func smallStreams(t testing.TB) [][]byte {
	t.Helper()
	var list [][]byte
	for _, b := range packable(t) {
		b = b[:min(len(b), 3000)]
		for _, level := range []int{stdflate.HuffmanOnly, 0, 1, 6, 9} {
			var packed bytes.Buffer
			w, err := stdflate.NewWriter(&packed, level)
			require.NoError(t, err)
			_, err = w.Write(b)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			list = append(list, packed.Bytes())
		}
	}
	return list
}

func TestABrokenStreamIsJudgedAsTheStandardLibraryDoes(t *testing.T) {
	t.Parallel()
	for _, packed := range smallStreams(t) {
		for i := range min(len(packed), 30) {
			for bit := range 8 {
				bad := bytes.Clone(packed)
				bad[i] ^= 1 << bit
				inflateAsStandard(t, bad)
			}
		}
	}
}

func TestMoreCodesThanThereAreAreRefused(t *testing.T) {
	t.Parallel()
	for _, head := range []int{1 | 2<<1 | 30<<3, 1 | 2<<1 | 30<<8} { // 287 literals, 31 distances
		_, _, err := inflateAll(bytes.NewReader([]byte{byte(head), byte(head >> 8), 0}), windowSize)
		require.Equal(t, errDeflate, err)
	}
}

// FuzzInflate holds the inflater to compress/flate: the same bytes, and an
// error where it gives one.
func FuzzInflate(f *testing.F) {
	for _, packed := range smallStreams(f) {
		f.Add(packed)
	}
	f.Fuzz(inflateAsStandard)
}

func inflateAsStandard(t *testing.T, packed []byte) {
	const most = 4 << 20
	in := bytes.NewReader(packed)
	std := standard.Get().(io.ReadCloser)
	defer standard.Put(std)
	require.NoError(t, std.(stdflate.Resetter).Reset(in, nil))
	want, wantErr := io.ReadAll(io.LimitReader(std, most))
	if len(want) == most {
		return
	}
	again := bytes.NewReader(packed)
	got, unread, err := inflateAll(again, windowSize)
	unread += again.Len()
	slow, _, slowErr := inflateAll(iotest.OneByteReader(bytes.NewReader(packed)), historySize+outputSlack+501)
	if (err == nil) != (slowErr == nil) || err == nil && !bytes.Equal(got, slow) {
		t.Fatalf("in small pieces: %v and %d bytes, not %v and %d", slowErr, len(slow), err, len(got))
	}
	if (wantErr == nil) != (err == nil) {
		t.Fatalf("%v, compress/flate: %v", err, wantErr)
	}
	if err == nil && (!bytes.Equal(got, want) || unread != in.Len()) {
		t.Fatalf("%d bytes and %d left, compress/flate: %d and %d", len(got), unread, len(want), in.Len())
	}
}
