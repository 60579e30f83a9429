package polaristest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// running is a server that others run, and a place in it for one test.
type running struct {
	*Client
	address, realm, credential string
	catalog, namespace         string
	own                        bool   // the catalog is ours
	root                       string // location of the catalog's tables
}

// testRunning asks of a server that others run what can be asked: drops, the
// recorded answers, and with NATS_URL what becomes of a purge. Everything goes
// into a catalog of its own, or with POLARIS_CATALOG into a namespace of its own.
func testRunning(t *testing.T) {
	s := openRunning(t)
	t.Run("a purge is answered, and handed over", s.purge)
	t.Run("clients get the recorded answers", s.recorded)
}

// openRunning says in words what is missing.
func openRunning(t *testing.T) *running {
	t.Helper()
	s := &running{
		address: os.Getenv("POLARIS_URL"), realm: os.Getenv("POLARIS_REALM"), credential: os.Getenv("POLARIS_CREDENTIAL"),
		catalog: os.Getenv("POLARIS_CATALOG"), namespace: fmt.Sprint("deckhand_test_", time.Now().UnixNano()),
	}
	require.NotEmpty(t, s.credential, "a running Polaris is tested as a principal: POLARIS_CREDENTIAL=id:secret is missing")
	require.NotEmpty(t, s.realm, "a running Polaris is tested in a realm: POLARIS_REALM is missing (a server's default is POLARIS)")
	var err error
	s.Client, err = Connect(t.Context(), s.address, s.realm, s.credential)
	require.NoError(t, err, "POLARIS_CREDENTIAL gets no token in the realm %s", s.realm)
	if s.own = s.catalog == ""; s.own {
		s.catalog = s.namespace
		s.root = "file://" + filepath.Join(os.TempDir(), s.catalog)
		properties := map[string]any{"polaris.config.drop-with-purge.enabled": "true"}
		for name, value := range recordedProperties {
			properties[name] = value
		}
		t.Cleanup(func() { s.clean(t) })
		err = s.createCatalog(t.Context(), s.catalog, s.root, map[string]any{"storageType": "FILE"}, properties)
		require.NoError(t, err, "a catalog of this test's own cannot be had. It takes a principal that may create catalogs (CATALOG_CREATE, "+
			"as service_admin has) and grant in them, and a server that takes FILE storage; or name a catalog of yours by POLARIS_CATALOG")
	} else {
		t.Cleanup(func() { s.clean(t) })
	}
	require.NoError(t, s.createNamespace(t.Context(), s.catalog, s.namespace),
		"the principal may not create a namespace in %s: it lacks NAMESPACE_CREATE, or CATALOG_MANAGE_CONTENT, which is enough for all that follows", s.catalog)
	return s
}

// clean removes what is left, as far as it may.
func (s *running) clean(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var list struct {
		Identifiers []struct{ Name string } `json:"identifiers"`
	}
	answer, err := s.Do(ctx, http.MethodGet, tables(s.catalog, s.namespace), nil)
	if err != nil || answer.decode(&list) != nil {
		t.Logf("the namespace %s of %s cannot be cleaned: %v", s.namespace, s.catalog, err)
	}
	within := s.catalog + "/namespaces/" + s.namespace
	paths := []string{"/api/catalog/v1/" + within + "/views/v", "/api/catalog/polaris/v1/" + within + "/generic-tables/g"}
	for _, table := range list.Identifiers {
		paths = append(paths, tables(s.catalog, s.namespace)+"/"+table.Name)
	}
	paths = append(paths, "/api/catalog/v1/"+within)
	if s.own {
		paths = append(paths, "/api/management/v1/catalogs/"+s.catalog)
		_ = os.RemoveAll(strings.TrimPrefix(s.root, "file://"))
	}
	if s.own && os.Getenv("NATS_URL") != "" {
		if err := s.unqueue(ctx); err != nil {
			t.Logf("the jobs of the catalog %s are left in the queue: %v", s.catalog, err)
		}
	}
	for _, path := range paths {
		if answer, err := s.Do(ctx, http.MethodDelete, path, nil); err != nil || answer.Status >= http.StatusBadRequest && answer.Status != http.StatusNotFound {
			t.Logf("left behind: %s: status %d, %v", path, answer.Status, err)
		}
	}
}

func (s *running) purge(t *testing.T) {
	written := writeTable(t, s.address, s.realm, s.credential, s.catalog, s.namespace)
	_, err := s.Purge(t.Context(), s.catalog, s.namespace, "orders")
	require.NoError(t, err, "the principal lacks TABLE_DROP or TABLE_WRITE_DATA, or DROP_WITH_PURGE_ENABLED is off here")
	answer, err := s.Purge(t.Context(), s.catalog, s.namespace, "orders")
	require.Error(t, err)
	require.Equal(t, http.StatusNotFound, answer.Status)

	job := &jobs.Job{Kind: jobs.Purge, Realm: s.realm, Catalog: s.catalog, Namespace: []string{s.namespace}, Table: "orders", TableUUID: written.Metadata.UUID}
	if os.Getenv("NATS_URL") == "" {
		t.Log("not tested: what becomes of the purge, since NATS_URL is not set")
		return
	}
	nc, err := nats.Connect(os.Getenv("NATS_URL"))
	require.NoError(t, err)
	defer nc.Close()
	js := natstest.JetStream(t, nc)
	if s.own {
		t.Log("not tested: the receipt, since no worker knows a catalog of this test's own; POLARIS_CATALOG names one that a worker purges in")
		handedOver(t, js, job)
		return
	}
	receipt := receiptOf(t, js, job)
	require.EqualValues(t, 3, receipt.Deleted[purge.Data].Files)
	require.Equal(t, written.MetadataLocation, receipt.MetadataLocation)
}

// handedOver waits until a job is in the queue, or has left it with a result.
func handedOver(t *testing.T, js jetstream.JetStream, job *jobs.Job) {
	t.Helper()
	queue, err := js.Stream(t.Context(), jobs.StreamName)
	require.NoError(t, err)
	results, err := js.Stream(t.Context(), "RESULTS")
	require.NoError(t, err)
	subject := job.Subject()
	eventually(t, func() bool {
		_, err := queue.GetLastMsgForSubject(t.Context(), subject)
		if err != nil {
			_, err = results.GetLastMsgForSubject(t.Context(), jobs.ResultSubjectPrefix+job.Tail())
		}
		return err == nil
	}, "nothing on %s: does this server have the extension, and the same NATS?", subject)
}

// unqueue takes the jobs of the test's own catalog out of the queue, since no one
// can do them.
func (s *running) unqueue(ctx context.Context) error {
	nc, err := nats.Connect(os.Getenv("NATS_URL"))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	queue, err := js.Stream(ctx, jobs.StreamName)
	if err != nil {
		return err
	}
	// jobs.<kind>.<realm>.<catalog>.…
	tokens := strings.Split((&jobs.Job{Kind: jobs.Purge, Realm: s.realm, Catalog: s.catalog}).Subject(), ".")
	return queue.Purge(ctx, jetstream.WithPurgeSubject("jobs.*."+tokens[2]+"."+tokens[3]+".>"))
}

func (s *running) recorded(t *testing.T) {
	for _, name := range []string{"a", "b", "c", "e", "f", "ff"} {
		loaded, err := s.CreateTable(t.Context(), s.catalog, s.namespace, name)
		require.NoError(t, err, "the principal lacks TABLE_CREATE in %s", s.catalog)
		s.root = strings.TrimSuffix(loaded.Metadata.Location, "/"+s.namespace+"/"+name)
	}
	name, noOne := unprivileged, "no roles are made in a catalog of yours"
	clients := map[string]*Client{"root": s.Client}
	if s.own {
		name = unprivileged + "_" + s.namespace
		t.Cleanup(func() { s.removeUnprivileged(t, name) })
		nobody, err := s.createUnprivileged(t.Context(), s.catalog, name)
		if clients[name] = nobody; err != nil {
			noOne = "the principal may not make another one without privileges: " + err.Error()
		}
	}
	all := recording(t, "06-drop.json",
		"/"+s3Catalog, "/"+s.catalog, "/"+fileCatalog, "/"+s.catalog,
		"/namespaces/"+recordedIn+"/", "/namespaces/"+s.namespace+"/", `"`+recordedIn+`"`, `"`+s.namespace+`"`, ": "+recordedIn+".", ": "+s.namespace+".",
		lakeRoot+"/"+recordedIn+"/", s.root+"/"+s.namespace+"/", unprivileged, name)
	skipped, alike := 0, newLikeness()
	alike.onDisk = strings.HasPrefix(s.root, "file:")
	play := &replay{clients: clients, likeness: alike, skip: func(e exchange) (why string) {
		switch {
		case e.As == name && clients[name] == nil:
			why = noOne
		case strings.Contains(e.Request.Path, "/gone") || strings.Contains(e.Request.Path, "/corrupt"):
			why = "the storage of a running server is left alone"
		case !s.own && e.Name == "create view":
			why = "the answer holds properties that only the recording's catalog sets"
		}
		if why != "" {
			skipped++
		}
		return why
	}}
	if !s.own {
		play.before = map[string]func(){"drop a view by the table endpoint": func() {
			_, err := s.Must(t.Context(), http.StatusOK, http.MethodPost, "/api/catalog/v1/"+s.catalog+"/namespaces/"+s.namespace+"/views", aView(s.namespace))
			require.NoError(t, err, "the principal lacks VIEW_CREATE in %s", s.catalog)
		}}
	}
	compared := play.run(t, all)
	require.Equal(t, len(all), compared+skipped)
	require.GreaterOrEqual(t, compared, 20)
}

func (s *running) removeUnprivileged(t *testing.T, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, path := range []string{"principals/" + name, "principal-roles/" + name + "_role", "catalogs/" + s.catalog + "/catalog-roles/" + name + "_cr"} {
		if _, err := s.Do(ctx, http.MethodDelete, "/api/management/v1/"+path, nil); err != nil {
			t.Logf("left behind: %s: %v", path, err)
		}
	}
}
