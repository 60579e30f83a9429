package s3test

import (
	"math"

	"golang.org/x/time/rate"
)

// Throttle changes how many requests are served from now on, see
// [Options.RequestsPerSecond]; 0 serves all. burst 0 is a second's.
func (s *Server) Throttle(perSecond float64, burst int) {
	if perSecond <= 0 {
		s.throttle.Store(nil)
		return
	}
	if burst <= 0 {
		burst = max(1, int(math.Ceil(perSecond)))
	}
	s.throttle.Store(rate.NewLimiter(rate.Limit(perSecond), burst))
}

// Slowed counts the requests that were asked to slow down.
func (s *Server) Slowed() int64 { return s.slowed.Load() }

func (s *Server) tooFast() bool {
	throttle := s.throttle.Load()
	if throttle == nil || throttle.Allow() {
		return false
	}
	s.slowed.Add(1)
	return true
}
