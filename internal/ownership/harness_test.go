package ownership_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/ownership"
	"deckhand/internal/polaris"
	"deckhand/internal/pulltest"
	"deckhand/internal/secret"
	"deckhand/internal/standin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// town is a catalog with tables of metadata alone, an index of it, and a clock.
type town struct {
	*pulltest.Lake
	t     testing.TB
	index *ownership.Index

	mu  sync.Mutex
	now time.Time
}

func newTown(t testing.TB, change ...func(*ownership.Config)) *town {
	t.Helper()
	return settle(t, pulltest.New(t, ""), "", change...)
}

// settle makes an index of a lake for the owner of a credential, by default the
// lake's own principal, with the rights that see views besides.
func settle(t testing.TB, lake *pulltest.Lake, credential string, change ...func(*ownership.Config)) *town {
	t.Helper()
	w := &town{Lake: lake, t: t, now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	if credential == "" {
		var err error
		credential, err = lake.Server.CreatePrincipal("asker-"+uuid.NewString(), "lake", "TABLE_READ_PROPERTIES", "NAMESPACE_LIST", "VIEW_READ_PROPERTIES")
		require.NoError(t, err)
	}
	client, err := polaris.New(polaris.Config{
		URI: lake.Server.URI(), Warehouse: "lake", Credential: secret.String(credential),
		RequestsPerSecond: 1e6, InFlight: 16, Retries: -1, RequestTimeout: 2 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	cfg := ownership.Config{Client: client, Now: w.time}
	for _, c := range change {
		c(&cfg)
	}
	w.index, err = ownership.New(cfg)
	require.NoError(t, err)
	return w
}

func (w *town) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *town) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// home is a table's metadata file and what is said in it.
type home struct{ uuid, root, location string }

// build writes a metadata file; more fields or others win.
func (w *town) build(name string, more map[string]any) home {
	w.t.Helper()
	h := home{uuid: uuid.NewString(), location: "file://" + filepath.Join(w.Warehouse(), name)}
	var m map[string]any
	require.NoError(w.t, json.Unmarshal(pulltest.Metadata(h.uuid, h.location, w.now, nil), &m))
	for key, value := range more {
		m[key] = value
		if value == nil {
			delete(m, key)
		}
	}
	data, err := json.Marshal(m)
	require.NoError(w.t, err)
	path := filepath.Join(w.Warehouse(), name, "metadata", uuid.NewString()+".metadata.json")
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(w.t, os.WriteFile(path, data, 0o600))
	h.root = "file://" + path
	h.uuid, _ = m["table-uuid"].(string)
	h.location, _ = m["location"].(string)
	return h
}

// register makes the file known as a table; levels end in its name.
func (w *town) register(h home, levels ...string) {
	w.t.Helper()
	require.NoError(w.t, w.Server.Register(w.t.Context(), pulltest.In(levels...), h.root))
}

func (w *town) settled(levels ...string) home {
	h := w.build(levels[len(levels)-1], nil)
	w.register(h, levels...)
	return h
}

func (w *town) drop(levels ...string) {
	w.t.Helper()
	require.NoError(w.t, w.Server.Drop(w.t.Context(), pulltest.In(levels...)))
}

// of asks for a table that was called n.t.
func (h home) of() ownership.Query {
	return ownership.Query{ID: id("n", "t"), UUID: h.uuid, MetadataLocation: h.root}
}

func id(levels ...string) polaris.Identifier {
	last := len(levels) - 1
	return polaris.Identifier{Namespace: levels[:last], Name: levels[last]}
}

// owner of the files is asked for; it must be known.
func (w *town) owner(q ownership.Query) *ownership.Owner {
	w.t.Helper()
	answer, err := w.index.Owner(w.t.Context(), q)
	require.NoError(w.t, err)
	return answer.Owner
}

func (w *town) counts() map[standin.Kind]int64 {
	counts := w.Server.Counts()
	delete(counts, standin.Token)
	delete(counts, standin.Config)
	return counts
}

// describeView says what the view n.name is.
func (w *town) describeView(name string) *polaris.Description {
	w.t.Helper()
	client, err := polaris.New(polaris.Config{URI: w.Server.URI(), Warehouse: "lake", Credential: secret.String(standin.RootID + ":" + standin.RootSecret)})
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, client.Close()) }()
	view, err := client.DescribeView(w.t.Context(), id("n", name), "")
	require.NoError(w.t, err)
	return view
}
