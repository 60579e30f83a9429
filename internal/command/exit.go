package command

import "errors"

// Code is how a process ends. Scripts rely on the numbers.
type Code int

const (
	// Done: what was asked for is so.
	Done Code = 0
	// Failed: anything that has no code of its own.
	Failed Code = 1
	// BadInput: flags, arguments, the configuration or a job are wrong.
	BadInput Code = 2
	// Dead: it failed for good; or the job died or was canceled.
	Dead Code = 3
	// TryAgain: it may work later.
	TryAgain Code = 4
)

// exitError gives an error an exit code.
type exitError struct {
	error
	code Code
}

func (e *exitError) Unwrap() error { return e.error }

// Exit gives err an exit code. Exit(code, nil) is nil.
func Exit(code Code, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{err, code}
}

// CodeOf is the exit code of an error: that of [Exit], Failed without one, Done
// for nil.
func CodeOf(err error) Code {
	var exit *exitError
	switch {
	case err == nil:
		return Done
	case errors.As(err, &exit):
		return exit.code
	}
	return Failed
}
