package standin

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// delegation reads X-Iceberg-Access-Delegation. Words that are not known are
// passed over; remote signing alone is refused.
func delegation(header string) (vend bool, err error) {
	signing := false
	for _, word := range strings.Split(header, ",") {
		switch strings.TrimSpace(word) {
		case "vended-credentials":
			vend = true
		case "remote-signing":
			signing = true
		}
	}
	if signing && !vend {
		return false, badRequest("Unsupported access delegation mode: REMOTE_SIGNING")
	}
	return vend, nil
}

// vendedCredential is an entry of storage-credentials.
type vendedCredential struct {
	Prefix string            `json:"prefix"`
	Config map[string]string `json:"config"`
}

// Session is what was vended under a session token, for a test that plays the
// store: it sees the token in the header X-Amz-Security-Token.
type Session struct {
	// Locations that the keys are for.
	Locations []string
	// Expires is when a store would refuse them.
	Expires time.Time
	// Write is false for who may only read the table.
	Write bool
}

// Session gives what was vended under the token.
func (s *Server) Session(token string) (Session, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	session, ok := s.sessions[token]
	return session, ok
}

// addAccess tells where the store is and, if asked, vends keys. A FILE table gets
// neither. Keys are told twice: in config and, with the place they are for, in
// storage-credentials; what does not expire with them is only in config.
func (s *Server) addAccess(q *request, body *loadBody, t Table, metadata *document, vend bool) error {
	if q.catalog.S3 == nil || !strings.HasPrefix(metadata.Location, "s3") {
		return nil
	}
	body.Config = map[string]string{
		"s3.endpoint": q.catalog.S3.Endpoint, "s3.path-style-access": "true",
		"client.region": cmp.Or(q.catalog.S3.Region, "us-east-1"),
	}
	if !vend {
		return nil
	}
	credential, err := s.vend(q, t, metadata)
	if err != nil {
		return err
	}
	for name, value := range credential.Config {
		body.Config[name] = value
	}
	body.Config["client.refresh-credentials-endpoint"] = credentialsPath(t)
	body.Credentials = []vendedCredential{credential}
	return nil
}

func credentialsPath(t Table) string {
	levels := make([]string, len(t.Namespace))
	for i, level := range t.Namespace {
		levels[i] = url.PathEscape(level)
	}
	return "v1/" + url.PathEscape(t.Catalog) + "/namespaces/" + strings.Join(levels, "%1F") + "/tables/" +
		url.PathEscape(t.Name) + "/credentials"
}

func (s *Server) vend(q *request, t Table, metadata *document) (vendedCredential, error) {
	store := q.catalog.S3
	if store.NoSTS {
		return vendedCredential{}, badRequest("Credential vending was requested for table %s, but no credentials are available", dotted(t.Namespace, t.Name))
	}
	session := Session{
		Locations: []string{metadata.Location},
		Expires:   time.Now().Add(time.Duration(s.lifetime.Load())),
		Write:     q.caller.may(q.catalog, "LOAD_TABLE_WITH_WRITE_DELEGATION", t.Namespace, t.Name),
	}
	for _, name := range []string{"write.data.path", "write.metadata.path"} {
		if place := metadata.Properties[name]; place != "" {
			session.Locations = append(session.Locations, place)
		}
	}
	token := "session." + rand.Text()
	s.mu.Lock()
	s.sessions[token] = session
	s.mu.Unlock()
	return vendedCredential{Prefix: metadata.Location, Config: map[string]string{
		"s3.access-key-id": store.AccessKeyID, "s3.secret-access-key": store.SecretAccessKey,
		"s3.session-token":               token,
		"s3.session-token-expires-at-ms": strconv.FormatInt(session.Expires.UnixMilli(), 10),
	}}, nil
}

// loadCredentials renews keys. The real server reads no metadata for it; here the
// table's places are looked up, and its last known ones serve when the file is
// gone.
func (s *Server) loadCredentials(q *request) (*answer, error) {
	t, err := s.target(q, "LOAD_TABLE_WITH_READ_DELEGATION")
	if err != nil {
		return nil, err
	}
	all := []vendedCredential{}
	if q.catalog.S3 != nil && strings.HasPrefix(t.location, "s3") {
		metadata, err := q.catalog.load(q.ctx(), t.location)
		if err != nil {
			folder, _, _ := strings.Cut(t.location, "/metadata/")
			metadata = &document{Location: folder}
		}
		credential, err := s.vend(q, t.Table, metadata)
		if err != nil {
			return nil, err
		}
		all = append(all, credential)
	}
	return &answer{status: http.StatusOK, body: map[string]any{"storage-credentials": all}}, nil
}
