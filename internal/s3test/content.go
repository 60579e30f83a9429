package s3test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// CreateBucket makes a bucket; one that exists is fine.
func (s *Server) CreateBucket(name string) error {
	return s.store.Load().createBucket(name)
}

func (s *store) createBucket(name string) error {
	if exists, err := s.backend.BucketExists(name); err != nil || exists {
		return err
	}
	if err := s.backend.CreateBucket(name); err != nil {
		return fmt.Errorf("create bucket %s: %w", name, err)
	}
	return nil
}

// Put stores an object under its raw key, without a request; the bucket is made
// when it is missing.
func (s *Server) Put(bucket, key string, data []byte) {
	if err := s.store.Load().put(bucket, key, data); err != nil {
		panic(fmt.Sprintf("s3test: put %s/%s: %v", bucket, key, err))
	}
}

func (s *store) put(bucket, key string, data []byte) error {
	if err := s.createBucket(bucket); err != nil {
		return err
	}
	// gofakes3 keeps this answer's header as metadata.
	meta := map[string]string{"Last-Modified": time.Now().UTC().Format(http.TimeFormat)}
	_, err := s.backend.PutObject(bucket, key, meta, bytes.NewReader(data), int64(len(data)), nil)
	return err
}

// Get gives an object's content, without a request.
func (s *Server) Get(bucket, key string) ([]byte, bool) {
	data, err := s.store.Load().get(bucket, key)
	return data, err == nil
}

func (s *store) get(bucket, key string) ([]byte, error) {
	o, err := s.backend.GetObject(bucket, key, nil)
	if err != nil {
		return nil, err
	}
	defer o.Contents.Close()
	return io.ReadAll(o.Contents)
}

// Has says whether the object exists.
func (s *Server) Has(bucket, key string) bool {
	o, err := s.store.Load().backend.HeadObject(bucket, key)
	return err == nil && o != nil
}

// Remove takes an object away, without a request.
func (s *Server) Remove(bucket, key string) {
	_, _ = s.store.Load().backend.DeleteObject(bucket, key)
}

// Keys lists the raw keys of a bucket in byte order.
func (s *Server) Keys(bucket string) []string {
	return s.store.Load().keys(bucket)
}

func (s *store) keys(bucket string) []string {
	list, err := s.backend.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return nil
	}
	keys := make([]string, 0, len(list.Contents))
	for _, o := range list.Contents {
		keys = append(keys, o.Key)
	}
	sort.Strings(keys)
	return keys
}

// Locations lists every object of every bucket as s3://bucket/key, sorted.
func (s *Server) Locations() []string {
	var all []string
	for _, bucket := range s.Buckets() {
		for _, key := range s.Keys(bucket) {
			all = append(all, "s3://"+bucket+"/"+key)
		}
	}
	slices.Sort(all)
	return all
}

// Buckets lists the buckets by name.
func (s *Server) Buckets() []string {
	infos, _ := s.store.Load().backend.ListBuckets()
	names := make([]string, 0, len(infos))
	for _, b := range infos {
		names = append(names, b.Name)
	}
	sort.Strings(names)
	return names
}

// Snapshot is the whole content at one moment.
type Snapshot struct {
	buckets []string
	objects []snapshotObject
}

type snapshotObject struct {
	bucket, key, etag string
	data              []byte
}

// Len is the number of objects.
func (s *Snapshot) Len() int { return len(s.objects) }

// Snapshot copies the whole content.
func (s *Server) Snapshot() *Snapshot {
	current := s.store.Load()
	snapshot := &Snapshot{buckets: s.Buckets()}
	for _, bucket := range snapshot.buckets {
		etags := current.etags(bucket)
		for _, key := range slices.Sorted(maps.Keys(etags)) {
			if data, err := current.get(bucket, key); err == nil {
				snapshot.objects = append(snapshot.objects, snapshotObject{bucket, key, etags[key], data})
			}
		}
	}
	return snapshot
}

// Restore makes the content exactly that of the snapshot. Open uploads are lost. What
// is there already, byte for byte, keeps the time at which it was written. Call
// [Server.Settle] before where requests may still be served.
func (s *Server) Restore(snapshot *Snapshot) {
	restored := s.store.Load().cleared(snapshot.buckets)
	there := map[string]map[string]string{}
	for _, bucket := range snapshot.buckets {
		if err := restored.createBucket(bucket); err != nil {
			panic(fmt.Sprintf("s3test: restore: %v", err))
		}
		there[bucket] = restored.etags(bucket)
	}
	for _, o := range snapshot.objects {
		if there[o.bucket][o.key] != o.etag {
			if err := restored.put(o.bucket, o.key, o.data); err != nil {
				panic(fmt.Sprintf("s3test: restore %s/%s: %v", o.bucket, o.key, err))
			}
		}
		delete(there[o.bucket], o.key)
	}
	for bucket, keys := range there {
		for key := range keys {
			_, _ = restored.backend.DeleteObject(bucket, key)
		}
	}
	s.store.Store(restored)
}

// cleared is the store without what no snapshot holds, which has these buckets: with
// its objects, unless there are versions or other buckets.
func (s *store) cleared(buckets []string) *store {
	infos, _ := s.backend.ListBuckets()
	for _, b := range infos {
		versioning, err := s.backend.VersioningConfiguration(b.Name)
		if err != nil || versioning.Status != gofakes3.VersioningNone || !slices.Contains(buckets, b.Name) {
			return newStore()
		}
	}
	return storeOf(s.backend)
}

// etags are those of the bucket's objects, by key.
func (s *store) etags(bucket string) map[string]string {
	list, err := s.backend.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return nil
	}
	etags := make(map[string]string, len(list.Contents))
	for _, o := range list.Contents {
		etags[o.Key] = o.ETag
	}
	return etags
}

// LoadTar puts the files of a tar archive, which may be gzip-compressed: an
// entry's name is bucket/rawkey.
func (s *Server) LoadTar(r io.Reader) error {
	buffered := bufio.NewReader(r)
	var plain io.Reader = buffered
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return fmt.Errorf("open archive: %w", err)
		}
		plain = unzipped
	}
	for archive := tar.NewReader(plain); ; {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if entry.Typeflag != tar.TypeReg {
			continue
		}
		bucket, key, ok := strings.Cut(entry.Name, "/")
		if !ok || bucket == "" || key == "" {
			return fmt.Errorf("read archive: entry %q is not bucket/key", entry.Name)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return fmt.Errorf("read archive: %s: %w", entry.Name, err)
		}
		if err := s.store.Load().put(bucket, key, data); err != nil {
			return fmt.Errorf("put %s: %w", entry.Name, err)
		}
	}
}
