package storage

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What an [*Error] can be, for errors.Is. ErrUnavailable and ErrExpired may
// pass by waiting; the others stay until somebody changes something.
var (
	// ErrNotFound: there is no such object.
	ErrNotFound = errors.New("not found")
	// ErrNoBucket: the bucket does not exist (for files: never).
	ErrNoBucket = errors.New("the bucket does not exist")
	// ErrDenied: the credentials are wrong or do not allow the operation.
	ErrDenied = errors.New("access denied")
	// ErrRejected: the store refuses the request for another reason that
	// waiting does not change, for instance a folder where a file was named.
	ErrRejected = errors.New("request rejected")
	// ErrUnavailable: the store did not answer as it should, also after
	// retries: server errors, time-outs, refused or broken connections, no end
	// of "slow down", credentials that cannot be fetched, and answers that are
	// not S3's, for instance the page of a proxy. Try again later.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrExpired: the credentials have expired. It is also ErrUnavailable.
	ErrExpired = errors.New("the credentials have expired")
	// ErrTooLarge: the object is larger than the limit of [Session.ReadAll].
	ErrTooLarge = errors.New("the object is too large")
	// ErrChanged: the object is not the one that was listed any more, or it was
	// written over while it was moved. It stays.
	ErrChanged = errors.New("the object has changed")
	// ErrExists: another object stands where one is to be moved. Both stay.
	ErrExists = errors.New("another object is there already")
)

// errThrottled marks an answer that asks to slow down. It never leaves the
// package: when waiting did not help, the caller gets ErrUnavailable.
var errThrottled = errors.New("the store asks to slow down")

// errTimeout is why a request was given up that the store did not answer.
var errTimeout = errors.New("no answer in time")

// errIdle is why a read was given up whose bytes stopped coming.
var errIdle = errors.New("no bytes came for too long")

// errBatchRefused marks a batch whose keys are to be deleted one by one.
var errBatchRefused = errors.New("the store refuses this batch")

// Error is a failed operation on a store.
type Error struct {
	// Op is what was done: "read", "write", "list", "delete" or "move".
	Op string
	// Location is what it was done to; for lists the prefix or a folder below it,
	// for moves the object that was to be moved.
	Location Location
	// Code is the store's own code, for instance "AccessDenied"; "" without one.
	Code string
	// Status is the HTTP status, 0 without one.
	Status int
	// RequestID is the store's id of the request, for its operators.
	RequestID string
	// Reason is one of the sentinels above.
	Reason error
	// Hint says what to do, "" where nothing can be said.
	Hint string
	// Err is the cause.
	Err error

	// retryAfter is how long the store asked to wait, 0 when it did not say.
	retryAfter time.Duration
	// share is the part of a batch's keys that the error was said for, 0 when it is
	// for the whole request.
	share float64
	// folder is the key of the folder that could not be listed, "" when it is the
	// prefix.
	folder string
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		fmt.Fprintf(&b, "%s %s: ", e.Op, e.Location)
	}
	fmt.Fprintf(&b, "%v", e.Reason)
	if e.Code != "" || e.Status != 0 {
		fmt.Fprintf(&b, " (%s", e.Code)
		if e.Code != "" && e.Status != 0 {
			b.WriteString(", ")
		}
		if e.Status != 0 {
			fmt.Fprintf(&b, "status %d", e.Status)
		}
		if e.RequestID != "" {
			fmt.Fprintf(&b, ", request id %s", e.RequestID)
		}
		b.WriteByte(')')
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap gives the reason and the cause.
func (e *Error) Unwrap() []error {
	switch {
	case e.Err == nil:
		return []error{e.Reason}
	case e.Reason == nil:
		return []error{e.Err}
	}
	return []error{e.Reason, e.Err}
}

// Is makes expired credentials unavailable too: both may pass by waiting.
func (e *Error) Is(target error) bool {
	return target == ErrUnavailable && errors.Is(e.Reason, ErrExpired)
}
