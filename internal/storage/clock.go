package storage

import (
	"context"
	"net/http"
	"time"
)

// StoreClock asks the store of a location for its time, which is what the
// ModTime of its objects goes by: for object stores the Date header of the answer to a
// listing of at most one object there, for files the system's clock.
//
// It is never ahead of the store's clock, but may be behind it by the second to
// which the header is cut and by the time that the answer took. known is false
// when the answer has no Date, one that cannot be read, or comes from a cache.
func (s *Session) StoreClock(ctx context.Context, l Location) (now time.Time, known bool, err error) {
	if _, ok := s.readGuard.findFolder(l); !ok {
		return time.Time{}, false, s.readGuard.outside(l)
	}
	t, err := s.target(ctx, "list", l, s.readGuard)
	if err != nil {
		return time.Time{}, false, err
	}
	err = s.try(ctx, t, s.timed(func(ctx context.Context) error {
		var err error
		now, err = t.clock(ctx, l.folder())
		return err
	}))
	if err != nil {
		return time.Time{}, false, locate(err, "list", l)
	}
	return now, !now.IsZero(), nil
}

// dateOf reads the Date header, see RFC 9110, section 6.6.1; zero when it is not
// known. An answer with an Age comes from a cache, and its Date is as old as that
// says, or older.
func dateOf(header http.Header) time.Time {
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil || header.Get("Age") != "" {
		return time.Time{}
	}
	return now
}

// knownTime is the zero time for one that a store tells in place of none: the
// epoch and what lies before.
func knownTime(t time.Time) time.Time {
	if t.Unix() <= 0 {
		return time.Time{}
	}
	return t
}
