package tabletest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// Sink takes one file: it opens a place for it and calls write. An error of
// write is returned.
type Sink func(location string, write func(io.Writer) error) error

// ToBucket is a sink that puts objects of s3 locations into b, each held in
// memory once.
func ToBucket(b Bucket) Sink {
	return func(location string, write func(io.Writer) error) error {
		bucket, key, err := SplitS3(location)
		if err != nil {
			return err
		}
		var data bytes.Buffer
		if err := write(&data); err != nil {
			return err
		}
		b.Put(bucket, key, data.Bytes())
		return nil
	}
}

// ToFolder is a sink that writes files of file locations, streaming.
func ToFolder() Sink {
	return func(location string, write func(io.Writer) error) error {
		path, err := LocalPath(location)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		file, err := os.Create(path) //nolint:gosec // the path is the test's own
		if err != nil {
			return fmt.Errorf("create file: %w", err)
		}
		return errors.Join(write(file), file.Close())
	}
}

// SyntheticOptions says how big a table to make up.
type SyntheticOptions struct {
	// Location of the table. Required.
	Location string
	// UUID of the table. Defaults to one that all synthetic tables share.
	UUID string
	// Files is the number of data files that the manifests name. Defaults to
	// 1,000. They are not written: see [SyntheticTable.Paths].
	Files int
	// Manifests that the files are spread over. Defaults to 1.
	Manifests int
	// Snapshots defaults to 1. The manifests are appended over them, so that the
	// list of the last snapshot names all and those before name a part of them.
	Snapshots int
	// Columns with statistics in each entry: 0 makes narrow entries (about 40
	// bytes compressed), 20 wide ones (about 430).
	Columns int
	// Stored compresses no entries, which is quicker to write and to read.
	Stored bool
}

// WithDefaults fills in what was left out.
func (o SyntheticOptions) WithDefaults() SyntheticOptions {
	o.UUID = cmp.Or(o.UUID, "5e7b0c1a-0000-4000-8000-000000000001")
	o.Files = cmp.Or(o.Files, 1_000)
	o.Manifests = cmp.Or(o.Manifests, 1)
	o.Snapshots = cmp.Or(o.Snapshots, 1)
	return o
}

// Validate says what cannot be made.
func (o SyntheticOptions) Validate() error {
	switch {
	case o.Location == "":
		return errors.New("a synthetic table needs a location")
	case o.Manifests > o.Files || o.Snapshots > o.Manifests:
		return fmt.Errorf("%d files, %d manifests, %d snapshots: each must be at least the next", o.Files, o.Manifests, o.Snapshots)
	case o.Columns < 0 || o.Columns > 60:
		return fmt.Errorf("%d columns: at most 60", o.Columns)
	}
	return nil
}

// SyntheticTable is what was made up. Its format version is 2.
type SyntheticTable struct {
	SyntheticOptions
	MetadataLocation string
	// EarlierMetadata are the files of the metadata log, oldest first: one from
	// the table's creation and one from each snapshot but the last.
	EarlierMetadata []string
	// ManifestLists and ManifestPaths hold each file once, oldest first.
	ManifestLists []string
	ManifestPaths []string
	// ManifestBytes is the size of all manifests.
	ManifestBytes int64
}

// Synthetic makes up a table and hands its metadata files to sink, in the order
// manifests, manifest lists, metadata. It holds no more than a block of a
// manifest in memory.
func Synthetic(o SyntheticOptions, sink Sink) (*SyntheticTable, error) {
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	t := &SyntheticTable{SyntheticOptions: o}
	var lengths []int64
	for m := range o.Manifests {
		path := fmt.Sprintf("%s/metadata/5e7b0c1a-%05d-m0.avro", o.Location, m)
		var length int64
		err := sink(path, func(w io.Writer) (err error) {
			length, err = t.writeManifest(w, m)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("write manifest: %w", err)
		}
		t.ManifestPaths = append(t.ManifestPaths, path)
		t.ManifestBytes += length
		lengths = append(lengths, length)
	}
	for s := range o.Snapshots {
		path := fmt.Sprintf("%s/metadata/snap-%d-1-5e7b0c1a.avro", o.Location, snapshotID(s))
		err := sink(path, func(w io.Writer) error { return t.writeManifestList(w, s, lengths) })
		if err != nil {
			return nil, fmt.Errorf("write manifest list: %w", err)
		}
		t.ManifestLists = append(t.ManifestLists, path)
	}
	for snapshots := range o.Snapshots + 1 {
		path := fmt.Sprintf("%s/metadata/%05d-5e7b0c1a.metadata.json", o.Location, snapshots)
		if err := sink(path, func(w io.Writer) error { return t.writeMetadata(w, snapshots) }); err != nil {
			return nil, fmt.Errorf("write metadata: %w", err)
		}
		t.EarlierMetadata = append(t.EarlierMetadata, path)
	}
	t.MetadataLocation = t.EarlierMetadata[o.Snapshots]
	t.EarlierMetadata = t.EarlierMetadata[:o.Snapshots]
	return t, nil
}

// Paths yields the location of every data file, in the order of the manifests.
func (t *SyntheticTable) Paths() iter.Seq[string] {
	return func(yield func(string) bool) {
		for m := range t.Manifests {
			first, end := t.files(m)
			for n := first; n < end; n++ {
				if !yield(string(t.appendPath(nil, m, n))) {
					return
				}
			}
		}
	}
}

// files gives the numbers of the data files of a manifest: first to end-1.
func (t *SyntheticTable) files(manifest int) (first, end int) {
	return t.Files * manifest / t.Manifests, t.Files * (manifest + 1) / t.Manifests
}

// manifests gives how many manifests the list of a snapshot holds.
func (t *SyntheticTable) manifests(snapshot int) int {
	return t.Manifests * (snapshot + 1) / t.Snapshots
}

// appendPath names a data file as Spark does: partition, task, a UUID per write.
func (t *SyntheticTable) appendPath(buf []byte, manifest, file int) []byte {
	return fmt.Appendf(buf, "%s/data/bucket=%d/%05d-%d-6f1c2c1e-9f3c-4a5e-8d7f-0000%08x-00001.parquet",
		t.Location, bucketOf(file), file%100_000, file, manifest)
}

func bucketOf(file int) int64       { return int64(file % 16) }
func snapshotID(snapshot int) int64 { return 3_051_729_675_574_597_000 + int64(snapshot) }
