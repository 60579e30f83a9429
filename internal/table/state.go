package table

import (
	"errors"

	"deckhand/internal/manifest"
	"deckhand/internal/storage"
)

// State is what became of reading a manifest list or a manifest.
type State uint8

const (
	// Read: it was read to its end.
	Read State = iota
	// Absent: there is no such object.
	Absent
	// Unreadable: it is damaged, may not be read, or lies where nothing may be
	// read; waiting does not change that.
	Unreadable
)

// StateOf sorts the error of reading a file. temporary is true when trying
// again later may help, or when the reading was stopped; the state then says
// nothing.
func StateOf(err error) (state State, temporary bool) {
	var corrupt *manifest.CorruptError
	switch {
	case err == nil:
		return Read, false
	case errors.As(err, &corrupt):
		return Unreadable, false
	case errors.Is(err, storage.ErrNotFound):
		return Absent, false
	case errors.Is(err, storage.ErrDenied), errors.Is(err, storage.ErrOutside), errors.Is(err, storage.ErrNoBucket),
		errors.Is(err, storage.ErrRejected), errors.Is(err, storage.ErrUnsupportedScheme),
		errors.Is(err, storage.ErrInvalidLocation), errors.Is(err, ErrEncrypted):
		return Unreadable, false
	default:
		return Unreadable, true
	}
}
