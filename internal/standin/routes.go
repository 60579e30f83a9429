package standin

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Where the interfaces of a Polaris are.
const (
	catalogRoot    = "/api/catalog"
	managementRoot = "/api/management"
)

// separator joins the levels of a namespace in paths and queries.
const separator = "\x1f"

// handler carries a request out.
type handler func(*Server, *request) (*answer, error)

// request is an HTTP request with what its path and body say.
type request struct {
	*http.Request
	kind    Kind
	handle  handler
	path    []string // decoded segments that the route left open
	catalog *catalog // nil: there is none of that name
	caller  *caller
	body    []byte
}

// maxBody is what Quarkus takes, 10 MiB.
const maxBody = 10 << 20

// ServeHTTP counts the request, applies faults, and serves it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := route(r)
	if !s.meter.begin(q.kind) {
		return
	}
	recorder := &statusRecorder{ResponseWriter: w}
	defer func() { s.meter.end(q.kind, recorder.status) }()
	s.setRequestID(recorder, r)
	if s.faulty(recorder, q) {
		return
	}
	a, err := s.serve(q)
	write(recorder, r, a, err)
}

func (s *Server) setRequestID(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Request-ID")
	if id == "" {
		id = "standin_" + strconv.FormatInt(s.requestID.Add(1), 10)
	}
	w.Header().Set("X-Request-ID", id)
}

// serve carries the request out: realm, then token, then what is asked.
func (s *Server) serve(q *request) (*answer, error) {
	if err := q.readBody(); err != nil {
		return nil, err
	}
	realm := q.Header.Get("Polaris-Realm")
	if realm == "" && s.opts.RequireRealm || realm != "" && realm != s.opts.Realm {
		return nil, refuse(http.StatusNotFound, "MissingOrInvalidRealm", "Missing or invalid realm")
	}
	if q.kind != Token {
		caller, err := s.identify(q.Request)
		if err != nil {
			return nil, err
		}
		q.caller = caller
	}
	if q.handle == nil || s.opts.Anonymous && q.kind.ofPolaris() {
		return nil, notFoundPath(q.Request)
	}
	return q.handle(s, q)
}

func notFoundPath(r *http.Request) error {
	if r.Method == http.MethodPatch {
		return refuse(http.StatusMethodNotAllowed, "NotAllowedException", "HTTP 405 Method Not Allowed")
	}
	if strings.HasPrefix(r.URL.Path, catalogRoot) || strings.HasPrefix(r.URL.Path, managementRoot) {
		return refuse(http.StatusNotFound, "NotFoundException", "Unable to find matching target resource method")
	}
	return refuse(http.StatusNotFound, "NotFoundException", "HTTP 404 Not Found")
}

// readBody reads it whole: only then does the server notice that a client left.
func (q *request) readBody() error {
	var body io.Reader = http.MaxBytesReader(nil, q.Body, maxBody)
	if q.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return malformed()
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &Refusal{Status: http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return malformed()
	}
	q.body = data
	return nil
}

// decode reads the JSON body as a Polaris does: what is not JSON is told apart
// from JSON of another shape.
func (q *request) decode(into any) error {
	if media, _, _ := strings.Cut(q.Header.Get("Content-Type"), ";"); media != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "NotSupportedException",
			"The content-type header value did not match the value in @Consumes")
	}
	if len(bytes.TrimSpace(q.body)) == 0 {
		return refuse(http.StatusInternalServerError, "NullPointerException", "the request is null")
	}
	if !json.Valid(q.body) {
		return malformed()
	}
	if err := json.Unmarshal(q.body, into); err != nil {
		return misshapen()
	}
	return nil
}

// namespace gives the levels that a path segment or query value names.
func namespace(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, separator)
}

// pattern is one line of the interface. A segment of "*" is left open.
type pattern struct {
	method string
	path   string
	kind   Kind
	handle handler
}

func (p pattern) match(method string, segments []string) ([]string, bool) {
	wanted := strings.Split(p.path, "/")
	if len(wanted) != len(segments) || p.method != method {
		return nil, false
	}
	var open []string
	for i, want := range wanted {
		switch {
		case want == "*":
			open = append(open, segments[i])
		case want != segments[i]:
			return nil, false
		}
	}
	return open, true
}

// route finds out what is asked. Segments are decoded one by one, since a name
// may hold an encoded slash.
func route(r *http.Request) *request {
	q := &request{Request: r, kind: Other}
	escaped := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return q
		}
		segments[i] = decoded
	}
	for _, p := range patterns {
		if open, ok := p.match(r.Method, segments); ok {
			q.kind, q.handle, q.path = p.kind, p.handle, open
			break
		}
	}
	return q
}

var patterns = slices.Concat(catalogPatterns, policyPatterns, managementPatterns)
