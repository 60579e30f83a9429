package standin

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"
)

// Fault says how a request goes wrong. Status, Drop and Hang happen instead of
// serving the request, unless Serve is set; a fault without them lets it pass.
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
	// After runs once the request was carried out, before the answer is sent. It
	// implies Serve.
	After func()
}

// FaultFunc decides for each request: n counts the requests of that kind since
// the function was installed, from 1. nil: no fault. It is called by many
// goroutines.
type FaultFunc func(n int64, kind Kind, r *http.Request) *Fault

type faulter struct {
	decide FaultFunc
	mu     sync.Mutex
	counts map[Kind]int64
}

// Fault installs decide for all requests from now on; nil takes it away.
func (s *Server) Fault(decide FaultFunc) {
	if decide == nil {
		s.faults.Store(nil)
		return
	}
	s.faults.Store(&faulter{decide: decide, counts: map[Kind]int64{}})
}

// OnNth is a FaultFunc: the n-th request of a kind gets the fault.
func OnNth(n int64, kind Kind, f Fault) FaultFunc {
	return func(i int64, k Kind, _ *http.Request) *Fault {
		if i != n || k != kind {
			return nil
		}
		return &f
	}
}

// Once is a FaultFunc: the n-th request of all, whatever its kind, gets the fault.
func Once(n int64, f Fault) FaultFunc {
	var all atomic.Int64
	return func(int64, Kind, *http.Request) *Fault {
		if all.Add(1) != n {
			return nil
		}
		return &f
	}
}

func (f *faulter) next(q *request) *Fault {
	f.mu.Lock()
	f.counts[q.kind]++
	n := f.counts[q.kind]
	f.mu.Unlock()
	return f.decide(n, q.kind, q.Request)
}

// faulty is true when the request was answered, or not, by a fault.
func (s *Server) faulty(w http.ResponseWriter, q *request) bool {
	installed := s.faults.Load()
	if installed == nil {
		return false
	}
	f := installed.next(q)
	if f == nil {
		return false
	}
	if f.Call != nil {
		f.Call()
	}
	if !s.wait(q, f.Delay) {
		return true
	}
	for key, values := range f.Header {
		w.Header()[key] = values
	}
	failing := f.Status != 0 || f.Drop || f.Hang
	if !failing && f.After == nil {
		return false
	}
	if f.Serve || f.After != nil {
		a, err := s.serve(q)
		if f.After != nil {
			f.After()
		}
		if !failing {
			write(w, q.Request, a, err)
			return true
		}
		write(httptest.NewRecorder(), q.Request, a, err)
	} else if err := q.readBody(); err != nil {
		return true
	}
	f.instead(s, w, q)
	return true
}

func (f *Fault) instead(s *Server, w http.ResponseWriter, q *request) {
	switch {
	case f.Drop:
		drop(w)
	case f.Hang:
		select {
		case <-q.Context().Done():
		case <-s.done:
		}
	case f.Body != nil:
		w.WriteHeader(f.Status)
		_, _ = w.Write(f.Body)
	case f.Type == "":
		w.WriteHeader(f.Status)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.Status)
		_ = json.NewEncoder(w).Encode(errorBody{errorFields{f.Message, f.Type, f.Status}})
	}
}

// drop resets the connection, so that the client sees no orderly end.
func drop(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// wait is false when the request or the server ended meanwhile.
func (s *Server) wait(q *request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-q.Context().Done():
	case <-s.done:
	}
	return false
}
