package storage_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// azurePage is an answer to a listing; blobs are XML.
func azurePage(w http.ResponseWriter, prefix, next string, blobs ...string) {
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprintf(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Prefix>%s</Prefix><Blobs>%s</Blobs><NextMarker>%s</NextMarker></EnumerationResults>",
		prefix, strings.Join(blobs, ""), next)
}

func azureBlob(name string) string {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(name))
	return azureBlobOf("<Name>"+escaped.String()+"</Name>", "")
}

func azureBlobOf(name, metadata string) string {
	return "<Blob>" + name + "<Properties><Last-Modified>Wed, 25 Nov 2026 22:00:00 GMT</Last-Modified><Etag>0x8D</Etag><Content-Length>3</Content-Length></Properties>" + metadata + "</Blob>"
}

func TestAListingOfAzureGivesRawNamesAndNoDirectories(t *testing.T) {
	t.Parallel()
	l := openAzure(t, only("list", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("marker") == "" {
			require.Contains(t, r.URL.Query().Get("include"), "metadata")
			azurePage(w, "t/", "2",
				azureBlob("t/a+b%2B"),
				azureBlobOf("<Name Encoded=\"true\">t%2Fa+b%2Bc%EF%BF%BF</Name>", ""),
				azureBlobOf("<Name>t/marker</Name>", "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>"),
				"<Blob><Name>t/directory</Name><Properties><Content-Length>0</Content-Length><ResourceType>directory</ResourceType></Properties></Blob>",
				azureBlobOf("<Name>t/file</Name>", "<Metadata><other>true</other></Metadata>"))
			return
		}
		azurePage(w, "t/", "", azureBlob("t/z & <z>"))
	}), nil)
	var found []string
	for o, err := range l.List(t.Context(), azureAt("t")) {
		require.NoError(t, err)
		require.EqualValues(t, 3, o.Size)
		require.Equal(t, `"0x8D"`, o.ETag)
		require.False(t, o.ModTime.IsZero())
		found = append(found, o.Location.Key)
	}
	require.Equal(t, []string{"t/a+b%2B", "t/a+b+c\uffff", "t/file", "t/z & <z>"}, found)
}

func TestAListingOfAzureThatCannotBeTrustedIsAnError(t *testing.T) {
	t.Parallel()
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a page of a proxy":   write("<html><body>Welcome</body></html>"),
		"nothing":             write(""),
		"half a page":         write("<EnumerationResults><Blobs>" + azureBlob("t/a")),
		"no word on the rest": write("<EnumerationResults><Blobs>" + azureBlob("t/a") + "</Blobs></EnumerationResults>"),
		"no blobs":            write("<EnumerationResults><NextMarker/></EnumerationResults>"),
		"a key outside":       func(w http.ResponseWriter, _ *http.Request) { azurePage(w, "t/", "", azureBlob("other/a")) },
		"another prefix":      func(w http.ResponseWriter, _ *http.Request) { azurePage(w, "other/", "") },
		"a name that is encoded": func(w http.ResponseWriter, _ *http.Request) {
			azurePage(w, "t/", "", azureBlobOf(`<Name Encoded="true">t/%zz</Name>`, ""))
		},
		"no size":           func(w http.ResponseWriter, _ *http.Request) { azurePage(w, "t/", "", "<Blob><Name>t/a</Name></Blob>") },
		"round in a circle": func(w http.ResponseWriter, _ *http.Request) { azurePage(w, "t/", "again", azureBlob("t/a")) },
	} {
		l := openAzure(t, only("list", answer), nil)
		for _, list := range []func() error{
			func() error { return azureOperations["list"](t, l) },
			func() error {
				for _, err := range l.ListParallel(t.Context(), azureAt("t"), storage.ListConfig{}) {
					if err != nil {
						return err
					}
				}
				return nil
			},
		} {
			err := list()
			require.Error(t, err, name)
			require.NotErrorIs(t, err, storage.ErrNotFound, name)
			require.NotContains(t, err.Error(), "hush", name)
		}
	}
	l := openAzure(t, only("list", func(w http.ResponseWriter, _ *http.Request) { azurePage(w, "t/", "") }), nil)
	require.NoError(t, azureOperations["list"](t, l), "nothing is there")
}

// azureFolder lists names in pages as Azure does; startFrom says whether it knows
// that parameter.
type azureFolder struct {
	names     []string // sorted
	page      int
	startFrom bool
	// hierarchical says that each blob is told to be a file.
	hierarchical bool
	calls        atomic.Int64
	inFlight     atomic.Int64
	// together is closed once two requests are in flight; with startFrom, those behind
	// the first two pages wait for that.
	together chan struct{}
	once     sync.Once
}

// order is that of the keys, or that of a hierarchical namespace.
func (f *azureFolder) order(a, b string) int {
	if f.hierarchical {
		a, b = strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00")
	}
	return strings.Compare(a, b)
}

func (f *azureFolder) list(w http.ResponseWriter, r *http.Request) {
	if f.inFlight.Add(1) > 1 {
		f.once.Do(func() { close(f.together) })
	}
	defer f.inFlight.Add(-1)
	if f.calls.Add(1) > 2 && f.startFrom {
		select {
		case <-f.together:
		case <-r.Context().Done():
			return
		}
	}
	query := r.URL.Query()
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	from := 0
	if start := query.Get("startFrom"); start != "" && f.startFrom {
		from, _ = slices.BinarySearchFunc(f.names, start, f.order)
	}
	if marker := query.Get("marker"); marker != "" {
		from, _ = strconv.Atoi(marker)
	}
	most := f.page
	if asked, err := strconv.Atoi(query.Get("maxresults")); err == nil {
		most = min(most, asked)
	}
	var blobs []string
	last, i := "", from
	for ; i < len(f.names) && len(blobs) < most; i++ {
		name := f.names[i]
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if folder, _, ok := strings.Cut(name[len(prefix):], "/"); ok && delimiter != "" {
			if folder != last {
				blobs = append(blobs, "<BlobPrefix><Name>"+prefix+folder+"/</Name></BlobPrefix>")
			}
			last = folder
			continue
		}
		blob := azureBlob(name)
		if f.hierarchical {
			blob = strings.Replace(blob, "<Properties>", "<Properties><ResourceType>file</ResourceType>", 1)
		}
		blobs = append(blobs, blob)
	}
	next := ""
	if i < len(f.names) {
		next = strconv.Itoa(i)
	}
	azurePage(w, prefix, next, blobs...)
}

func TestAParallelListingOfAzureGivesEachBlobOnce(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 4000 {
		names = append(names, fmt.Sprintf("t/data/p=%03d/%05d.parquet", i%97, i))
	}
	names = append(names, "t/metadata/1.json", "t/metadata/2.avro")
	slices.Sort(names)
	for _, startFrom := range []bool{true, false} {
		folder := &azureFolder{names: names, page: 50, startFrom: startFrom, together: make(chan struct{})}
		l := openAzure(t, only("list", folder.list), nil)
		var found []string
		for o, err := range l.ListParallel(t.Context(), azureAt("t"), storage.ListConfig{InFlight: 8}) {
			require.NoError(t, err)
			found = append(found, o.Location.Key)
		}
		slices.Sort(found)
		require.Equal(t, names, found, "startFrom is known: %t", startFrom)
		pages := int64(len(names)/folder.page) + 1
		if startFrom {
			require.Less(t, folder.calls.Load(), pages+pages/2)
		} else {
			// One that lists only from the beginning is listed so.
			require.LessOrEqual(t, folder.calls.Load(), pages+1)
		}
	}
}

func TestTheClockOfAzureIsNotThatOfACache(t *testing.T) {
	t.Parallel()
	for age, known := range map[string]bool{"": true, "60": false} {
		l := openAzure(t, only("list", func(w http.ResponseWriter, _ *http.Request) {
			if age != "" {
				w.Header().Set("Age", age)
			}
			azurePage(w, "t/", "")
		}), nil)
		_, told, err := l.StoreClock(t.Context(), azureAt("t"))
		require.NoError(t, err)
		require.Equal(t, known, told)
	}
}

// A hierarchical namespace is listed folder by folder: what lies in t/a comes before
// t/a-b, which comes first in the order of the keys. Who lists from keys on misses
// some there, and no page shows it.
func TestAHierarchicalNamespaceIsListedFromItsBeginningToItsEnd(t *testing.T) {
	t.Parallel()
	var names []string
	for _, folder := range []string{"a", "a-1", "a-2", "b"} {
		for i := range 300 {
			names = append(names, fmt.Sprintf("t/%s/%04d.parquet", folder, i))
		}
	}
	folder := &azureFolder{names: names, page: 50, startFrom: true, hierarchical: true, together: make(chan struct{})}
	close(folder.together)
	folder.once.Do(func() {})
	l := openAzure(t, only("list", folder.list), nil)
	var found []string
	for o, err := range l.ListParallel(t.Context(), azureAt("t"), storage.ListConfig{InFlight: 8}) {
		require.NoError(t, err)
		found = append(found, o.Location.Key)
	}
	require.Equal(t, names, found)
}
