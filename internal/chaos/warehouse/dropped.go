package warehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"

	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// Dropped is a table, or a view, that the catalog has forgotten.
type Dropped struct {
	// Job that purges it.
	Job *jobs.Job
	// Lock key of the purge.
	Lock string
	// Location as s3://bucket/key.
	Location string
	// Files is how many objects the table has.
	Files int
	// Slow is how long the store takes to answer about it, in milliseconds.
	Slow int
	// big: it is made up, and may be shared out in shards.
	big bool
	// keys of all its objects.
	keys keys
	// Accepted says that the queue has taken the job.
	Accepted atomic.Bool
}

// IsEntry says whether an object is a manifest, or is named by one: what shards share
// out among them.
func (d *Dropped) IsEntry(key string) bool {
	return d.big && (strings.Contains(key, "/data/") || strings.HasSuffix(key, "-m0.avro"))
}

// Size of a dropped table.
type Size struct {
	// View: it is a view.
	View bool
	// Files, in Manifests. No manifests: a small table of all kinds of files, by
	// iceberg-go.
	Files, Manifests int
	// Slow is how long each request about it takes, in milliseconds.
	Slow int
}

// RandomSize picks a size: few tables are big, and the big ones have most of the files.
func RandomSize(random *rand.Rand) Size {
	switch n := random.IntN(20); {
	case n < 2:
		return Size{View: true, Slow: random.IntN(60)}
	case n < 6:
		return Size{Slow: random.IntN(60)}
	case n < 13:
		return Size{Files: 200 + random.IntN(1_500), Manifests: 5 + random.IntN(20), Slow: 10 + random.IntN(60)}
	case n < 16:
		return Size{Files: 1_500 + random.IntN(2_000), Manifests: 60 + random.IntN(100), Slow: 300 + random.IntN(400)}
	case n < 18:
		return Size{Files: 4_000 + random.IntN(6_000), Manifests: 30 + random.IntN(30), Slow: 100 + random.IntN(200)}
	default:
		return Size{Files: 15_000 + random.IntN(15_000), Manifests: 40 + random.IntN(40), Slow: 20 + random.IntN(60)}
	}
}

// Drop makes a table with its neighbours, and the job that purges it. name must be
// letters and digits, with a letter at the end: the neighbours' names begin with it.
func (w *Warehouse) Drop(ctx context.Context, name string, size Size) (*Dropped, error) {
	d := &Dropped{Location: "s3://" + bucket + "/" + droppedNamespace + "/" + name, Slow: size.Slow, big: size.Manifests > 0}
	id, root, err := w.write(ctx, d, size)
	if err != nil {
		return nil, fmt.Errorf("write dropped table %s: %w", name, err)
	}
	d.Files = len(d.keys.loose)
	d.keys.pack()
	kind := jobs.Purge
	if size.View {
		kind = jobs.PurgeView
	}
	d.Job = &jobs.Job{
		Version: jobs.Version, ID: jobs.NewID(), Kind: kind, Realm: realm, Catalog: catalog,
		Namespace: []string{droppedNamespace}, Table: name, TableUUID: id, MetadataLocation: root,
	}
	d.Lock = d.Job.LockKey()
	keep := tabletest.Neighbours(d.Location)
	for location, data := range tabletest.Inside(d.Location) {
		keep[location] = data
	}
	if size.View { // one that was created again at the same place
		for location, data := range tabletest.NewView(d.Location, uuid.NewString(), 2, 2).Objects {
			keep[location] = data
		}
	}
	if err := w.keepAll(keep); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropped[name] = d
	return d, nil
}

// put notes and stores one object of the table.
func (w *Warehouse) put(d *Dropped, key string, data []byte) {
	d.keys.add(key)
	w.Store.Put(bucket, key, data)
}

func (w *Warehouse) write(ctx context.Context, d *Dropped, size Size) (id, root string, err error) {
	switch {
	case size.View:
		view := tabletest.NewView(d.Location, uuid.NewString(), 1, 3)
		return view.UUID, view.MetadataLocation(), w.putAll(d, view.Objects)
	case size.Manifests == 0:
		table, err := icebergtable.Write(ctx, icebergtable.Options{
			Location: d.Location, Files: 8, Distinct: 4, Snapshots: 3, RowsPerFile: 4, Branch: true, PositionDeletes: true, Statistics: true,
		})
		if err != nil {
			return "", "", err
		}
		return table.UUID, table.MetadataLocation, w.putAll(d, table.Objects)
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
	}
	return table.UUID, table.MetadataLocation, nil
}

func (w *Warehouse) putAll(d *Dropped, objects tabletest.Objects) error {
	for location, data := range objects {
		_, key, err := tabletest.SplitS3(location)
		if err != nil {
			return err
		}
		w.put(d, key, data)
	}
	return nil
}

// shelf takes the metadata files of a table that is made up.
type shelf struct {
	*Warehouse
	table *Dropped
}

// Put implements [tabletest.Bucket].
func (s shelf) Put(_, key string, data []byte) { s.put(s.table, key, data) }
