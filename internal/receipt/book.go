package receipt

import (
	"fmt"
	"slices"

	"deckhand/internal/storage"
)

// Book enters into a receipt what becomes of files, and tells a listener.
type Book struct {
	// The parts of the receipt.
	Kept        *KeptFiles
	Absent      *Counts
	AbsentPaths *[]string
	Notes       *[]string
	// DryRun: nothing is deleted.
	DryRun bool
	// Listener is told of every path; nil: nobody is.
	Listener func(PathRecord)
}

// Keep records a file that stays. detail says what was wrong, "" when nothing.
func (b *Book) Keep(reason Reason, kind Kind, size int64, path, detail string) {
	size = max(size, 0)
	b.Kept.Keep(reason, kind, size, path, detail)
	b.tell(PathRecord{Action: "kept", Kind: kind, Location: path, Bytes: size, Reason: reason})
}

// Missing records a file that was gone before.
func (b *Book) Missing(kind Kind, path string) {
	if *b.Absent == nil {
		*b.Absent = Counts{}
	}
	b.Absent.Add(kind, 1, 0)
	if len(*b.AbsentPaths) < MaxPaths {
		*b.AbsentPaths = append(*b.AbsentPaths, Shorten(path))
	}
	b.tell(PathRecord{Action: "absent", Kind: kind, Location: path})
}

// Deleted tells the listener of a file that is gone, or in a dry run would go. No
// record is made where nobody listens: there may be millions.
func (b *Book) Deleted(l storage.Location, kind Kind, size int64) {
	if b.Listener == nil {
		return
	}
	action := "deleted"
	if b.DryRun {
		action = "would delete"
	}
	b.tell(PathRecord{Action: action, Kind: kind, Location: l.String(), Bytes: size})
}

// Note records what a person should know, once.
func (b *Book) Note(format string, args ...any) {
	note := Shorten(fmt.Sprintf(format, args...))
	if len(*b.Notes) < MaxPaths && !slices.Contains(*b.Notes, note) {
		*b.Notes = append(*b.Notes, note)
	}
}

func (b *Book) tell(record PathRecord) {
	if b.Listener != nil {
		b.Listener(record)
	}
}
