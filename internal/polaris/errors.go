package polaris

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"deckhand/jobs"
)

// What an [*Error] can be, for errors.Is.
var (
	// ErrNotFound: there is no such table. It was dropped or renamed.
	ErrNotFound = errors.New("the table is gone")
	// ErrNoNamespace: the namespace is gone, and what was in it.
	ErrNoNamespace = errors.New("the namespace is gone")
	// ErrNoCatalog: the server has no such warehouse.
	ErrNoCatalog = errors.New("the catalog is gone")
	// ErrNotATable: a view or a generic table has this name.
	ErrNotATable = errors.New("not an Iceberg table")
	// ErrForbidden: a privilege is missing; see [ForbiddenError].
	ErrForbidden = errors.New("a privilege is missing")
	// ErrUnauthorized: no token is given for the credential, or the server does not
	// take it. The configuration must change.
	ErrUnauthorized = errors.New("access refused")
	// ErrNoRealm: the server does not know the realm, or wants one. It is also
	// ErrUnauthorized.
	ErrNoRealm = errors.New("the realm is not known")
	// ErrConflict: the commit did not take place since another one did. Load, plan
	// anew, and commit.
	ErrConflict = errors.New("another commit came first")
	// ErrStateUnknown: the commit may have taken place, or yet take place. Load and
	// look.
	ErrStateUnknown = errors.New("it is not known whether the commit took place")
	// ErrUnavailable: the server, or what it needs, is away or overloaded, also
	// after retries. It is also [jobs.ErrUnavailable].
	ErrUnavailable = errors.New("the catalog is unavailable")
	// ErrDamaged: the catalog is well and does not get to read the table's metadata
	// file, which is damaged, or its store is away. It is not ErrUnavailable: other
	// tables can be loaded, and waiting alone may not help.
	ErrDamaged = errors.New("the catalog cannot read the table's metadata file")
	// ErrRejected: the server refuses the request, and will do so again.
	ErrRejected = errors.New("the catalog refuses the request")
	// ErrPartial: the server left out snapshots although all were asked for. It is
	// also ErrRejected.
	ErrPartial = errors.New("the catalog leaves out snapshots of the table")
	// ErrNoPolicies: the server is no Polaris, or its policies are switched off.
	ErrNoPolicies = errors.New("the catalog has no policies")
	// ErrNotCovered: the credentials that the catalog vends are for other locations
	// than the table's. It is also ErrRejected.
	ErrNotCovered = errors.New("the vended credentials do not cover the location")
)

// Error is a request that did not end as it should.
type Error struct {
	// Reason is one of the sentinels above.
	Reason error
	// Method and Path of the request, without its query.
	Method, Path string
	// Status is the HTTP status; 0: there was no answer.
	Status int
	// Type is the server's name for the error, the simple name of a Java class; ""
	// where the answer was not in the form of the protocol.
	Type string
	// Message of the server. It may name hosts, locations and roles: it is for
	// operators.
	Message string
	// RequestID finds the request in the server's log.
	RequestID string
	// Hint says what to do, "" where nothing can be said.
	Hint string
	// Err is the cause; nil when the answer says it all.
	Err error

	retryAfter time.Duration
	catalog    string // in management calls
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %v", e.Method, e.Path, e.Reason)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d", e.Status)
		if e.Type != "" {
			fmt.Fprintf(&b, " %s", e.Type)
		}
		fmt.Fprintf(&b, ", request id %s)", e.RequestID)
	} else {
		fmt.Fprintf(&b, " (no answer, request id %s)", e.RequestID)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "; %s", e.Hint)
	}
	return b.String()
}

// Unwrap gives the reason and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// Is adds what a reason is besides itself.
func (e *Error) Is(target error) bool {
	switch e.Reason {
	case ErrUnavailable:
		return target == jobs.ErrUnavailable
	case ErrNoRealm:
		return target == ErrUnauthorized
	case ErrPartial, ErrNotCovered:
		return target == ErrRejected
	}
	return false
}

// ForbiddenError says which privilege is missing. It is ErrForbidden, and the
// cause of an [*Error].
type ForbiddenError struct {
	// Operation as Polaris names it, such as LOAD_TABLE.
	Operation string
	// Privilege of Polaris that allows it, such as TABLE_READ_PROPERTIES; "" when it
	// cannot be told.
	Privilege string
	// Principal that asked, "" when it cannot be told.
	Principal string
	// Roles of the principal that were active; none: the token's scope names no role
	// that the principal has.
	Roles []string
	// Grant is the management call that grants the privilege; "" when another thing
	// has to be done.
	Grant string
}

// Is makes errors.Is(err, ErrForbidden) true.
func (e *ForbiddenError) Is(target error) bool { return target == ErrForbidden }
