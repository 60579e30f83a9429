package maintenancetest

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance"
	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// Yard is a store with a catalog of one table over it. The table is zoo.t of
// catalog lake; its files are in the buckets warehouse and other, or on the disk.
type Yard struct {
	// T is the test that runs, for subtests to set.
	T      testing.TB
	Server *s3test.Server
	Ledger *Ledger
	// Config of the kind's handler, without catalogs: see [Yard.Over].
	Config maintenance.Config
	// Storage section of the catalog.
	Storage storage.Config

	rows map[string]rowsRead // by what metadata says of the snapshot
}

// NewYard makes an empty one on an S3 server of its own.
func NewYard(t testing.TB) *Yard {
	t.Helper()
	return NewYardOn(t, s3test.Start(t, s3test.Options{Buckets: []string{"warehouse", "other"}}))
}

// NewYardOn makes one on a server that has the buckets.
func NewYardOn(t testing.TB, server *s3test.Server) *Yard {
	y := &Yard{T: t, Server: server, Storage: storage.Config{
		Name: "lake", Locations: []string{"s3://warehouse/", "s3://other/"}, Retries: 1, S3: server.StorageConfig(),
	}}
	y.Ledger = &Ledger{yard: y}
	y.Config = maintenance.Config{Worker: "tester", RetryWait: time.Millisecond}
	return y
}

// Over is the configuration of a handler whose catalog is asked through client; nil:
// the yard's own Ledger.
func (y *Yard) Over(client maintenance.Client) maintenance.Config {
	if client == nil {
		client = y.Ledger
	}
	cfg := y.Config
	cfg.Catalogs = []maintenance.Catalog{{Realm: "POLARIS", Name: "lake", Client: client, Storage: y.Storage}}
	return cfg
}

// Job is one for the yard's table. params are JSON.
func Job(kind jobs.Kind, params string) *jobs.Job {
	return &jobs.Job{
		Version: 1, ID: "01TESTJOB", Kind: kind, Realm: "POLARIS", Catalog: "lake",
		Namespace: []string{"zoo"}, Table: "t", Params: json.RawMessage(params),
	}
}

// Open makes the metadata file that of the catalog's table.
func (y *Yard) Open(metadataLocation string) { y.Ledger.Location = metadataLocation }

// Write makes a table with iceberg-go and neighbours around it, and opens it.
// Without a location it is at [Home].
func (y *Yard) Write(o icebergtable.Options) *icebergtable.Table {
	y.T.Helper()
	if o.Location == "" {
		o.Location = Home
	}
	made, err := icebergtable.Write(y.T.Context(), o)
	require.NoError(y.T, err)
	y.Load(tabletest.Neighbours(o.Location))
	y.Load(made.Objects)
	y.Open(made.MetadataLocation)
	return made
}

// Load puts objects into the store, or onto the disk.
func (y *Yard) Load(objects tabletest.Objects) {
	y.T.Helper()
	for location := range objects {
		if strings.HasPrefix(location, "file:") {
			require.NoError(y.T, objects.WriteFolder())
			return
		}
	}
	require.NoError(y.T, objects.Load(y.Server))
}

// Put stores one object.
func (y *Yard) Put(location string, data []byte) {
	y.T.Helper()
	y.Load(tabletest.Objects{location: data})
}

// Get gives an object, which must be there.
func (y *Yard) Get(location string) []byte {
	y.T.Helper()
	if strings.HasPrefix(location, "file:") {
		path, err := tabletest.LocalPath(location)
		require.NoError(y.T, err)
		data, err := os.ReadFile(path)
		require.NoError(y.T, err)
		return data
	}
	bucket, key, err := tabletest.SplitS3(location)
	require.NoError(y.T, err)
	data, found := y.Server.Get(bucket, key)
	require.True(y.T, found, location)
	return data
}

// Remove takes an object out of the store.
func (y *Yard) Remove(location string) {
	y.T.Helper()
	bucket, key, err := tabletest.SplitS3(location)
	require.NoError(y.T, err)
	y.Server.Remove(bucket, key)
}

// Edit changes a metadata file in its place.
func (y *Yard) Edit(location string, change func(m Object)) {
	y.T.Helper()
	var m Object
	decode(y.plain(location), &m)
	change(m)
	y.Put(location, encode(m))
}

// Keys are all objects of all buckets as s3:// locations, in order.
func (y *Yard) Keys() []string { return y.Server.Locations() }

// Missing are those of the keys that are not there.
func (y *Yard) Missing(keys []string) []string {
	there := map[string]bool{}
	for _, key := range y.Keys() {
		there[key] = true
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return there[key] })
}

// Files are the keys that are no metadata files.
func (y *Yard) Files() []string { return slices.DeleteFunc(y.Keys(), IsMetadata) }

// IsMetadata knows metadata files by their keys.
func IsMetadata(key string) bool { return strings.Contains(key, ".metadata.json") }

// Has checks which of the files are there. Names without a scheme are below [Home].
func (y *Yard) Has(there bool, names ...string) {
	y.T.Helper()
	for _, name := range names {
		if !strings.Contains(name, "://") {
			name = InHome(name)
		}
		bucket, key, err := tabletest.SplitS3(name)
		require.NoError(y.T, err)
		require.Equal(y.T, there, y.Server.Has(bucket, key), name)
	}
}

// Metadata of the table as it stands.
func (y *Yard) Metadata() *table.Metadata {
	y.T.Helper()
	loaded, err := y.Ledger.Current()
	require.NoError(y.T, err)
	return loaded.Metadata
}
