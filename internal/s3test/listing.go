package s3test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// pageLimit is S3's: neither a page nor a DeleteObjects holds more keys.
const pageLimit = 1000

// afterAll sorts behind every key that has the prefix it is appended to.
const afterAll = "\xff\xff\xff\xff"

func (s *Server) pageKeys() int { return cmp.Or(s.opts.PageKeys, pageLimit) }

// list answers ListObjectsV2.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	bucket, _ := split(r)
	query := r.URL.Query()
	maxKeys := s.pageKeys()
	if text := query.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			writeError(w, r, http.StatusBadRequest, "InvalidArgument", "max-keys is not a number")
			return
		}
		maxKeys = min(n, maxKeys)
	}
	marker := query.Get("start-after")
	if token := query.Get("continuation-token"); token != "" {
		decoded, err := base64.URLEncoding.DecodeString(token)
		if err != nil {
			writeError(w, r, http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
			return
		}
		marker = string(decoded)
	}
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	p, err := s.store.Load().page(bucket, prefix, delimiter, marker, maxKeys)
	if err != nil {
		writeError(w, r, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
		return
	}

	encode := func(key string) string { return key }
	encoding := query.Get("encoding-type")
	if encoding == "url" {
		encode = encodeKey
	}
	var b bytes.Buffer
	field := func(name, value string) {
		b.WriteString("<" + name + ">")
		escape(&b, value)
		b.WriteString("</" + name + ">")
	}
	b.WriteString(xml.Header + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	field("Name", bucket)
	field("Prefix", encode(prefix))
	if delimiter != "" {
		field("Delimiter", encode(delimiter))
	}
	field("MaxKeys", strconv.Itoa(maxKeys))
	if encoding != "" {
		field("EncodingType", encoding)
	}
	field("KeyCount", strconv.Itoa(len(p.objects)+len(p.folders)))
	field("IsTruncated", strconv.FormatBool(p.next != ""))
	if p.next != "" {
		field("NextContinuationToken", base64.URLEncoding.EncodeToString([]byte(p.next)))
	}
	for _, o := range p.objects {
		b.WriteString("<Contents>")
		field("Key", encode(o.Key))
		if written := s.written(bucket, o.Key, o.LastModified.Time); !written.IsZero() {
			field("LastModified", written.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
		field("ETag", s.etag(bucket, o.Key, o.ETag))
		fmt.Fprintf(&b, "<Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>", o.Size)
	}
	for _, f := range p.folders {
		b.WriteString("<CommonPrefixes>")
		field("Prefix", encode(f))
		b.WriteString("</CommonPrefixes>")
	}
	b.WriteString("</ListBucketResult>")
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	_, _ = w.Write(b.Bytes())
}

// encodeKey is what encoding-type=url makes of a key.
func encodeKey(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }

// page is one answer to a listing; next is empty on the last one.
type page struct {
	objects []*gofakes3.Content
	folders []string
	next    string
}

// page collects up to limit objects and common prefixes that sort after marker.
func (s *store) page(bucket, prefix, delimiter, marker string, limit int) (page, error) {
	var p page
	if marker < prefix && prefix != "" {
		// Skip to just before the prefix, so that a key equal to it is seen.
		last := prefix[len(prefix)-1]
		if last > 0 {
			marker = max(marker, prefix[:len(prefix)-1]+string([]byte{last - 1})+afterAll)
		}
	}
	step := limit + 1
	for {
		// One more than asked for tells whether there is another page. What follows a
		// folder is probably another one, so that few keys are looked at.
		want := min(step, limit+1-len(p.objects)-len(p.folders))
		match := gofakes3.Prefix{HasPrefix: prefix != "", Prefix: prefix}
		list, err := s.backend.ListBucket(bucket, &match, gofakes3.ListBucketPage{
			Marker: marker, HasMarker: marker != "", MaxKeys: int64(want),
		})
		if err != nil {
			return page{}, err
		}
		folder := false
		for _, o := range list.Contents {
			if len(p.objects)+len(p.folders) == limit {
				p.next = marker
				return p, nil
			}
			if delimiter != "" {
				if i := strings.Index(o.Key[len(prefix):], delimiter); i >= 0 {
					common := o.Key[:len(prefix)+i+len(delimiter)]
					p.folders = append(p.folders, common)
					marker = common + afterAll
					folder = true
					break
				}
			}
			p.objects = append(p.objects, o)
			marker = o.Key
		}
		if !folder && len(list.Contents) < want {
			return p, nil
		}
		if step *= 2; folder {
			step = 2
		}
	}
}
