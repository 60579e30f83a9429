package receipt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"deckhand/internal/storage"
)

// Requests are what a run asked of storage.
type Requests struct {
	ByOperation map[string]int64 `json:"by_operation"`
	Retries     int64            `json:"retries"`
	Throttled   int64            `json:"throttled"`
	BytesRead   int64            `json:"bytes_read"`
}

// RequestsOf adds up the requests of some sessions.
func RequestsOf(sessions ...*storage.Session) Requests {
	requests := Requests{ByOperation: map[string]int64{}}
	for _, session := range sessions {
		usage := session.Usage()
		for op, n := range usage.Requests {
			requests.ByOperation[op] += n
		}
		requests.Retries += usage.Retries
		requests.Throttled += usage.Throttled
		requests.BytesRead += usage.BytesRead
	}
	return requests
}

// String lists them by operation.
func (r Requests) String() string {
	names := slices.Sorted(maps.Keys(r.ByOperation))
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", r.ByOperation[name], name)
	}
	return strings.Join(names, ", ")
}
