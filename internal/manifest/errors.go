package manifest

import (
	"errors"
	"fmt"
	"io"
)

// CorruptError says which file is broken, and where. It is given for a file
// whose content is wrong, for one that is cut short (then errors.Is finds
// io.ErrUnexpectedEOF) and for one that this package cannot read, such as an
// unknown codec. It is never given for an error of the underlying reader.
type CorruptError struct {
	Name string // as given to [NewReader] or [ReadList]
	// Offset is where reading had come to, in bytes of the file as stored.
	// In a compressed block that is how much of it was unpacked, so the place
	// itself lies at the offset or up to one buffer before it.
	Offset int64
	Err    error
}

// Error names the file, the byte offset and the cause.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is corrupt at byte %d: %v", e.Name, e.Offset, e.Err)
}

// Unwrap gives the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

var (
	errTruncated = fmt.Errorf("the file is cut short: %w", io.ErrUnexpectedEOF)
	errBlockEnd  = errors.New("the block ends inside an entry")
	errVarint    = errors.New("an integer has more than 64 bits")
	errLength    = errors.New("a length is negative")
	errDepth     = errors.New("values are nested too deeply")
	errClosed    = errors.New("the manifest reader is closed")
)
