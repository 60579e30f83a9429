package s3test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// SetVersioning makes a bucket keep versions from now on, or stop to.
func (s *Server) SetVersioning(bucket string, on bool) {
	config := gofakes3.VersioningConfiguration{}
	config.SetEnabled(on)
	if err := s.store.Load().backend.SetVersioningConfiguration(bucket, config); err != nil {
		panic(fmt.Sprintf("s3test: versioning of %s: %v", bucket, err))
	}
}

// Version is one version of an object.
type Version struct {
	Key, ID string
	Size    int64
	// Marker: it only hides the versions before it.
	Marker bool
	latest bool
}

// Versions lists all versions of all objects of a bucket, in the order of the keys.
func (s *Server) Versions(bucket string) []Version {
	all, _ := s.store.Load().versions(bucket)
	return all
}

func (s *store) versions(bucket string) ([]Version, error) {
	list, err := s.backend.ListBucketVersions(bucket, nil, nil)
	if err != nil {
		return nil, err
	}
	var all []Version
	for _, v := range list.Versions {
		found := Version{ID: string(v.GetVersionID())}
		switch v := v.(type) {
		case *gofakes3.Version:
			found.Key, found.Size, found.latest = v.Key, v.Size, v.IsLatest
		case *gofakes3.DeleteMarker:
			found.Key, found.Marker, found.latest = v.Key, true, v.IsLatest
		}
		if found.ID == "" {
			found.ID = "null"
		}
		all = append(all, found)
	}
	slices.SortStableFunc(all, func(a, b Version) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// listVersions answers ListObjectVersions: in gofakes3 a listing that is cut off
// does not say where it goes on.
func (s *Server) listVersions(w http.ResponseWriter, r *http.Request) {
	bucket, _ := split(r)
	query := r.URL.Query()
	all, err := s.store.Load().versions(bucket)
	if err != nil {
		writeError(w, r, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
		return
	}
	limit := s.pageKeys()
	if n, err := strconv.Atoi(query.Get("max-keys")); err == nil {
		limit = min(n, limit)
	}
	prefix, key, id := query.Get("prefix"), query.Get("key-marker"), query.Get("version-id-marker")
	all = slices.DeleteFunc(all, func(v Version) bool {
		return !strings.HasPrefix(v.Key, prefix) || v.Key < key || v.Key == key && id == ""
	})
	if at := slices.IndexFunc(all, func(v Version) bool { return v.Key == key && v.ID == id }); at >= 0 {
		all = all[at+1:]
	}
	more := len(all) > limit
	all = all[:min(len(all), limit)]

	encode := func(key string) string { return key }
	var b bytes.Buffer
	field := func(name, value string) {
		b.WriteString("<" + name + ">")
		escape(&b, value)
		b.WriteString("</" + name + ">")
	}
	b.WriteString(xml.Header + `<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	if encoding := query.Get("encoding-type"); encoding == "url" {
		encode = encodeKey
		field("EncodingType", encoding)
	}
	field("Name", bucket)
	field("Prefix", encode(prefix))
	field("IsTruncated", strconv.FormatBool(more))
	if more {
		last := all[len(all)-1]
		field("NextKeyMarker", encode(last.Key))
		field("NextVersionIdMarker", last.ID)
	}
	for _, v := range all {
		element := "Version"
		if v.Marker {
			element = "DeleteMarker"
		}
		b.WriteString("<" + element + ">")
		field("Key", encode(v.Key))
		field("VersionId", v.ID)
		field("IsLatest", strconv.FormatBool(v.latest))
		if !v.Marker {
			field("Size", strconv.FormatInt(v.Size, 10))
		}
		b.WriteString("</" + element + ">")
	}
	b.WriteString("</ListVersionsResult>")
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(b.Bytes())
}
