package manifest

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestSteppingOverIntegersEndsAtTheRightByte(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		n := rnd.IntN(20)
		var data []byte
		for range n {
			data = append(data, long(rnd.Int64()>>rnd.IntN(64))...)
		}
		want := len(data)
		for range rnd.IntN(12) { // What follows may look like anything.
			data = append(data, byte(0x80*rnd.IntN(2)))
		}
		w := window{buf: data, end: len(data)}
		require.NoError(t, w.skipLongs(int64(n)))
		require.Equal(t, want, w.pos)
		w = window{buf: make([]byte, 16), src: iotest.HalfReader(bytes.NewReader(append(data[:want:want], long(77)...)))}
		require.NoError(t, w.skipLongs(int64(n)))
		v, err := w.long()
		require.NoError(t, err)
		require.EqualValues(t, 77, v)
	}
}

func TestSteppingOverBoundsEndsAtTheRightByte(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 5_000 {
		n := rnd.IntN(10)
		var data []byte
		for range n {
			data = append(data, long(int64(rnd.IntN(200)))...)
			data = append(data, text(string(make([]byte, rnd.IntN(100)>>rnd.IntN(6))))...)
		}
		data = append(data, long(77)...)
		for _, size := range []int{3, 16, 40} {
			w := window{buf: make([]byte, size), src: bytes.NewReader(data)}
			require.NoError(t, w.skipLongBytes(int64(n)))
			v, err := w.long()
			require.NoError(t, err)
			require.EqualValues(t, 77, v)
		}
	}
	w := window{buf: []byte{2, 3, 0, 0}, end: 4}
	require.Equal(t, errLength, w.skipLongBytes(1))
}
