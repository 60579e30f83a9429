package standin

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// tokens are those that were handed out and not expired by hand.
type tokens struct {
	mu    sync.Mutex
	valid map[string]grantedToken
}

type grantedToken struct {
	principal string
	roles     []string // of the scope; nil: all that the principal has
	expires   time.Time
}

// ExpireTokens makes every token that was handed out so far invalid.
func (s *Server) ExpireTokens() {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	s.tokens.valid = nil
}

func (t *tokens) issue(g grantedToken) string {
	name := "standin." + rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.valid == nil {
		t.valid = map[string]grantedToken{}
	}
	t.valid[name] = g
	return name
}

func (t *tokens) find(name string) (grantedToken, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.valid[name]
	return g, ok && time.Now().Before(g.expires)
}

const scopePrefix = "PRINCIPAL_ROLE:"

// oauthRefusal is the shape of errors of RFC 6749.
type oauthRefusal struct {
	Error       string  `json:"error"`
	Description string  `json:"error_description"`
	URI         *string `json:"error_uri"`
}

func refuseToken(status int, kind, description string) (*answer, error) {
	return &answer{status: status, body: oauthRefusal{Error: kind, Description: description}}, nil
}

// issueToken answers client credentials. A scope that names a role which the
// principal does not have gets a token all the same, as on the real server: one
// that no call takes.
func (s *Server) issueToken(q *request) (*answer, error) {
	media, _, _ := strings.Cut(q.Header.Get("Content-Type"), ";")
	if media != "application/x-www-form-urlencoded" {
		return nil, refuse(http.StatusUnsupportedMediaType, "NotSupportedException",
			"The content-type header value did not match the value in @Consumes")
	}
	form, err := url.ParseQuery(string(q.body))
	if err != nil {
		return nil, malformed()
	}
	if !form.Has("grant_type") {
		return nil, refuse(http.StatusInternalServerError, "NullPointerException", `Cannot invoke "Object.equals(Object)" because "o" is null`)
	}
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if header, ok := strings.CutPrefix(q.Header.Get("Authorization"), "Basic "); ok {
		decoded, err := base64.StdEncoding.DecodeString(header)
		if err != nil {
			return nil, badRequest("Illegal base64 character")
		}
		id, secret, _ = strings.Cut(string(decoded), ":")
	}
	if form.Get("grant_type") != "client_credentials" {
		return refuseToken(http.StatusBadRequest, "unsupported_grant_type", "The grant type is invalid")
	}
	roles, ok := scopeRoles(form.Get("scope"))
	switch {
	case id == "" || secret == "":
		return refuseToken(http.StatusBadRequest, "invalid_client", "The Client is invalid")
	case !ok:
		return refuseToken(http.StatusBadRequest, "invalid_scope", "The scope is invalid")
	}
	name, ok := s.authenticate(id, secret)
	if !ok {
		return refuseToken(http.StatusUnauthorized, "unauthorized_client", "The client is not authorized")
	}
	return okToken(s.tokens.issue(grantedToken{name, roles, time.Now().Add(s.opts.TokenLifetime)}), s.opts.TokenLifetime)
}

func okToken(token string, lifetime time.Duration) (*answer, error) {
	return ok(struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		IssuedType  string `json:"issued_token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}{token, "bearer", "urn:ietf:params:oauth:token-type:access_token", int64(lifetime / time.Second)})
}

// scopeRoles reads "PRINCIPAL_ROLE:ALL" (nil) or a list of roles.
func scopeRoles(scope string) (roles []string, ok bool) {
	words := strings.Fields(scope)
	for _, word := range words {
		role, ok := strings.CutPrefix(word, scopePrefix)
		if !ok || role == "" {
			return nil, false
		}
		roles = append(roles, role)
	}
	if slices.Contains(roles, "ALL") {
		roles = nil
	}
	return roles, len(words) > 0
}

// identify finds out who calls: 401 without a body for a token that is missing,
// unknown or expired.
func (s *Server) identify(r *http.Request) (*caller, error) {
	if s.opts.Anonymous {
		return s.caller(RootID, nil), nil
	}
	name, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	granted, valid := s.tokens.find(name)
	if found && valid {
		if c := s.caller(granted.principal, granted.roles); c != nil {
			return c, nil
		}
	}
	return nil, &Refusal{Status: http.StatusUnauthorized, header: http.Header{"Www-Authenticate": {"Bearer"}}}
}
