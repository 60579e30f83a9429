package table

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// MainBranch is the branch that a table's readers see unless they ask for
// another.
const MainBranch = "main"

// RefType tells branches from tags.
type RefType string

// The types of ref.
const (
	Branch RefType = "branch"
	Tag    RefType = "tag"
)

// Ref is a name for a snapshot, with what it says of retention. 0 is not set.
type Ref struct {
	SnapshotID int64
	Type       RefType
	// MinSnapshotsToKeep and MaxSnapshotAge are of branches only.
	MinSnapshotsToKeep int
	MaxSnapshotAge     time.Duration
	// MaxRefAge has no effect on main.
	MaxRefAge time.Duration
}

func decodeRefs(dec *json.Decoder, into *map[string]Ref) error {
	var raw map[string]struct {
		SnapshotID         int64   `json:"snapshot-id"`
		Type               RefType `json:"type"`
		MinSnapshotsToKeep int     `json:"min-snapshots-to-keep"`
		MaxSnapshotAge     int64   `json:"max-snapshot-age-ms"`
		MaxRefAge          int64   `json:"max-ref-age-ms"`
	}
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	*into = make(map[string]Ref, len(raw))
	for name, ref := range raw {
		if ref.Type != Branch && ref.Type != Tag {
			return fmt.Errorf("ref %s is of type %q; known are %q and %q", name, ref.Type, Branch, Tag)
		}
		(*into)[name] = Ref{
			SnapshotID: ref.SnapshotID, Type: ref.Type, MinSnapshotsToKeep: ref.MinSnapshotsToKeep,
			MaxSnapshotAge: durationOf(ref.MaxSnapshotAge), MaxRefAge: durationOf(ref.MaxRefAge),
		}
	}
	return nil
}

// durationOf turns milliseconds into a duration. Writers say "for ever" with the
// largest number, which becomes the longest duration, 292 years.
func durationOf(ms int64) time.Duration {
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}
