package standin

import (
	"net/http"
	"time"
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
	View               Kind = "View" // list, load, create, drop
	GenericTable       Kind = "GenericTable"
	PolicyRequest      Kind = "Policy"
	ApplicablePolicies Kind = "ApplicablePolicies"
	Management         Kind = "Management"
	Other              Kind = "Other"
)

// Fault says how a request goes wrong. Status, Drop and Hang happen instead of
// serving the request, unless Serve is set.
type Fault struct {
	// Call runs before anything else: between a client's load and its commit, say.
	Call func()
	// Delay waits before the request is looked at.
	Delay time.Duration
	// Status answers with an error of Type, in Iceberg's shape; without a Type the
	// answer has no body.
	Status        int
	Type, Message string
	// Body replaces the error when it is not nil.
	Body []byte
	// Header is added to the answer; Retry-After, say.
	Header http.Header
	// Drop resets the connection.
	Drop bool
	// Hang keeps the client waiting until it leaves or the server closes.
	Hang bool
	// Serve carries the request out first, so that only its answer is lost.
	Serve bool
	// After runs once the request was carried out, before the answer is sent.
	After func()
}

// FaultFunc decides for each request: n counts the requests of that kind since
// the function was installed, from 1. nil: no fault. It is called by many
// goroutines.
type FaultFunc func(n int64, kind Kind, r *http.Request) *Fault

// Fault installs decide for all requests from now on; nil takes it away.
func (s *Server) Fault(decide FaultFunc) {}

// OnNth is a FaultFunc: the n-th request of a kind gets the fault.
func OnNth(n int64, kind Kind, f Fault) FaultFunc {
	return func(i int64, k Kind, _ *http.Request) *Fault {
		if i != n || k != kind {
			return nil
		}
		return &f
	}
}

// Count gives the number of requests of a kind; with statuses, of those answered
// so.
func (s *Server) Count(kind Kind, statuses ...int) int64 { return 0 }

// Counts gives the requests by kind.
func (s *Server) Counts() map[Kind]int64 { return nil }

// ResetCounts starts counting anew.
func (s *Server) ResetCounts() {}
