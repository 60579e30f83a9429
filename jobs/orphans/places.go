package orphans

import (
	"errors"
	"fmt"
	"strings"

	"deckhand/internal/storage"
	"deckhand/jobs"
)

// trashFolder lies in each of a table's locations. Its name is hidden from the
// orphan removal of other engines too.
const trashFolder = ".deckhand-trash"

// recordsFolder is where expiries say what they are about to remove, in the
// metadata folder.
const recordsFolder = "deckhand-expire"

// place is a folder that is looked through.
type place struct {
	// root is what is listed.
	root storage.Location
	// own is the table's location in which it lies; the same, unless the settings
	// say less.
	own storage.Location
	// from is how many bytes of a key are the root's.
	from int
}

func newPlace(root, own storage.Location) place {
	return place{root: root, own: own, from: len(folderOf(root).Key)}
}

// relative is the path of a file below the place's root.
func (p place) relative(l storage.Location) string { return l.Key[min(p.from, len(l.Key)):] }

// trash is the folder that holds what was put aside.
func (p place) trash() storage.Location { return p.own.Join(trashFolder) }

// isKept knows files that are Deckhand's own: the trash, and the records of
// expiries.
func (p place) isKept(l storage.Location) bool {
	below := l.Key[min(len(folderOf(p.own).Key), len(l.Key)):]
	return strings.HasPrefix(below, trashFolder+"/") ||
		strings.HasPrefix(below, recordsFolder+"/") || strings.Contains(below, "/"+recordsFolder+"/")
}

// ownLocations parses the table's locations. others are those of schemes that no
// store is known for.
func ownLocations(texts []string) (own []storage.Location, others []string, err error) {
	for _, text := range texts {
		l, err := storage.Parse(text)
		switch {
		case errors.Is(err, storage.ErrUnsupportedScheme):
			others = append(others, text)
		case err != nil:
			return nil, nil, fmt.Errorf("read the table's locations: %w", err)
		default:
			own = append(own, l)
		}
	}
	return own, others, nil
}

func outermost(locations []storage.Location) []storage.Location {
	var outer []storage.Location
	for i, l := range locations {
		inside := false
		for j, other := range locations {
			inside = inside || l.Within(other) && !l.Same(other) || j < i && l.Same(other)
		}
		if !inside {
			outer = append(outer, l)
		}
	}
	return outer
}

// chosen are the places that the settings name, or else all of the table's own, the
// main one first. skipped are those that lie elsewhere.
func chosen(named []string, own []storage.Location) (places []place, skipped []string, err error) {
	if len(named) == 0 {
		for _, l := range outermost(own) {
			places = append(places, newPlace(l, l))
		}
		return places, nil, nil
	}
	homes := map[storage.Location]storage.Location{}
	var roots []storage.Location
	for _, text := range named {
		l, err := storage.Parse(text)
		if errors.Is(err, storage.ErrUnsupportedScheme) {
			skipped = append(skipped, text)
			continue
		}
		if err != nil {
			return nil, nil, jobs.Permanent(fmt.Errorf("read the job's locations: %w", err))
		}
		home, found := homeOf(l, own)
		switch {
		case found:
			homes[l] = home
			roots = append(roots, l)
		case isBucket(l):
			return nil, nil, jobs.Permanentf("the job's locations name %s, which is a whole bucket and not the table's location: nothing was deleted; "+
				"name a folder of the table, or nothing for all of the table's", l)
		default:
			skipped = append(skipped, text)
		}
	}
	for _, l := range outermost(roots) {
		places = append(places, newPlace(l, homes[l]))
	}
	return places, skipped, nil
}

// isBucket says whether a location is a whole bucket, or file system.
func isBucket(l storage.Location) bool { return strings.Trim(l.Key, "/") == "" }

// homeOf is the first of the table's locations in which a folder lies.
func homeOf(l storage.Location, own []storage.Location) (storage.Location, bool) {
	for _, home := range own {
		if l.Same(home) || l.Within(home) {
			return home, true
		}
	}
	return storage.Location{}, false
}
