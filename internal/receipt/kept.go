package receipt

import (
	"errors"

	"deckhand/internal/storage"
)

// Reason why a file was kept.
type Reason string

// Reasons that several kinds of job have.
const (
	// OutsideScope: the file lies where this job may not delete.
	OutsideScope Reason = "outside the scope"
	// Refused: the store did not let it be deleted.
	Refused Reason = "refused by the store"
	// Locked: it is under retention or a legal hold.
	Locked Reason = "locked by retention or a legal hold"
	// Unreadable: what it names is unknown.
	Unreadable Reason = "unreadable"
)

// RefusedBy is why a file stays whose delete ended with an error.
func RefusedBy(err error) Reason {
	if errors.Is(err, storage.ErrLocked) {
		return Locked
	}
	return Refused
}

// Kept counts the files that stayed for one reason.
type Kept struct {
	Counts Counts `json:"files"`
	// Paths are examples, at most 100, each with what was wrong where something
	// was.
	Paths []string `json:"paths,omitempty"`
}

// KeptFiles by reason.
type KeptFiles map[Reason]Kept

// Keep counts a file that stays. detail says what was wrong, "" when nothing.
func (k *KeptFiles) Keep(reason Reason, kind Kind, bytes int64, path, detail string) {
	if *k == nil {
		*k = KeptFiles{}
	}
	kept := (*k)[reason]
	if kept.Counts == nil {
		kept.Counts = Counts{}
	}
	kept.Counts.Add(kind, 1, bytes)
	if path = Shorten(path); detail != "" {
		path += ": " + Shorten(detail)
	}
	if path != "" && len(kept.Paths) < MaxPaths {
		kept.Paths = append(kept.Paths, path)
	}
	(*k)[reason] = kept
}

// Few is a copy with the paths that take no more than a number of bytes as JSON.
func (k KeptFiles) Few(bytes int) KeptFiles {
	few := KeptFiles{}
	for reason, kept := range k {
		few[reason] = Kept{Counts: kept.Counts.Clone(), Paths: FewPaths(kept.Paths, bytes/len(k))}
	}
	return few
}

// cut leaves the first paths of each reason.
func (k KeptFiles) cut(limit int) {
	for reason, kept := range k {
		kept.Paths = CutPaths(kept.Paths, limit)
		k[reason] = kept
	}
}

// PathRecord says what was done with one file.
type PathRecord struct {
	// Action is "deleted" (in a dry run "would delete"), "kept" or "absent".
	Action   string `json:"action"`
	Kind     Kind   `json:"kind"`
	Location string `json:"location"`
	// Bytes as far as the metadata tells, else 0.
	Bytes int64 `json:"bytes,omitempty"`
	// Reason why it was kept.
	Reason Reason `json:"reason,omitempty"`
}
