package standin

import (
	"maps"
	"net/http"
	"sync"
)

// Kind is a kind of request, as the counters and faults name them.
type Kind string

// The kinds of requests.
const (
	Token              Kind = "Token"
	Config             Kind = "Config"
	ListNamespaces     Kind = "ListNamespaces"
	Namespace          Kind = "Namespace" // load, create, drop, properties
	ListTables         Kind = "ListTables"
	CreateTable        Kind = "CreateTable"
	LoadTable          Kind = "LoadTable"
	CommitTable        Kind = "CommitTable"
	DropTable          Kind = "DropTable"
	TableExists        Kind = "TableExists"
	RenameTable        Kind = "RenameTable"
	RegisterTable      Kind = "RegisterTable"
	LoadCredentials    Kind = "LoadCredentials"
	ReportMetrics      Kind = "ReportMetrics"
	View               Kind = "View"         // list, load, create, drop
	GenericTable       Kind = "GenericTable" // list, load, create, drop
	PolicyRequest      Kind = "Policy"       // all but ApplicablePolicies
	ApplicablePolicies Kind = "ApplicablePolicies"
	Management         Kind = "Management"
	Other              Kind = "Other"
)

// ofPolaris is true for what other Iceberg REST catalogs do not have.
func (k Kind) ofPolaris() bool {
	return k == GenericTable || k == PolicyRequest || k == ApplicablePolicies || k == Management
}

// meter counts requests by kind and status, and waits for those that run.
type meter struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	begun   map[Kind]int64
	ended   map[outcome]int64
}

type outcome struct {
	kind   Kind
	status int
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun, m.ended = map[Kind]int64{}, map[outcome]int64{}
}

// begin is false once the server closes.
func (m *meter) begin(kind Kind) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.begun[kind]++
	m.running.Add(1)
	return true
}

func (m *meter) end(kind Kind, status int) {
	m.mu.Lock()
	m.ended[outcome{kind, status}]++
	m.mu.Unlock()
	m.running.Done()
}

func (m *meter) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.running.Wait()
}

// Count gives the number of requests of a kind; with statuses, of those answered
// so. A connection that was dropped, or a client that left, counts as status 0.
func (s *Server) Count(kind Kind, statuses ...int) int64 {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	if len(statuses) == 0 {
		return s.meter.begun[kind]
	}
	var n int64
	for _, status := range statuses {
		n += s.meter.ended[outcome{kind, status}]
	}
	return n
}

// Counts gives the requests by kind.
func (s *Server) Counts() map[Kind]int64 {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	return maps.Clone(s.meter.begun)
}

// ResetCounts starts counting anew.
func (s *Server) ResetCounts() { s.meter.reset() }

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status and sends it.
func (r *statusRecorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets a handler take the connection over.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
