package erase

import (
	"context"
	"errors"
	"fmt"

	"deckhand/internal/storage"
	"deckhand/jobs"
)

// Failure gives an error of storage the meaning that it has for a job: an outage
// spends no attempt, and work that was stopped says why.
func Failure(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)):
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	case ctx.Err() != nil:
		return err
	case errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, jobs.ErrUnavailable):
		return fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	default:
		return err
	}
}

// Temporary tells a failed delete that may succeed later from one that stays.
func Temporary(err error) bool {
	return errors.Is(err, storage.ErrUnavailable) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded)
}

func temporary(err error) bool { return Temporary(err) }

// IsOutside says that a location lies where nothing may be touched, or is none.
func IsOutside(err error) bool {
	return errors.Is(err, storage.ErrOutside) || errors.Is(err, storage.ErrUnsupportedScheme) ||
		errors.Is(err, storage.ErrInvalidLocation)
}
