package s3test

import (
	"maps"
	"sync"
	"time"
)

// meter counts requests by operation, faulty ones too.
type meter struct {
	mu       sync.Mutex
	counts   map[string]int64
	inFlight int
	most     int
	closed   bool
	active   sync.WaitGroup // the requests being served
}

// begin is false once the server closes.
func (m *meter) begin(op string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.active.Add(1)
	if m.counts == nil {
		m.counts = map[string]int64{}
	}
	m.counts[op]++
	m.inFlight++
	m.most = max(m.most, m.inFlight)
	return true
}

func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight--
	m.active.Done()
}

// close refuses further requests and waits for those being served.
func (m *meter) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.active.Wait()
}

// Settle waits until no request is being served. A client that gave up does not
// wait for what it has asked for.
func (s *Server) Settle() {
	for s.inFlight() > 0 {
		time.Sleep(100 * time.Microsecond)
	}
}

func (s *Server) inFlight() int {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	return s.meter.inFlight
}

// Counts gives the requests by operation ("GetObject", "PutObject",
// "HeadObject", "DeleteObject", "DeleteObjects", "ListObjectsV2", "UploadPart",
// …) since the start or the last reset, refused and broken ones included.
func (s *Server) Counts() map[string]int64 {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	counts := maps.Clone(s.meter.counts)
	if counts == nil {
		counts = map[string]int64{}
	}
	return counts
}

// Total is the number of all requests.
func (s *Server) Total() int64 {
	var n int64
	for _, c := range s.Counts() {
		n += c
	}
	return n
}

// MostInFlight is the largest number of requests that were served at once.
func (s *Server) MostInFlight() int {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	return s.meter.most
}

// ResetCounts starts the counters anew.
func (s *Server) ResetCounts() {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	s.meter.counts, s.meter.most = nil, s.meter.inFlight
}
