package s3test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// etag is what the server tells in place of the MD5.
func (s *Server) etag(bucket, key, etag string) string {
	if etags := s.etags.Load(); etags != nil && *etags != nil {
		return (*etags)(bucket, key, etag)
	}
	return etag
}

// head answers HeadObject from gofakes3, with the times and ETags of the test.
func (s *Server) head(w http.ResponseWriter, r *http.Request) {
	bucket, key := split(r)
	answer := httptest.NewRecorder()
	current := s.store.Load()
	current.handler.ServeHTTP(answer, r)
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	if o, err := current.backend.HeadObject(bucket, key); err == nil && answer.Code == http.StatusOK {
		w.Header().Set("ETag", s.etag(bucket, key, gofakes3.FormatETag(o.Hash)))
		at, _ := http.ParseTime(o.Metadata["Last-Modified"])
		w.Header().Del("Last-Modified")
		if written := s.written(bucket, key, at); !written.IsZero() {
			w.Header().Set("Last-Modified", written.UTC().Format(http.TimeFormat))
		}
	}
	w.WriteHeader(answer.Code)
}

// source gives the object that a copy is made of, or answers why not.
func (s *Server) source(w http.ResponseWriter, r *http.Request) (data []byte, meta map[string]string, ok bool) {
	name, err := url.PathUnescape(r.Header.Get("x-amz-copy-source"))
	bucket, key, found := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if err != nil || !found {
		writeError(w, r, http.StatusBadRequest, "InvalidArgument", "Copy Source must mention the source bucket and key")
		return nil, nil, false
	}
	o, err := s.store.Load().backend.GetObject(bucket, key, nil)
	if err != nil {
		writeError(w, r, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return nil, nil, false
	}
	defer o.Contents.Close()
	if want := r.Header.Get("x-amz-copy-source-if-match"); want != "" && want != s.etag(bucket, key, gofakes3.FormatETag(o.Hash)) {
		unmet(w, r)
		return nil, nil, false
	}
	data, err = io.ReadAll(o.Contents)
	return data, o.Metadata, err == nil
}

func unmet(w http.ResponseWriter, r *http.Request) {
	writeError(w, r, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

// copyObject answers CopyObject with its conditions, which gofakes3 does not look
// at.
func (s *Server) copyObject(w http.ResponseWriter, r *http.Request) {
	bucket, key := split(r)
	data, was, ok := s.source(w, r)
	if !ok {
		return
	}
	meta := map[string]string{}
	for name, value := range was {
		meta[name] = value
	}
	meta["Last-Modified"] = time.Now().UTC().Format(http.TimeFormat)
	var conditions *gofakes3.PutConditions
	if only := r.Header.Get("If-None-Match"); only != "" && !s.opts.IgnoreConditions {
		conditions = &gofakes3.PutConditions{IfNoneMatch: &only}
	}
	current := s.store.Load()
	if _, err := current.backend.PutObject(bucket, key, meta, bytes.NewReader(data), int64(len(data)), conditions); err != nil {
		if conditions == nil {
			writeError(w, r, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
			return
		}
		unmet(w, r)
		return
	}
	o, err := current.backend.HeadObject(bucket, key)
	if err != nil {
		writeError(w, r, http.StatusInternalServerError, "InternalError", "the copy was taken away")
		return
	}
	copied(w, "CopyObjectResult", s.etag(bucket, key, gofakes3.FormatETag(o.Hash)))
}

// copied answers a copy.
func copied(w http.ResponseWriter, root, etag string) {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<" + root + "><ETag>")
	escape(&b, etag)
	b.WriteString("</ETag></" + root + ">")
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(b.Bytes())
}

// copyPart answers UploadPartCopy, which gofakes3 does not know, by an UploadPart.
func (s *Server) copyPart(w http.ResponseWriter, r *http.Request) {
	data, _, ok := s.source(w, r)
	if !ok {
		return
	}
	if span := r.Header.Get("x-amz-copy-source-range"); span != "" {
		var first, last int64
		if _, err := fmt.Sscanf(span, "bytes=%d-%d", &first, &last); err != nil || first > last || last >= int64(len(data)) {
			writeError(w, r, http.StatusBadRequest, "InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last")
			return
		}
		data = data[first : last+1]
	}
	part := r.Clone(r.Context())
	part.Body = io.NopCloser(bytes.NewReader(data))
	part.ContentLength = int64(len(data))
	part.Header = http.Header{"Content-Length": {fmt.Sprint(len(data))}}
	answer := httptest.NewRecorder()
	s.store.Load().handler.ServeHTTP(answer, part)
	if answer.Code != http.StatusOK {
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		return
	}
	copied(w, "CopyPartResult", answer.Header().Get("ETag"))
}

// complete answers CompleteMultipartUpload under its condition, and with the ETag
// that the object has here.
func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	bucket, key := split(r)
	if r.Header.Get("If-None-Match") == "*" && !s.opts.IgnoreConditions && s.Has(bucket, key) {
		unmet(w, r)
		return
	}
	answer := httptest.NewRecorder()
	current := s.store.Load()
	current.handler.ServeHTTP(answer, r)
	if o, err := current.backend.HeadObject(bucket, key); err == nil && answer.Code == http.StatusOK {
		copied(w, "CompleteMultipartUploadResult", s.etag(bucket, key, gofakes3.FormatETag(o.Hash)))
		return
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// deleteObject answers DeleteObject under its condition.
func (s *Server) deleteObject(w http.ResponseWriter, r *http.Request) {
	bucket, key := split(r)
	current := s.store.Load()
	if want := r.Header.Get("If-Match"); want != "" && !s.opts.IgnoreConditions {
		if o, err := current.backend.HeadObject(bucket, key); err == nil && s.etag(bucket, key, gofakes3.FormatETag(o.Hash)) != want {
			unmet(w, r)
			return
		}
	}
	current.handler.ServeHTTP(w, r)
}
