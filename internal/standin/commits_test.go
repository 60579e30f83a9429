package standin_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/standin"
)

func TestOfWritersAtOnceNoneIsLost(t *testing.T) {
	t.Parallel()
	p := stage(t)
	p.as("root")
	const writers = 8
	var all sync.WaitGroup
	won := make([]bool, writers)
	for i := range writers {
		all.Go(func() {
			name := string(rune('a' + i))
			err := p.server.Commit(context.Background(), tableAt("filecat/n/orders"), nil,
				[]table.Update{table.NewSetPropertiesUpdate(map[string]string{name: "1"})})
			var refusal *standin.Refusal
			if errors.As(err, &refusal) {
				if refusal.Status != http.StatusConflict {
					t.Errorf("refused: %v", err)
				}
				return
			}
			won[i] = err == nil
		})
	}
	all.Wait()
	_, body := p.load()
	count := 0
	for i := range writers {
		if won[i] {
			count++
			require.Equal(t, "1", property(body, string(rune('a'+i))))
		}
	}
	require.Positive(t, count)
	log := body["metadata"].(map[string]any)["metadata-log"].([]any)
	require.Len(t, log, count, "each commit has its own metadata file")
}

// TestAWriterThatIsSlowerLoses lets another commit through while one writes its
// metadata.
func TestAWriterThatIsSlowerLoses(t *testing.T) {
	t.Parallel()
	p := newReplay(t, recording{tables: []string{"s3cat/n/t"}})
	commit := func(name string) error {
		return p.server.Commit(context.Background(), tableAt("s3cat/n/t"), nil,
			[]table.Update{table.NewSetPropertiesUpdate(map[string]string{name: "1"})})
	}
	var begun atomic.Bool
	p.store.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "PutObject" && begun.CompareAndSwap(false, true) {
			if err := commit("faster"); err != nil {
				t.Errorf("the faster commit: %v", err)
			}
		}
		return nil
	})
	err := commit("slower")
	var refusal *standin.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, http.StatusConflict, refusal.Status)
	require.Equal(t, "CommitConflictException", refusal.Type)

	var written []string
	for _, key := range p.store.Keys("lab") {
		written = append(written, "s3://lab/"+key)
	}
	require.Len(t, written, 2, "the metadata of the slower is removed: %v", written)
	require.Contains(t, written, p.server.MetadataLocation(t.Context(), tableAt("s3cat/n/t")))
	p.store.Fault(nil)
	require.NoError(t, commit("slower"))
}

// TestWhatACommitDoesNotNameStaysAsOtherEnginesWroteIt sets a property on each
// table of the zoo, and compares the metadata before and after.
func TestWhatACommitDoesNotNameStaysAsOtherEnginesWroteIt(t *testing.T) {
	t.Parallel()
	p := newReplay(t, recording{})
	n := 0
	for name, data := range zooMetadata(t) {
		n++
		path := "s3cat/zoo/" + strings.NewReplacer("/", "-", " ", "_", "+", "_", "%", "_").Replace(name)
		location := "s3://lab/zoo/" + name
		p.store.Put("lab", "zoo/"+name, data)
		require.NoError(t, p.server.Register(t.Context(), tableAt(path), location))
		err := p.server.Commit(t.Context(), tableAt(path), nil, []table.Update{table.NewSetPropertiesUpdate(map[string]string{"seen": "1"})})
		require.NoError(t, err, name)
		after := p.server.MetadataLocation(t.Context(), tableAt(path))
		bucket, key, _ := strings.Cut(strings.TrimPrefix(after, "s3://"), "/")
		written, there := p.store.Get(bucket, key)
		require.True(t, there, after)
		requireKept(t, name, data, written)
	}
	require.Greater(t, n, 100)
}

func requireKept(t *testing.T, name string, before, after []byte) {
	t.Helper()
	var b, a map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(before, &b))
	require.NoError(t, json.Unmarshal(after, &a))
	for field, value := range b {
		switch field {
		case "properties", "last-updated-ms", "metadata-log":
		default:
			require.JSONEq(t, string(value), string(a[field]), "%s: %s", name, field)
		}
	}
}

// zooMetadata are the metadata files of tables that lie in a bucket of this test,
// by their names.
func zooMetadata(t *testing.T) map[string][]byte {
	t.Helper()
	f, err := os.Open("../tabletest/testdata/zoo.tar.gz")
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	unpacked, err := gzip.NewReader(f)
	require.NoError(t, err)
	all := map[string][]byte{}
	for r := tar.NewReader(unpacked); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		if !strings.HasSuffix(header.Name, ".metadata.json") || strings.Contains(header.Name, ".gz.") {
			continue
		}
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		if strings.Contains(string(data), `"location" : "s3`) || strings.Contains(string(data), `"location":"s3`) {
			// new metadata goes where the table says: into this test's bucket
			all[header.Name] = []byte(strings.ReplaceAll(string(data), "s3://warehouse", "s3://lab"))
		}
	}
}
