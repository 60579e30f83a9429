package jobs

import (
	"errors"
	"fmt"
	"time"
)

// Snooze ends a run: the job comes back after the delay and the attempt is
// given back. reason says why, for logs and status; it may be nil.
func Snooze(delay time.Duration, reason error) error {
	return &snoozeError{delay: delay, reason: reason}
}

// AsSnooze reports whether err asks for a snooze, and for how long.
func AsSnooze(err error) (time.Duration, bool) {
	var snooze *snoozeError
	if errors.As(err, &snooze) {
		return snooze.delay, true
	}
	return 0, false
}

// Permanent ends a job for good: it goes to the dead letters, since trying again
// cannot help until a person changes something. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// Permanentf is Permanent(fmt.Errorf(…)).
func Permanentf(format string, args ...any) error { return Permanent(fmt.Errorf(format, args...)) }

// IsPermanent reports whether err ends its job for good.
func IsPermanent(err error) bool {
	var permanent *permanentError
	return errors.As(err, &permanent)
}

// PlannedOut ends a run whose work other jobs go on with: its message leaves the
// queue and the result is recorded as [Planned], with the receipt. The job has
// not ended by that; the last of the others records how it ends.
func PlannedOut() error { return errPlanned }

// IsPlannedOut reports whether err says that other jobs go on with the work.
func IsPlannedOut(err error) bool { return errors.Is(err, errPlanned) }

var errPlanned = errors.New("other jobs go on with the work")

// ErrUnavailable marks an error as an outage of something that the job needs:
// storage, the catalog, the queue. The job comes back later and spends no
// attempt, however long the outage lasts. Wrap it: fmt.Errorf("…: %w", …).
var ErrUnavailable = errors.New("unavailable for now")

type snoozeError struct {
	delay  time.Duration
	reason error
}

func (e *snoozeError) Error() string {
	if e.reason == nil {
		return fmt.Sprintf("snoozed for %s", e.delay)
	}
	return fmt.Sprintf("snoozed for %s: %v", e.delay, e.reason)
}

func (e *snoozeError) Unwrap() error { return e.reason }

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }
