package tabletest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

//go:embed testdata/zoo.tar.gz
var zooArchive []byte

//go:embed testdata/zoo.json.gz
var zooCatalog []byte

// FileKind says what a file is to its table, in the words of the zoo.
type FileKind string

// The kinds of file that a table consists of. A Puffin file with deletion
// vectors is one KindDV, however many vectors it holds.
const (
	KindMetadata            FileKind = "metadata"
	KindManifestList        FileKind = "manifest-list"
	KindManifest            FileKind = "manifest"
	KindData                FileKind = "data"
	KindPositionDeletes     FileKind = "position-deletes"
	KindEqualityDeletes     FileKind = "equality-deletes"
	KindDV                  FileKind = "dv"
	KindStatistics          FileKind = "statistics"
	KindPartitionStatistics FileKind = "partition-statistics"
)

// File is one file of a table: its location as the metadata writes it.
type File struct {
	Path string   `json:"path"`
	Kind FileKind `json:"kind"`
}

// ZooTable is what is known about one table of the zoo.
type ZooTable struct {
	Name             string            `json:"name"`
	Namespace        string            `json:"namespace"`
	Description      string            `json:"description"`
	Features         []string          `json:"features"`
	FormatVersion    int               `json:"format_version"`
	UUID             string            `json:"uuid"`
	Location         string            `json:"location"`
	MetadataLocation string            `json:"metadata_location"`
	Properties       map[string]string `json:"properties"`
	Writers          []string          `json:"writers"`
	Snapshots        []ZooSnapshot     `json:"snapshots"`
	// Locations are all the places that the table keeps files in: location,
	// write.data.path, write.metadata.path and the folder of added files.
	Locations []string `json:"locations"`
	// Files is everything that the metadata reaches, each path once and as it is
	// written there ("s3a://…" too). Entries of status DELETED do not count.
	Files []File `json:"files"`
	// Unreferenced are the objects under Locations that nothing reaches.
	Unreferenced []string `json:"unreferenced"`
	// IcebergGo is the tag of a known defect of iceberg-go v0.7.0 with this
	// table ("Z06"), or empty.
	IcebergGo string `json:"iceberg_go"`
}

// ZooSnapshot is one snapshot of a table of the zoo.
type ZooSnapshot struct {
	ID        int64  `json:"id"`
	Operation string `json:"operation"`
	Rows      int64  `json:"rows"`
}

// Has says whether the table has the feature ("deletion-vectors").
func (t ZooTable) Has(feature string) bool { return slices.Contains(t.Features, feature) }

// Count gives the number of files of a kind.
func (t ZooTable) Count(kind FileKind) int {
	n := 0
	for _, f := range t.Files {
		if f.Kind == kind {
			n++
		}
	}
	return n
}

// Zoo is 49 tables in two buckets of an S3 store.
type Zoo struct {
	// Buckets are the buckets to create: "other" and "warehouse".
	Buckets []string   `json:"buckets"`
	Tables  []ZooTable `json:"tables"`

	objects map[string][]byte // by "bucket/key"
}

var readZoo = sync.OnceValues(func() (*Zoo, error) {
	zoo := &Zoo{objects: map[string][]byte{}}
	catalog, err := gzip.NewReader(bytes.NewReader(zooCatalog))
	if err != nil {
		return nil, fmt.Errorf("unpack zoo.json: %w", err)
	}
	if err := json.NewDecoder(catalog).Decode(zoo); err != nil {
		return nil, fmt.Errorf("decode zoo.json: %w", err)
	}
	archive, err := gzip.NewReader(bytes.NewReader(zooArchive))
	if err != nil {
		return nil, fmt.Errorf("unpack zoo.tar: %w", err)
	}
	for entries := tar.NewReader(archive); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return zoo, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read zoo.tar: %w", err)
		}
		data, err := io.ReadAll(entries)
		if err != nil {
			return nil, fmt.Errorf("read zoo.tar: %w", err)
		}
		zoo.objects[header.Name] = data
	}
})

// LoadZoo unpacks the zoo, once per process. It is shared: callers do not
// change it, nor the bytes of its objects.
func LoadZoo(t testing.TB) *Zoo {
	t.Helper()
	zoo, err := readZoo()
	if err != nil {
		t.Fatalf("load zoo: %v", err)
	}
	return zoo
}

// Table gives the table of that name and fails the test when there is none.
func (z *Zoo) Table(t testing.TB, name string) ZooTable {
	t.Helper()
	for _, table := range z.Tables {
		if table.Name == name {
			return table
		}
	}
	t.Fatalf("the zoo has no table %q", name)
	return ZooTable{}
}

// Objects yields every object as "bucket/key", ordered, the key raw.
func (z *Zoo) Objects() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, name := range slices.Sorted(maps.Keys(z.objects)) {
			if !yield(name, z.objects[name]) {
				return
			}
		}
	}
}

// Object gives the bytes of a location ("s3://bucket/key", s3a and s3n alike).
func (z *Zoo) Object(location string) ([]byte, bool) {
	bucket, key, err := SplitS3(location)
	if err != nil {
		return nil, false
	}
	data, found := z.objects[bucket+"/"+key]
	return data, found
}

// Load puts every object into b.
func (z *Zoo) Load(b Bucket) {
	for name, data := range z.Objects() {
		bucket, key, _ := strings.Cut(name, "/")
		b.Put(bucket, key, data)
	}
}
