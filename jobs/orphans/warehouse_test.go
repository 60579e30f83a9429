package orphans_test

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
)

// warehouse answers listings of millions of keys that lie outside of Go's heap, so
// that only what a job needs is measured.
type warehouse struct {
	offsets []byte // of each key, as uint32, and the end
	keys    []byte
	count   int
}

// newWarehouse holds the keys, which it sorts.
func newWarehouse(t testing.TB, keys []string) *warehouse {
	sort.Strings(keys)
	total := 0
	for _, key := range keys {
		total += len(key)
	}
	w := &warehouse{count: len(keys), offsets: outside(t, 4*(len(keys)+1)), keys: outside(t, total)}
	at := 0
	for n, key := range keys {
		binary.LittleEndian.PutUint32(w.offsets[4*n:], uint32(at))
		at += copy(w.keys[at:], key)
	}
	binary.LittleEndian.PutUint32(w.offsets[4*len(keys):], uint32(at))
	return w
}

// outside is memory that the garbage collector does not count.
func outside(t testing.TB, size int) []byte {
	data, err := syscall.Mmap(-1, 0, max(size, 1), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Munmap(data) })
	return data
}

func (w *warehouse) key(n int) []byte {
	from, to := binary.LittleEndian.Uint32(w.offsets[4*n:]), binary.LittleEndian.Uint32(w.offsets[4*n+4:])
	return w.keys[from:to]
}

// list answers ListObjectsV2 in place of the server.
func (w *warehouse) list(r *http.Request) *s3test.Fault {
	q := r.URL.Query()
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	after := max(q.Get("start-after"), q.Get("continuation-token"))
	limit := 1000
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil {
		limit = min(limit, n)
	}
	n := sort.Search(w.count, func(i int) bool {
		key := string(w.key(i))
		return key >= prefix && key > after
	})
	var b bytes.Buffer
	b.WriteString(xml.Header + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>`)
	next, found := "", 0
	for ; n < w.count && bytes.HasPrefix(w.key(n), []byte(prefix)); n++ {
		if found++; found > limit {
			break
		}
		key := string(w.key(n))
		if cut := strings.Index(key[len(prefix):], delimiter); delimiter != "" && cut >= 0 {
			folder := key[:len(prefix)+cut+1]
			b.WriteString("<CommonPrefixes><Prefix>" + url.QueryEscape(folder) + "</Prefix></CommonPrefixes>")
			next = folder + "\xff"
			n = sort.Search(w.count, func(i int) bool { return string(w.key(i)) > next }) - 1
			continue
		}
		next = key
		b.WriteString("<Contents><Key>" + url.QueryEscape(key) + "</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified>" +
			`<ETag>"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"</ETag><Size>1048576</Size><StorageClass>STANDARD</StorageClass></Contents>`)
	}
	more := found > limit
	b.WriteString("<IsTruncated>" + strconv.FormatBool(more) + "</IsTruncated>")
	if more {
		b.WriteString("<NextContinuationToken>" + next + "</NextContinuationToken>")
	}
	b.WriteString("</ListBucketResult>")
	return &s3test.Fault{Status: http.StatusOK, Body: b.Bytes()}
}
