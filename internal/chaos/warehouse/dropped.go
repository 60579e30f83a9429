package warehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/google/uuid"

	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// Dropped is a table that the catalog has forgotten.
type Dropped struct {
	// Job that purges it.
	Job *jobs.Job
	// Lock key of the purge.
	Lock string
	// Location as s3://bucket/key, and all objects of the table by their keys.
	Location string
	Keys     []string
	// Slow is how long the store takes to answer about it, in milliseconds.
	Slow int
	// entries are the manifests, and what they name.
	entries map[string]bool
	// Accepted says that the queue has taken the job.
	Accepted atomic.Bool
}

// IsEntry says whether an object is a manifest, or is named by one.
func (d *Dropped) IsEntry(key string) bool { return d.entries[key] }

// Size of a dropped table.
type Size struct {
	// Files, in Manifests. No manifests: a small table of all kinds of files, by
	// iceberg-go.
	Files, Manifests int
	// Slow is how long each request about it takes, in milliseconds.
	Slow int
}

// RandomSize picks a size: few tables are big.
func RandomSize(random *rand.Rand) Size {
	switch n := random.IntN(10); {
	case n < 3:
		return Size{Slow: random.IntN(60)}
	case n < 7:
		return Size{Files: 200 + random.IntN(1_500), Manifests: 5 + random.IntN(20), Slow: 10 + random.IntN(60)}
	case n < 9:
		return Size{Files: 1_500 + random.IntN(2_000), Manifests: 60 + random.IntN(100), Slow: 300 + random.IntN(400)}
	default:
		return Size{Files: 4_000 + random.IntN(6_000), Manifests: 30 + random.IntN(30), Slow: 100 + random.IntN(200)}
	}
}

// Drop makes a table with its neighbours, and the job that purges it. name must be
// letters and digits, with a letter at the end: the neighbours' names begin with it.
func (w *Warehouse) Drop(ctx context.Context, name string, size Size) (*Dropped, error) {
	d := &Dropped{Location: "s3://" + bucket + "/" + droppedNamespace + "/" + name, Slow: size.Slow, entries: map[string]bool{}}
	id, root, err := w.write(ctx, d, size)
	if err != nil {
		return nil, fmt.Errorf("write dropped table %s: %w", name, err)
	}
	d.Job = &jobs.Job{
		Version: jobs.Version, ID: jobs.NewID(), Kind: jobs.Purge, Realm: realm, Catalog: catalog,
		Namespace: []string{droppedNamespace}, Table: name, TableUUID: id, MetadataLocation: root,
	}
	d.Lock = d.Job.LockKey()
	keep := tabletest.Neighbours(d.Location)
	for location, data := range tabletest.Inside(d.Location) {
		keep[location] = data
	}
	if err := w.keepAll(keep); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropped = append(w.dropped, d)
	for _, key := range d.Keys {
		w.byKey[key] = d
	}
	return d, nil
}

// Put notes and stores one object of the table.
func (w *Warehouse) put(d *Dropped, key string, data []byte) {
	d.Keys = append(d.Keys, key)
	w.Store.Put(bucket, key, data)
}

func (w *Warehouse) write(ctx context.Context, d *Dropped, size Size) (id, root string, err error) {
	if size.Manifests == 0 {
		table, err := icebergtable.Write(ctx, icebergtable.Options{
			Location: d.Location, Files: 8, Distinct: 4, Snapshots: 3, RowsPerFile: 4, Branch: true, PositionDeletes: true, Statistics: true,
		})
		if err != nil {
			return "", "", err
		}
		for location, data := range table.Objects {
			_, key, err := tabletest.SplitS3(location)
			if err != nil {
				return "", "", err
			}
			w.put(d, key, data)
		}
		return table.UUID, table.MetadataLocation, nil
	}
	table, err := tabletest.Synthetic(tabletest.SyntheticOptions{
		Location: d.Location, UUID: uuid.NewString(), Files: size.Files, Manifests: size.Manifests, Snapshots: min(5, size.Manifests),
	}, tabletest.ToBucket(shelf{w, d}))
	if err != nil {
		return "", "", err
	}
	for location := range table.Paths() {
		_, key, err := tabletest.SplitS3(location)
		if err != nil {
			return "", "", err
		}
		w.put(d, key, []byte("x"))
		d.entries[key] = true
	}
	for _, location := range table.ManifestPaths {
		if _, key, err := tabletest.SplitS3(location); err == nil {
			d.entries[key] = true
		}
	}
	return table.UUID, table.MetadataLocation, nil
}

// shelf takes the metadata files of a table that is made up.
type shelf struct {
	*Warehouse
	table *Dropped
}

// Put implements [tabletest.Bucket].
func (s shelf) Put(_, key string, data []byte) { s.put(s.table, key, data) }
