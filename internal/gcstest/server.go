package gcstest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"deckhand/internal/storage"
)

// DefaultBucket is there from the start.
const DefaultBucket = "warehouse"

// Options of a server; the zero value has one bucket and takes any token, or none.
type Options struct {
	// Token is the only one that is taken.
	Token string
	// NoMultiDelete is a server without the deletes of the XML API, NoBatch one without
	// batches of the JSON API.
	NoMultiDelete, NoBatch bool
	// RewriteBytes is how much one request of a rewrite copies. Default: everything.
	RewriteBytes int64
	// PageSize is the most names in one answer to a listing. Default: what is asked for.
	PageSize int
	// Versioning is what a bucket says of versions, none of which are kept, and SoftDelete
	// of how long it keeps what is deleted.
	Versioning bool
	SoftDelete time.Duration
}

// TB is the part of testing.TB that [Start] needs.
type TB interface {
	Helper()
	Cleanup(func())
}

// Fault answers a request in the server's place.
type Fault struct {
	Status int
	Header http.Header
	Body   string
}

// Server is a running server. Its methods are safe for many goroutines.
type Server struct {
	opts Options
	http *httptest.Server

	mu         sync.Mutex
	buckets    map[string]map[string]object
	generation int64
	rewrites   map[string]int64 // bytes copied, by token
	counts     map[string]int64
	fault      func(op string, r *http.Request) *Fault
	part       func(key string) *Fault
}

// object is one generation.
type object struct {
	data       []byte
	generation int64
	created    time.Time
}

// Start runs a server until the test ends.
func Start(t TB, opts Options) *Server {
	t.Helper()
	s := &Server{
		opts: opts, buckets: map[string]map[string]object{DefaultBucket: {}}, generation: 1_700_000_000_000_000,
		rewrites: map[string]int64{}, counts: map[string]int64{},
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.http.Close)
	return s
}

// Endpoint is the server's address.
func (s *Server) Endpoint() string { return s.http.URL }

// StorageConfig reaches it with its token.
func (s *Server) StorageConfig() storage.GCSConfig {
	return storage.GCSConfig{Endpoint: s.Endpoint(), Token: s.opts.Token, Anonymous: s.opts.Token == ""}
}

// Put stores an object without a request.
func (s *Server) Put(key string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(DefaultBucket, key, data)
}

func (s *Server) put(bucket, key string, data []byte) object {
	s.generation++
	o := object{data: slices.Clone(data), generation: s.generation, created: time.Now().UTC().Truncate(time.Millisecond)}
	s.buckets[bucket][key] = o
	return o
}

// Keys lists the keys of the default bucket in byte order.
func (s *Server) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.buckets[DefaultBucket]))
}

// Counts are the requests so far by operation.
func (s *Server) Counts() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// Fault sets what is asked before each request; nil lets the server answer.
func (s *Server) Fault(fault func(op string, r *http.Request) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// FaultOfKey sets what is asked before each delete of a key in a batch or a delete of
// many.
func (s *Server) FaultOfKey(fault func(key string) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part = fault
}

// opOf names the operation of a request as storage counts it.
func opOf(r *http.Request) string {
	path := r.URL.EscapedPath()
	switch {
	case path == "/batch/storage/v1":
		return "batch"
	case strings.HasPrefix(path, "/upload/"):
		return "objects.insert"
	case strings.Contains(path, "/rewriteTo/"):
		return "objects.rewrite"
	case !strings.HasPrefix(path, "/storage/v1/"):
		return "multi-delete"
	case !strings.Contains(strings.TrimPrefix(path, "/storage/v1/b/"), "/"):
		return "buckets.get"
	case strings.HasSuffix(path, "/o"):
		return "objects.list"
	case r.Method == http.MethodDelete:
		return "objects.delete"
	}
	return "objects.get"
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	op := opOf(r)
	s.mu.Lock()
	s.counts[op]++
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		if f := fault(op, r); f != nil {
			f.write(w)
			return
		}
	}
	if s.opts.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.opts.Token {
		failure(http.StatusUnauthorized, "authError", "Invalid Credentials").write(w)
		return
	}
	switch op {
	case "batch":
		s.batch(w, r)
	case "multi-delete":
		s.multiDelete(w, r)
	default:
		s.call(w, r, op)
	}
}

func (f *Fault) write(w http.ResponseWriter) {
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	w.Header().Set("X-GUploader-UploadID", "test")
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body))
}
