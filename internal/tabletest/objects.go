package tabletest

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bucket takes objects: an S3 server in the process, or a client of one. The
// key is raw: not encoded, not cleaned.
type Bucket interface {
	Put(bucket, key string, data []byte)
}

// Objects holds files by their location as Iceberg writes it:
// "s3://bucket/key" or "file:///folder/name".
type Objects map[string][]byte

// All yields the objects ordered by location.
func (o Objects) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, location := range slices.Sorted(maps.Keys(o)) {
			if !yield(location, o[location]) {
				return
			}
		}
	}
}

// Load puts every object of an s3, s3a or s3n location into b. Other locations
// are an error, and nothing is put then.
func (o Objects) Load(b Bucket) error {
	for location := range o {
		if _, _, err := SplitS3(location); err != nil {
			return err
		}
	}
	for location, data := range o.All() {
		bucket, key, _ := SplitS3(location)
		b.Put(bucket, key, data)
	}
	return nil
}

// WriteFolder writes every object of a file location to disk, folders
// included. The path is taken literally: "%20" is three characters of a name.
func (o Objects) WriteFolder() error {
	for location, data := range o.All() {
		path, err := LocalPath(location)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return fmt.Errorf("write file: %w", err)
		}
	}
	return nil
}

// SplitS3 splits "s3://bucket/key" (or s3a, s3n) into bucket and raw key.
func SplitS3(location string) (bucket, key string, err error) {
	scheme, rest, found := strings.Cut(location, "://")
	if !found || (scheme != "s3" && scheme != "s3a" && scheme != "s3n") {
		return "", "", fmt.Errorf("location %q is not on S3", location)
	}
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, nil
}

// LocalPath gives the path of a file location ("file:/p", "file:///p", "/p").
func LocalPath(location string) (string, error) {
	path := strings.TrimPrefix(location, "file:")
	path = strings.TrimPrefix(path, "//")
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("location %q is not a local file", location)
	}
	return path, nil
}
