package s3test

import (
	"net"
	"net/http"
	"sync/atomic"
)

// Fault says how a request goes wrong. Status, Drop, Hang and Raw happen instead of
// serving the request, unless Serve is set; the others change the answer.
type Fault struct {
	// Status and Code answer with an S3 error document; Message is optional.
	Status        int
	Code, Message string
	// Body replaces the error document when it is not nil.
	Body []byte
	// Header is added to the answer.
	Header http.Header
	// Drop resets the connection.
	Drop bool
	// Hang keeps the client waiting until it leaves or the server closes.
	Hang bool
	// Serve carries the request out first, so that only its answer is lost.
	Serve bool

	// BreakAfter resets the connection after that many bytes of the answer's
	// body; 0 does nothing.
	BreakAfter int64
	// Stall stops sending after that many bytes of the body; 0 does nothing.
	Stall int64
	// Chunked sends the body in chunks and does not tell its length.
	Chunked bool
	// Raw is sent as it is in place of an answer, head and all, and then the
	// connection is closed in an orderly way. It goes before Status.
	Raw []byte
	// Key gives for a key of a DeleteObjects the code of its error, "" to
	// delete it. Refused keys stay.
	Key func(key string) string

	server  *Server
	request *http.Request
}

// FaultFunc decides for each request: n counts the requests since the function
// was installed, from 1; op is the operation's name. nil: no fault. It is called
// by many goroutines.
type FaultFunc func(n int64, op string, r *http.Request) *Fault

// CutOff lets n-1 requests through and drops all further ones. The n-th is carried
// out first when served; kill is called before.
func CutOff(n int64, served bool, kill func()) FaultFunc {
	return func(i int64, _ string, _ *http.Request) *Fault {
		switch {
		case i < n:
			return nil
		case i == n:
			kill()
			return &Fault{Drop: true, Serve: served}
		default:
			return &Fault{Drop: true}
		}
	}
}

type faulter struct {
	decide FaultFunc
	n      atomic.Int64
}

// Fault installs decide for all requests from now on; nil takes it away.
func (s *Server) Fault(decide FaultFunc) {
	if decide == nil {
		s.faults.Store(nil)
		return
	}
	s.faults.Store(&faulter{decide: decide})
}

func (s *Server) fault(op string, r *http.Request) *Fault {
	f := s.faults.Load()
	if f == nil {
		return nil
	}
	decided := f.decide(f.n.Add(1), op, r)
	if decided == nil {
		return nil
	}
	fault := *decided
	fault.server, fault.request = s, r
	return &fault
}

// instead does what happens in place of serving and says whether it did.
func (f *Fault) instead(s *Server, w http.ResponseWriter, r *http.Request) bool {
	if f.Status == 0 && !f.Drop && !f.Hang && f.Raw == nil {
		return false
	}
	if f.Serve {
		s.serve(discard{http.Header{}}, r, f)
	}
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	switch {
	case f.Drop:
		reset(w)
	case f.Hang:
		f.hang()
	case f.Raw != nil:
		sendRaw(w, f.Raw)
	case f.Body != nil:
		w.WriteHeader(f.Status)
		_, _ = w.Write(f.Body)
	default:
		writeError(w, r, f.Status, f.Code, f.Message)
	}
	return true
}

func (f *Fault) hang() {
	select {
	case <-f.request.Context().Done():
	case <-f.server.done:
	}
}

// wrap gives a writer that breaks or stalls in the body.
func (f *Fault) wrap(w http.ResponseWriter) http.ResponseWriter {
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	if f.Chunked {
		w = &chunked{ResponseWriter: w}
	}
	if f.BreakAfter > 0 || f.Stall > 0 {
		return &breaking{ResponseWriter: w, fault: f}
	}
	return w
}

// chunked takes the length away; flushing keeps the server from working it out.
type chunked struct {
	http.ResponseWriter
	begun bool
}

func (c *chunked) WriteHeader(status int) {
	c.begun = true
	c.Header().Del("Content-Length")
	c.ResponseWriter.WriteHeader(status)
	_ = http.NewResponseController(c.ResponseWriter).Flush()
}

func (c *chunked) Write(p []byte) (int, error) {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	return c.ResponseWriter.Write(p)
}

func (c *chunked) Unwrap() http.ResponseWriter { return c.ResponseWriter }

type breaking struct {
	http.ResponseWriter
	fault *Fault
	sent  int64
	ended bool
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.ended {
		return 0, net.ErrClosed
	}
	limit := max(b.fault.BreakAfter, b.fault.Stall)
	if b.sent+int64(len(p)) <= limit {
		b.sent += int64(len(p))
		return b.ResponseWriter.Write(p)
	}
	_, _ = b.ResponseWriter.Write(p[:limit-b.sent])
	_ = http.NewResponseController(b.ResponseWriter).Flush()
	b.ended = true
	if b.fault.Stall > 0 {
		b.fault.hang()
	}
	reset(b.ResponseWriter)
	return 0, net.ErrClosed
}

// WriteHeader after the break would only be a complaint in the log.
func (b *breaking) WriteHeader(status int) {
	if !b.ended {
		b.ResponseWriter.WriteHeader(status)
	}
}

// reset closes the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// sendRaw writes bytes to the connection and closes it.
func sendRaw(w http.ResponseWriter, raw []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write(raw)
	_ = conn.Close()
}

// discard takes the answer of a request whose answer is to be lost.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
