package warehouse

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMetadataFilesGoSomeTimeAfterTheyLeftTheLogUnlessARecordNamesThem(t *testing.T) {
	t.Parallel()
	w := open(t)
	const folder = "live/t1/metadata/"
	for _, name := range []string{"00001-a.metadata.json", "00002-b.metadata.json", "00003-c.metadata.json"} {
		w.Store.Put(bucket, folder+name, []byte("{}"))
	}
	a, b, c := folder+"00001-a.metadata.json", folder+"00002-b.metadata.json", folder+"00003-c.metadata.json"
	const record = folder + "deckhand-expire/R.json"
	w.Store.Put(bucket, record, []byte(`{"replaced":"s3://warehouse/`+b+`"}`))
	w.Store.Put(bucket, "live/t2/metadata/deckhand-expire/R.json", []byte(`{"replaced":"s3://warehouse/`+a+`"}`))
	l := &Living{Warehouse: w, name: "t1"}
	there := func() (there []bool) {
		for _, key := range []string{a, b, c} {
			there = append(there, w.Has(key))
		}
		return there
	}
	now := time.Now()
	l.forget(map[string]bool{a: true, b: true}, now)
	now = now.Add(time.Hour)
	l.forget(map[string]bool{c: true}, now)
	now = now.Add(lingers - 1)
	l.forget(map[string]bool{c: true}, now)
	require.Equal(t, []bool{true, true, true}, there(), "they left the log a moment ago")
	now = now.Add(lingers)
	l.forget(map[string]bool{c: true}, now)
	require.Equal(t, []bool{false, true, true}, there())
	w.Store.Remove(bucket, record)
	l.forget(map[string]bool{c: true}, now.Add(lingers))
	require.Equal(t, []bool{false, false, true}, there())
	require.Empty(t, l.past.left)
}

func TestAWriterLooksAtTheMetadataLog(t *testing.T) {
	t.Parallel()
	w := open(t)
	require.NoError(t, w.Populate(t.Context(), 1, rand.New(rand.NewPCG(1, 1))))
	l := w.Living()[0]
	_, err := l.step(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, l.past.named)
	for key := range l.past.named {
		require.True(t, w.Has(key), key)
	}
}
