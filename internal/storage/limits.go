package storage

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Limit is the state of one bucket's limiter.
type Limit struct {
	// Endpoint is empty for AWS and for files, Bucket is "file" for files.
	Endpoint, Bucket string
	// Window is the number of requests that may be in flight now.
	Window float64
	// InFlight and Waiting count requests.
	InFlight, Waiting int
	// Reads, Writes and Batches are the paces of the three kinds of requests.
	// Batches are deletes of many keys.
	Reads, Writes, Batches Pace
}

// Pace is how fast requests of one kind are sent.
type Pace struct {
	// Rate is in requests a second, 0 when nothing is paced.
	Rate float64
	// Sent counts the requests since the start of the process, Refused those that
	// were asked to slow down, in part or as a whole.
	Sent, Refused int64
}

// Limits gives the state of all limiters, ordered by endpoint and bucket.
func (l *Limiters) Limits() []Limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	limits := make([]Limit, 0, len(l.buckets))
	for id, b := range l.buckets {
		limit := b.state()
		limit.Endpoint, limit.Bucket = id.endpoint, id.bucket
		limits = append(limits, limit)
	}
	slices.SortFunc(limits, func(a, b Limit) int {
		if c := strings.Compare(a.Endpoint, b.Endpoint); c != 0 {
			return c
		}
		return strings.Compare(a.Bucket, b.Bucket)
	})
	return limits
}

func (l *limiter) state() Limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := Limit{Window: l.window, InFlight: l.inFlight, Waiting: l.waiting.Len()}
	now := time.Now()
	for kind, into := range map[requestKind]*Pace{kindRead: &limit.Reads, kindWrite: &limit.Writes, kindBatch: &limit.Batches} {
		lane := &l.lanes[kind]
		*into = Pace{Sent: lane.sent, Refused: lane.refused}
		if rate := lane.pace.rate(now); !math.IsInf(rate, 1) {
			into.Rate = rate
		}
		limit.Waiting += lane.waiting
	}
	return limit
}
