package storage

import "time"

const (
	// renewalBytes is how many bytes give a broken read its attempts back: a
	// store that sends less per connection is not getting anywhere.
	renewalBytes = 64 << 10
	// maxRenewals bounds how often one read gets them back.
	maxRenewals = 1000
)

// patience decides when the bytes of a read that broke count as progress, so
// that the next break is taken for a first one.
type patience struct {
	bytes    int64
	since    time.Time
	renewals int
}

// broke begins to count, at the first break and at the first one after a renewal.
func (p *patience) broke(now time.Time) { p.bytes, p.since = 0, now }

// renews says whether n more bytes are enough: with those before them
// renewalBytes, or any that come on a slow line after the time that a failing
// request is given.
func (p *patience) renews(n int64, now time.Time, retryFor time.Duration) bool {
	p.bytes += n
	if p.renewals >= maxRenewals || p.bytes < renewalBytes && now.Sub(p.since) < retryFor {
		return false
	}
	p.renewals++
	return true
}
