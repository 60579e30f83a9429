package purge

import (
	"errors"

	"deckhand/internal/erase"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// keepOutside records a metadata file outside the scope. Under OutsideKeep the
// root that names it stays too.
func (r *run) keepOutside(f file) {
	r.book.Keep(OutsideScope, f.kind, f.size, f.path, "")
	if r.catalog.Policy.Outside == OutsideKeep {
		r.hold(f.path)
	}
}

// refuse records a file that the store did not delete, which ends the level.
func (r *run) refuse(kind Kind, size int64, l storage.Location, err error) {
	r.book.Keep(receipt.RefusedBy(err), kind, size, l.String(), err.Error())
	r.blocked.Add("%v", err)
}

// unreadable records a manifest or list whose content stays unknown. One that
// lies where nothing may be read counts as a file outside (outside is true),
// anything else blocks the next level.
func (r *run) unreadable(kind Kind, path string, err error) (outside bool) {
	if erase.IsOutside(err) {
		return true // it is named as outside when its own level comes
	}
	r.book.Keep(Unreadable, kind, 0, path, err.Error())
	r.blocked.Add("%v", err)
	return false
}

// missing reports whether a manifest or list that cannot be read is gone, and
// records it if this purge has not deleted it itself. Without the right to list,
// a store answers "denied" for what is not there; that is taken for gone only
// where an earlier run has deleted it.
func (r *run) missing(kind Kind, path string, state table.State, err error) bool {
	before := r.goneBefore(path)
	if state != table.Absent && !(before && errors.Is(err, storage.ErrDenied)) {
		return false
	}
	if !before {
		r.book.Missing(kind, path)
	}
	return true
}

// hold keeps a manifest or list, and with it everything that names it.
func (r *run) hold(path string) {
	if len(r.held) >= maxHeld {
		r.heldAll = true
		return
	}
	r.held[erase.PathHash(path)] = true
}

func (r *run) isHeld(path string) bool { return r.heldAll || r.held[erase.PathHash(path)] }
