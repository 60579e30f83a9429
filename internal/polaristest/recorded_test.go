package polaristest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The recording's catalogs, namespace, and principal without privileges.
const (
	s3Catalog    = "s3cat"
	fileCatalog  = "filecat"
	recordedIn   = "d"
	unprivileged = "nopriv"
)

// recordedProperties are those that the recording's catalog had.
var recordedProperties = map[string]any{"owner": "data", "table-default.write.metadata.previous-versions-max": "50"}

// replay sends recorded requests and compares the answers.
type replay struct {
	clients map[string]*Client // by the recording's name of the principal
	// before runs what the recording did unseen before an exchange.
	before map[string]func()
	// skip says why an exchange cannot be had here; "" if it can.
	skip     func(exchange) string
	likeness *likeness
	etag     string // what If-None-Match asks for
	answers  []Answer
}

// run compares all that are not skipped, and counts them.
func (r *replay) run(t *testing.T, all []exchange) (compared int) {
	t.Helper()
	skipped := map[string][]string{}
	for _, e := range all {
		if prepare := r.before[e.Name]; prepare != nil {
			prepare()
		}
		if r.skip != nil {
			if why := r.skip(e); why != "" {
				skipped[why] = append(skipped[why], e.Name)
				continue
			}
		}
		client, found := r.clients[e.As]
		require.True(t, found, "%s is asked as %q", e.Name, e.As)
		path, header, body := e.Request.Path, http.Header{}, []byte(e.Request.Body)
		if e.Request.Query != nil {
			path += "?" + *e.Request.Query
		}
		if string(body) == "null" {
			body = nil
		}
		for _, name := range []string{"Content-Type", "If-None-Match"} {
			if value := e.Request.Headers[name]; value != "" {
				header.Set(name, value)
			}
		}
		if header.Get("If-None-Match") != "" {
			header.Set("If-None-Match", r.etag)
		}
		answer, err := client.send(t.Context(), e.Request.Method, path, header, body)
		require.NoError(t, err)
		require.NoError(t, r.likeness.check(e, answer), "%s: %s %s", e.Name, e.Request.Method, path)
		r.answers = append(r.answers, answer)
		compared++
	}
	t.Logf("%d of %d recorded exchanges answered alike", compared, len(all))
	for why, names := range skipped {
		t.Logf("%d not compared, since %s: %s", len(names), why, strings.Join(names, "; "))
	}
	return compared
}

// bothWays plays a recording to the extension and to a stock server, and compares
// also the headers that the recording has not.
func bothWays(t *testing.T, r *ring, play func(*testing.T, *ring, bool) []Answer) {
	got := play(t, r, false)
	want := play(t, newRing(t, r.home, r.database != ""), true)
	require.Len(t, got, len(want))
	for i := range want {
		require.NoError(t, equalHeaders(want[i].Header, got[i].Header, "Date"), "exchange %d: %s", i, want[i].Body)
	}
}

func recordedDrops(t *testing.T, r *ring) { bothWays(t, r, playDrops) }

func recordedRefusals(t *testing.T, r *ring) { bothWays(t, r, playRefusals) }

func playDrops(t *testing.T, r *ring, stock bool) []Answer {
	storage := newLake(t)
	server, c := r.serve(t, func(o *Options) {
		o.Stock = stock
		storage.properties(o)
	})
	defer server.Stop()
	ctx := t.Context()
	require.NoError(t, c.createCatalog(ctx, s3Catalog, lakeRoot, storage.storage(), recordedProperties, recordedIn))
	require.NoError(t, os.MkdirAll(r.warehouse, 0o750))
	require.NoError(t, c.CreateCatalog(ctx, fileCatalog, r.warehouse, recordedIn))
	prepare(t, c, s3Catalog, "a", "b", "c", "e", "f")
	prepare(t, c, fileCatalog, "ff")
	nobody, err := c.createUnprivileged(ctx, s3Catalog, unprivileged)
	require.NoError(t, err)

	all := recording(t, "06-drop.json", "<access-key>", vendedKey, "<secret-key>", vendedSecret, "<session-token>", vendedToken)
	play := &replay{clients: map[string]*Client{"root": c, unprivileged: nobody}, likeness: newLikeness()}
	spoil := func(table, data string) func() {
		return func() {
			prepare(t, c, s3Catalog, table)
			answer, err := c.Must(ctx, http.StatusOK, http.MethodGet, tables(s3Catalog, recordedIn)+"/"+table, nil)
			require.NoError(t, err)
			play.etag = answer.Header.Get("ETag")
			loaded, err := c.Load(ctx, s3Catalog, recordedIn, table)
			require.NoError(t, err)
			require.NoError(t, play.likeness.bind(recordedMetadata(t, all, table), madeUp.FindString(loaded.MetadataLocation)))
			storage.damage(t, loaded.MetadataLocation, data)
		}
	}
	play.before = map[string]func(){
		"load, metadata file is missing in storage":             spoil("gone", ""),
		"load, metadata file is not JSON (may still be cached)": spoil("corrupt", "this is not JSON"),
	}
	require.Equal(t, len(all), play.run(t, all))
	return play.answers
}

func playRefusals(t *testing.T, r *ring, stock bool) []Answer {
	storage := newLake(t)
	server, c := r.serve(t, func(o *Options) {
		o.Stock, o.PurgeRefused = stock, true
		storage.properties(o)
	})
	defer server.Stop()
	ctx := t.Context()
	require.NoError(t, c.createCatalog(ctx, s3Catalog, lakeRoot, storage.storage(), recordedProperties, recordedIn))
	prepare(t, c, s3Catalog, "a", "b")
	all := recording(t, "06-drop-refused.json", "/warehouse", r.warehouse)
	play := &replay{clients: map[string]*Client{"root": c}, likeness: newLikeness(), before: map[string]func(){
		"catalog property polaris.config.drop-with-purge.enabled=true: purge allowed": func() {
			require.NoError(t, c.createNamespace(ctx, "purgecat", recordedIn))
			prepare(t, c, "purgecat", "a")
		},
		"catalog property polaris.config.purge-view-metadata-on-drop=false: drop view": func() {
			require.NoError(t, c.createNamespace(ctx, "viewcat", recordedIn))
			_, err := c.Must(ctx, http.StatusOK, http.MethodPost, "/api/catalog/v1/viewcat/namespaces/"+recordedIn+"/views", aView(recordedIn))
			require.NoError(t, err)
		},
	}}
	require.NoError(t, os.MkdirAll(r.warehouse+"/purgecat", 0o750))
	require.NoError(t, os.MkdirAll(r.warehouse+"/viewcat", 0o750))
	require.Equal(t, len(all), play.run(t, all))
	return play.answers
}

// prepare makes tables in the recording's namespace.
func prepare(t *testing.T, c *Client, catalog string, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := c.CreateTable(t.Context(), catalog, recordedIn, name)
		require.NoError(t, err)
	}
}

// recordedMetadata is the UUID in the name of a table's metadata file, as the
// recording has it.
func recordedMetadata(t *testing.T, all []exchange, table string) string {
	t.Helper()
	location := regexp.MustCompile(`/` + table + `/metadata/00000-[^"]*\.metadata\.json`)
	for _, e := range all {
		if found := location.Find(e.Response.Body); found != nil {
			return madeUp.FindString(string(found))
		}
	}
	t.Fatalf("the recording has no metadata file of %s", table)
	return ""
}

// createUnprivileged makes a principal, with a role <name>_role, that has a role
// <name>_cr without privileges in a catalog.
func (c *Client) createUnprivileged(ctx context.Context, catalog, name string) (*Client, error) {
	const management = "/api/management/v1/"
	answer, err := c.Must(ctx, http.StatusCreated, http.MethodPost, management+"principals", map[string]any{"principal": map[string]any{"name": name}})
	if err != nil {
		return nil, err
	}
	var made struct {
		Credentials struct {
			ID     string `json:"clientId"`
			Secret string `json:"clientSecret"`
		} `json:"credentials"`
	}
	if err := answer.decode(&made); err != nil {
		return nil, err
	}
	role, inCatalog := map[string]any{"name": name + "_role"}, map[string]any{"name": name + "_cr"}
	for _, step := range []struct {
		method, path, key string
		value             any
	}{
		{http.MethodPost, "principal-roles", "principalRole", role},
		{http.MethodPut, "principals/" + name + "/principal-roles", "principalRole", role},
		{http.MethodPost, "catalogs/" + catalog + "/catalog-roles", "catalogRole", inCatalog},
		{http.MethodPut, "principal-roles/" + name + "_role/catalog-roles/" + catalog, "catalogRole", inCatalog},
	} {
		if _, err := c.Must(ctx, http.StatusCreated, step.method, management+step.path, map[string]any{step.key: step.value}); err != nil {
			return nil, err
		}
	}
	return Connect(ctx, c.url, c.realm, fmt.Sprintf("%s:%s", made.Credentials.ID, made.Credentials.Secret))
}
