package s3test

import "time"

// TimesFunc says when an object was written, as listings tell it; the zero time is
// not told. written is when it was put.
type TimesFunc func(bucket, key string, written time.Time) time.Time

// SetTimes lets listings tell other times than those at which objects were put, so
// that a test can have old files; nil: they tell the true ones again.
func (s *Server) SetTimes(times TimesFunc) { s.times.Store(&times) }

// written is what a listing says of an object.
func (s *Server) written(bucket, key string, at time.Time) time.Time {
	if times := s.times.Load(); times != nil && *times != nil {
		return (*times)(bucket, key, at)
	}
	return at
}
