package maintenancetest

import (
	"context"
	"errors"
	"fmt"

	"deckhand/internal/receipt"
	"deckhand/internal/s3test"
)

// ErrKilled is why a run ends that is cut off.
var ErrKilled = errors.New("killed")

// Cut says after which request a run is cut off, and whether that one was carried
// out.
type Cut struct {
	// Catalog: the N-th request to the catalog, not to storage.
	Catalog bool
	// N counts from 1.
	N      int
	Served bool
}

// String says it in a message of a test.
func (c Cut) String() string {
	return fmt.Sprintf("catalog %t, request %d, served %t", c.Catalog, c.N, c.Served)
}

// CutOff runs a job until that request, and never lets it see an answer after. It
// gives the run's error, nil when it has ended before.
func (y *Yard) CutOff(c Cut, run func(ctx context.Context) error) error {
	y.T.Helper()
	ctx, kill := context.WithCancelCause(y.T.Context())
	defer kill(nil)
	if c.Catalog {
		y.Ledger.Fault = func(n int, _ string) Fault {
			if n == c.N {
				kill(ErrKilled)
			}
			if n >= c.N {
				return Fault{Err: ErrUnknown, Served: c.Served && n == c.N}
			}
			return Fault{}
		}
		defer func() { y.Ledger.Fault = nil }()
	} else {
		y.Server.Fault(s3test.CutOff(int64(c.N), c.Served, func() { kill(ErrKilled) }))
		defer y.Server.Fault(nil)
	}
	err := run(ctx)
	y.Server.Settle() // something may be written still
	return err
}

// Cuts are all that a run can be cut off at that took this many requests to storage
// and that the Ledger has counted.
func (y *Yard) Cuts(whole receipt.Requests) []Cut {
	var toStorage int64
	for _, n := range whole.ByOperation {
		toStorage += n
	}
	var cuts []Cut
	for _, served := range []bool{false, true} {
		for n := 1; n <= int(toStorage); n++ {
			cuts = append(cuts, Cut{N: n, Served: served})
		}
		for n := 1; n <= y.Ledger.Requests; n++ {
			cuts = append(cuts, Cut{Catalog: true, N: n, Served: served})
		}
	}
	return cuts
}
