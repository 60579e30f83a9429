package ownership

import (
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// maxLog is how many earlier metadata files are remembered of a table, the newest:
// Iceberg keeps so many in the metadata unless it is told otherwise.
const maxLog = 100

// entry is what is remembered of a table or view.
type entry struct {
	etag, uuid, root string
	// files are hashes of its metadata file and the earlier ones, sorted.
	files     []uint64
	locations []string
	// unknown says why nothing is known of it; nil when something is.
	unknown error
}

func newEntry(d *polaris.Description) *entry {
	e := &entry{etag: d.ETag, uuid: strings.ToLower(d.UUID), root: d.MetadataLocation, locations: d.Locations}
	log := d.MetadataLog[max(0, len(d.MetadataLog)-maxLog):]
	for _, path := range append([]string{d.MetadataLocation}, log...) {
		if path != "" {
			e.files = append(e.files, fileHash(path))
		}
	}
	slices.Sort(e.files)
	return e
}

// fileHash is the same for all spellings of a path.
func fileHash(path string) uint64 { return xxhash.Sum64String(table.Identity(path)) }

// wanted is a query in the form that entries are compared with.
type wanted struct {
	uuid      string
	files     []string
	hashes    []uint64
	locations []spot
	// name: whoever is compared has it, and that is enough.
	name bool
}

// spot is a location as it is written, and parsed.
type spot struct {
	text   string
	parsed storage.Location
	ok     bool
}

func newSpot(text string) spot {
	parsed, err := storage.Parse(text)
	return spot{text: text, parsed: parsed, ok: err == nil}
}

func newWanted(q Query) wanted {
	w := wanted{uuid: strings.ToLower(q.UUID)}
	for _, path := range append([]string{q.MetadataLocation}, q.MetadataLog...) {
		if path != "" {
			w.files, w.hashes = append(w.files, path), append(w.hashes, fileHash(path))
		}
	}
	for _, location := range q.Locations {
		w.locations = append(w.locations, newSpot(location))
	}
	return w
}

// why says what the entry has in common with what is wanted; "" for nothing.
func (w wanted) why(e *entry) string {
	if e.unknown != nil {
		return ""
	}
	if w.uuid != "" && w.uuid == e.uuid {
		return "it has the same UUID " + e.uuid
	}
	for i, hash := range w.hashes {
		switch _, found := slices.BinarySearch(e.files, hash); {
		case !found:
		case table.Identity(w.files[i]) == table.Identity(e.root):
			return "its metadata file is " + e.root
		default:
			return "it descends from the metadata file " + w.files[i]
		}
	}
	if w.name {
		return "it has the name, and neither UUID nor location is known of what was dropped"
	}
	if w.uuid != "" && e.uuid != "" {
		return ""
	}
	for _, touching := range e.touching(w.locations) {
		return "its location " + touching.Location + " is " + string(touching.Relation) + " " + touching.Own
	}
	return ""
}

// touching compares the entry's locations with others.
func (e *entry) touching(own []spot) []Neighbour {
	var found []Neighbour
	for _, text := range e.locations {
		l := newSpot(text)
		for _, o := range own {
			if relation := relate(l, o); relation != "" {
				found = append(found, Neighbour{Location: l.text, Own: o.text, Relation: relation})
			}
		}
	}
	return found
}

// relate says how l lies to own; "" when they do not touch. Locations of a store that
// is not known touch only what is written the same.
func relate(l, own spot) Relation {
	switch {
	case l.text == own.text, l.ok && own.ok && l.parsed.Same(own.parsed):
		return Same
	case !l.ok || !own.ok:
		return ""
	case l.parsed.Within(own.parsed):
		return Within
	case own.parsed.Within(l.parsed):
		return Around
	}
	return ""
}
