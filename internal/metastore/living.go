package metastore

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"deckhand/internal/storage"
	"deckhand/jobs"
)

// Living are the tables and views that Polaris still has, as far as it takes to
// see that a purge would hit one of them. Realms are kept apart by entity, but
// not by UUID or location: two realms may well use the same storage.
type Living struct {
	entities map[[2]string]string
	uuids    map[string]string
	// metadata files, locations, and every folder at or above a location; all by
	// the names of the tables.
	metadata, locations, above map[storage.Location]string
}

// ownLocations are where an entity says that its files lie.
var ownLocations = []string{"location", "write.data.path", "write.metadata.path"}

// Living reads every table-like entity of all realms.
func (s *Store) Living(ctx context.Context) (*Living, error) {
	l := &Living{
		entities: map[[2]string]string{}, uuids: map[string]string{}, metadata: map[storage.Location]string{},
		locations: map[storage.Location]string{}, above: map[storage.Location]string{},
	}
	rows, err := s.conn.Query(ctx, `
		SELECT realm_id, id, name, properties, internal_properties FROM polaris_schema.entities
		WHERE type_code = $1 ORDER BY realm_id, id`, typeTableLike)
	if err != nil {
		return nil, fmt.Errorf("read living tables: %w", err)
	}
	var realm, name string
	var id int64
	var properties, internal []byte
	if _, err := pgx.ForEachRow(rows, []any{&realm, &id, &name, &properties, &internal}, func() error {
		l.add(realm, fmt.Sprint(id), name, stringsOf(properties), stringsOf(internal))
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read living tables: %w", err)
	}
	return l, nil
}

func (l *Living) add(realm, id, name string, properties, internal map[string]string) {
	if namespace, err := namespaceOf(internal["parent-namespace"]); err == nil {
		name = jobs.FormatTable(namespace, name)
	}
	name += " of realm " + realm
	l.entities[[2]string{realm, id}] = name
	if uuid := internal["table-uuid"]; uuid != "" {
		l.uuids[strings.ToLower(uuid)] = name
	}
	located := false
	for _, key := range ownLocations {
		for _, from := range []map[string]string{properties, internal} {
			if location, err := storage.Parse(from[key]); err == nil {
				l.addLocation(location, name)
				located = true
			}
		}
	}
	metadata, err := storage.Parse(internal["metadata-location"])
	if err != nil {
		return
	}
	l.metadata[metadata] = name
	climb(metadata.Parent(), func(folder storage.Location) bool {
		l.above[folder] = name
		return true
	})
	// Releases up to 1.2 kept no location: its metadata lie in a folder of it.
	if !located {
		l.addLocation(metadata.Parent().Parent(), name)
	}
}

func (l *Living) addLocation(location storage.Location, name string) {
	l.locations[folderOf(location)] = name
	climb(location, func(folder storage.Location) bool {
		l.above[folder] = name
		return true
	})
}

// Hit says which living table the purge of these rows would hit, in words;
// "" if none. It would if the table has the same entity, UUID or metadata file.
// Where a worker cannot compare the UUID, which is so for sub-tasks and for
// entities of old releases, it also would if one of the table's locations is at,
// below or above one of the rows', or if it is above a file that they name.
func (l *Living) Hit(dropped *Dropped, remains []*Remains) string {
	if dropped != nil {
		if name := l.entities[[2]string{dropped.Task.Realm, fmt.Sprint(dropped.EntityID)}]; name != "" {
			return "the table " + name + " still lives and is the same entity"
		}
		if name := l.uuids[strings.ToLower(dropped.job.TableUUID)]; name != "" {
			return "the living table " + name + " has the same UUID"
		}
		if metadata, err := storage.Parse(dropped.job.MetadataLocation); err == nil && l.metadata[metadata] != "" {
			return "the living table " + l.metadata[metadata] + " has the same metadata file"
		}
	}
	if dropped != nil && (dropped.job.TableUUID == "" || len(remains) > 0) {
		if hit := l.hitAt(dropped.job.Locations); hit != "" {
			return hit
		}
	}
	for _, row := range remains {
		if name := l.entities[[2]string{row.Task.Realm, row.Entity}]; name != "" {
			return "the table " + name + " still lives and is the same entity"
		}
		if hit := l.hitAt(row.job.Locations); hit != "" {
			return hit
		}
		for _, paths := range [][]string{row.Manifests, row.Files} {
			for _, path := range paths {
				location, err := storage.Parse(path)
				if err != nil {
					continue
				}
				if name := l.metadata[location]; name != "" {
					return "the living table " + name + " has the metadata file " + path
				}
				if name := l.holding(location); name != "" {
					return "the living table " + name + " has its files where " + path + " is"
				}
			}
		}
	}
	return ""
}

func (l *Living) hitAt(locations []string) string {
	for _, text := range locations {
		location, err := storage.Parse(text)
		if err != nil {
			continue // no worker takes a job with it
		}
		name := l.above[folderOf(location)]
		if name == "" {
			name = l.holding(location)
		}
		if name != "" {
			return "the living table " + name + " has its files at, below or above " + text
		}
	}
	return ""
}

// holding is the table of which a location is at or above this one.
func (l *Living) holding(location storage.Location) (name string) {
	climb(location, func(folder storage.Location) bool {
		name = l.locations[folder]
		return name == ""
	})
	return name
}

// climb yields the folder of the location and those above it, up to the bucket.
func climb(location storage.Location, yield func(storage.Location) bool) {
	for yield(folderOf(location)) {
		parent := location.Parent()
		if folderOf(parent) == folderOf(location) {
			return
		}
		location = parent
	}
}

// folderOf is a location with a slash at its end, so that what
// [storage.Location.Same] holds for the same is equal.
func folderOf(location storage.Location) storage.Location {
	if location.Key != "" && !strings.HasSuffix(location.Key, "/") {
		location.Key += "/"
	}
	return location
}
