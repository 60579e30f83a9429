package standin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/standin"
)

// exchange is one line of testdata/exchanges.
type exchange struct {
	Name    string `json:"name"`
	As      string `json:"as"`
	Request struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Query   string            `json:"query"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    any               `json:"body"`
	} `json:"response"`
}

// recording is a file of exchanges and the state of the server before them.
type recording struct {
	file       string
	purge      bool // catalogs may purge
	opts       standin.Options
	namespaces []string // catalog/level/level
	tables     []string // catalog/level/name
	views      []string
	generic    []string
	before     map[string]func(*replay) // by name of an exchange
	differs    map[string]string        // why an exchange is not compared
}

// replay sends recorded requests to a stand-in. What a real server made up (ids,
// tokens, locations) is replaced by what this one made up.
type replay struct {
	*testing.T
	server  *standin.Server
	store   *s3test.Server
	folder  string
	clock   atomic.Int64
	tokens  map[string]string // by principal
	ids     map[string]string // client id and secret, of principals made by the replay
	secrets map[string]string
	names   map[string]string // recorded value: ours
}

func newReplay(t *testing.T, r recording) *replay {
	t.Helper()
	p := &replay{
		T: t, store: s3test.Start(t, s3test.Options{Buckets: []string{"lab"}}), folder: t.TempDir(),
		tokens: map[string]string{}, ids: map[string]string{}, secrets: map[string]string{}, names: map[string]string{},
	}
	p.clock.Store(1795360300000) // shortly before the first recorded time
	s3 := &standin.S3{Endpoint: p.store.Endpoint(), Region: "us-west-2", AccessKeyID: "a", SecretAccessKey: "b"}
	static := *s3
	static.NoSTS = true
	opts := r.opts
	opts.Now = func() time.Time { return time.UnixMilli(p.clock.Add(1)) }
	opts.Catalogs = []standin.Catalog{
		{Name: "s3cat", Location: "s3://lab/wh", S3: s3, Properties: map[string]string{
			"owner": "data", "table-default.write.metadata.previous-versions-max": "50",
		}},
		{Name: "s3static", Location: "s3://lab/static", S3: &static},
		{Name: "privcat", Location: "s3://lab/priv", S3: s3},
		{Name: "filecat", Location: "file://" + p.folder + "/file"},
		{Name: "polcat", Location: "file://" + p.folder + "/pol"},
		{Name: "plancat", Location: "file://" + p.folder + "/plan", Properties: map[string]string{"scan-planning-mode": "server"}},
	}
	if r.purge {
		for i := range opts.Catalogs {
			all := map[string]string{withPurge: "true"}
			maps.Copy(all, opts.Catalogs[i].Properties)
			opts.Catalogs[i].Properties = all
		}
	}
	p.server = standin.Start(t, opts)
	p.ids[standin.RootID], p.secrets[standin.RootID] = standin.RootID, standin.RootSecret
	for name, privileges := range map[string][]string{
		"nopriv": nil, "lister": {"TABLE_LIST"}, "propreader": {"TABLE_READ_PROPERTIES"}, "datareader": {"TABLE_READ_DATA"},
	} {
		credential, err := p.server.CreatePrincipal(name, "s3cat", privileges...)
		require.NoError(t, err)
		p.ids[name], p.secrets[name], _ = strings.Cut(credential, ":")
	}
	for _, path := range r.namespaces {
		parts := strings.Split(path, "/")
		require.NoError(t, p.server.CreateNamespace(parts[0], parts[1:]...))
	}
	for _, path := range r.tables {
		p.makeTable(path)
	}
	for _, path := range r.views {
		require.NoError(t, p.server.AddView(tableAt(path)))
	}
	for _, path := range r.generic {
		require.NoError(t, p.server.AddGenericTable(tableAt(path), "csv"))
	}
	return p
}

func tableAt(path string) standin.Table {
	parts := strings.Split(path, "/")
	return standin.Table{Catalog: parts[0], Namespace: parts[1 : len(parts)-1], Name: parts[len(parts)-1]}
}

const someSchema = `{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"id","type":"long","required":true}]}`

func (p *replay) makeTable(path string) {
	t := tableAt(path)
	require.NoError(p, p.server.CreateNamespace(t.Catalog, t.Namespace...))
	status, _, _ := p.send(http.MethodPost, "/api/catalog/v1/"+t.Catalog+"/namespaces/"+strings.Join(t.Namespace, "%1F")+"/tables", "",
		p.as("root"), `{"name":"`+t.Name+`","schema":`+someSchema+`}`)
	require.Equal(p, http.StatusOK, status, path)
}

// etag is the tag of a table whose metadata cannot be loaded any more.
func (p *replay) etag(path string) string {
	return etagOf(p.server.MetadataLocation(p.Context(), tableAt(path)))
}

func etagOf(location string) string {
	sum := sha256.Sum256([]byte(location))
	return `W/"` + hex.EncodeToString(sum[:]) + `"`
}

func (p *replay) as(principal string) map[string]string {
	if p.tokens[principal] == "" {
		form := "grant_type=client_credentials&scope=PRINCIPAL_ROLE:ALL&client_id=" + p.ids[principal] + "&client_secret=" + p.secrets[principal]
		status, _, body := p.send(http.MethodPost, "/api/catalog/v1/oauth/tokens", "",
			map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Polaris-Realm": standin.DefaultRealm}, form)
		require.Equal(p, http.StatusOK, status, "token of %s", principal)
		p.tokens[principal] = body.(map[string]any)["access_token"].(string)
	}
	return map[string]string{"Authorization": "Bearer " + p.tokens[principal], "Content-Type": "application/json"}
}

func (p *replay) send(method, path, query string, headers map[string]string, body string) (int, http.Header, any) {
	p.Helper()
	address := strings.TrimSuffix(p.server.URI(), "/api/catalog") + path
	if query != "" {
		address += "?" + query
	}
	r, err := http.NewRequestWithContext(p.Context(), method, address, strings.NewReader(body))
	require.NoError(p, err)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	require.NoError(p, err)
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	require.NoError(p, err)
	var decoded any
	if len(data) > 0 {
		decoder := json.NewDecoder(strings.NewReader(string(data)))
		decoder.UseNumber()
		require.NoError(p, decoder.Decode(&decoded), string(data))
	}
	return answer.StatusCode, answer.Header, decoded
}

var timestamps = regexp.MustCompile(`"timestamp-ms":\s*(\d{13})`)

// body gives the request's body: JSON, or the text that was not JSON.
func (p *replay) body(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	if text == "null" {
		text = ""
	}
	p.tick([]byte(text))
	return p.translate(text)
}

// tick moves the clock to the latest time that a request or a table tells.
func (p *replay) tick(text []byte) {
	for _, found := range timestamps.FindAllSubmatch(text, -1) {
		var at int64
		require.NoError(p, json.Unmarshal(found[1], &at))
		p.clock.Store(max(at, p.clock.Load()))
	}
}

func (p *replay) translate(text string) string {
	for recorded, ours := range p.names {
		text = strings.ReplaceAll(text, recorded, ours)
	}
	text = strings.ReplaceAll(text, "/warehouse", p.folder)
	text = strings.ReplaceAll(text, "client_id=<client-id>", "client_id="+p.ids["maint"])
	secret := standin.RootSecret
	if strings.Contains(text, "client_id="+p.ids["maint"]) && p.ids["maint"] != "" {
		secret = p.secrets["maint"]
	}
	return strings.NewReplacer("<client-secret>", secret, "<token>", p.tokens["root"]).Replace(text)
}

func (p *replay) headers(e exchange) map[string]string {
	all := map[string]string{}
	if e.As != "" {
		all = p.as(e.As)
		delete(all, "Content-Type")
	}
	basic := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, value := range e.Request.Headers {
		value = strings.NewReplacer(
			"<base64 of client-id:client-secret>", basic(standin.RootID+":"+standin.RootSecret),
			"<base64 of client-id:wrong>", basic(standin.RootID+":wrong"),
		).Replace(value)
		all[name] = p.translate(value)
	}
	return all
}

// learn remembers what stands for a recorded value here.
func (p *replay) learn(recorded, ours any) {
	switch r := recorded.(type) {
	case map[string]any:
		o, ok := ours.(map[string]any)
		if !ok {
			return
		}
		for _, name := range []string{"table-uuid", "metadata-location", "next-page-token"} {
			from, _ := r[name].(string)
			to, _ := o[name].(string)
			if from != "" && to != "" {
				p.names[from] = to
			}
		}
		p.learn(r["metadata"], o["metadata"])
	}
}

func (p *replay) run(e exchange, why string) {
	p.Helper()
	status, header, body := p.send(e.Request.Method, e.Request.Path, p.translate(e.Request.Query), p.headers(e), p.body(e.Request.Body))
	p.learn(e.Response.Body, body)
	if tag := e.Response.Headers["etag"]; tag != "" && header.Get("Etag") != "" {
		p.names[tag] = header.Get("Etag")
	}
	if strings.HasSuffix(e.Request.Path, "/v1/principals") && status == http.StatusCreated {
		made := body.(map[string]any)["credentials"].(map[string]any)
		p.ids["maint"], p.secrets["maint"] = made["clientId"].(string), made["clientSecret"].(string)
	}
	if why != "" {
		return
	}
	differences := compare(e, status, header, body)
	if len(differences) > 0 {
		p.Errorf("%s: %s %s?%s\n  %s", e.Name, e.Request.Method, e.Request.Path, e.Request.Query, strings.Join(differences, "\n  "))
	}
}

func readExchanges(t *testing.T, file string) []exchange {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "exchanges", file+".json"))
	require.NoError(t, err)
	var all []exchange
	require.NoError(t, json.Unmarshal(data, &all))
	return all
}

func TestRecordedRequestsGetTheRecordedAnswers(t *testing.T) {
	t.Parallel()
	for _, r := range recordings {
		t.Run(r.file, func(t *testing.T) {
			t.Parallel()
			p := newReplay(t, r)
			unused := maps.Clone(r.differs)
			for _, e := range readExchanges(t, r.file) {
				if before := r.before[e.Name]; before != nil {
					before(p)
				}
				p.run(e, r.differs[e.Name])
				delete(unused, e.Name)
			}
			require.Empty(t, unused, "reasons for exchanges that are not there")
		})
	}
}

// TestTheComparisonSeesADifference keeps the test above from passing for nothing.
func TestTheComparisonSeesADifference(t *testing.T) {
	t.Parallel()
	var e exchange
	e.Response.Status = http.StatusConflict
	e.Response.Headers = map[string]string{"content-type": "application/json", "retry-after": "3"}
	e.Response.Body = map[string]any{"error": map[string]any{"type": "A", "message": "", "code": 0.0}}
	body := map[string]any{"error": map[string]any{"type": "B", "code": json.Number("1")}}
	found := compare(e, http.StatusOK, http.Header{"Etag": {`W/"x"`}}, body)
	text := strings.Join(found, "\n")
	for _, want := range []string{"status", "content-type", "retry-after", "etag", "error.type", "error.message"} {
		require.Contains(t, text, want)
	}
}
