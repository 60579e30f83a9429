package manifest

import "fmt"

// NotCarriedError says that a manifest or a manifest list is sound but holds
// something that would be lost or changed if it were written anew, such as a
// field that this package does not know or an id that is not there to be
// inherited. Such a manifest stays as it is.
type NotCarriedError struct {
	Name  string // as given to [NewTranscriber] or [CarryList]
	Field string // with its id where it has one, such as "data_file.file_path (100)"
	Why   string
}

// Error names the file, the field and the reason.
func (e *NotCarriedError) Error() string {
	return fmt.Sprintf("%s cannot be written anew without loss: %s %s", e.Name, e.Field, e.Why)
}
