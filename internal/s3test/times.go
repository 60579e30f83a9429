package s3test

import "time"

// TimesFunc says when an object was written, as listings and heads tell it; the zero time is
// not told. written is when it was put.
type TimesFunc func(bucket, key string, written time.Time) time.Time

// SetTimes lets listings and heads tell other times than those at which objects were put, so
// that a test can have old files; nil: they tell the true ones again.
func (s *Server) SetTimes(times TimesFunc) { s.times.Store(&times) }

// written is what a listing says of an object.
func (s *Server) written(bucket, key string, at time.Time) time.Time {
	if times := s.times.Load(); times != nil && *times != nil {
		return (*times)(bucket, key, at)
	}
	return at
}

// ETagsFunc says which ETag an object has; etag is the MD5 of its bytes, with quotes.
type ETagsFunc func(bucket, key, etag string) string

// SetETags lets listings, heads, copies and conditions have other ETags than the
// MD5, as those of encrypted objects and of those written in parts; nil: the MD5
// again.
func (s *Server) SetETags(etags ETagsFunc) { s.etags.Store(&etags) }
