package s3test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// ServeHTTP counts the request, waits, applies faults and serves it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := operation(r)
	if !s.meter.begin(op) {
		return
	}
	defer s.meter.end()
	w.Header().Set("x-amz-request-id", fmt.Sprintf("S3TEST%010d", s.requestID.Add(1)))

	// Only once the body was read does the server notice that a client left.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !s.wait(r.Context()) {
		return
	}
	if s.tooFast() {
		writeError(w, r, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		return
	}
	fault := s.fault(op, r)
	if fault != nil && fault.instead(s, w, r) {
		return
	}
	if s.opts.CheckAuth && !authorised(r) {
		writeError(w, r, http.StatusForbidden, "InvalidAccessKeyId", "The AWS access key Id you provided does not exist in our records.")
		return
	}
	if fault != nil {
		w = fault.wrap(w)
	}
	s.serve(w, r, fault)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, fault *Fault) {
	switch operation(r) {
	case "ListObjectsV2":
		s.list(w, r)
	case "DeleteObjects":
		s.deleteObjects(w, r, fault)
	case "HeadObject":
		s.head(w, r)
	case "CopyObject":
		s.copyObject(w, r)
	case "UploadPartCopy":
		s.copyPart(w, r)
	case "CompleteMultipartUpload":
		s.complete(w, r)
	case "DeleteObject":
		s.deleteObject(w, r)
	case "ListObjectVersions":
		s.listVersions(w, r)
	default:
		s.store.Load().handler.ServeHTTP(w, r)
	}
}

// operation gives the name that the S3 API has for a request.
func operation(r *http.Request) string {
	_, key := split(r)
	query := r.URL.Query()
	copies := r.Header.Get("x-amz-copy-source") != ""
	switch {
	case query.Has("uploads") && r.Method == http.MethodPost:
		return "CreateMultipartUpload"
	case query.Has("uploadId"):
		switch r.Method {
		case http.MethodPut:
			if copies {
				return "UploadPartCopy"
			}
			return "UploadPart"
		case http.MethodPost:
			return "CompleteMultipartUpload"
		case http.MethodDelete:
			return "AbortMultipartUpload"
		}
		return "ListParts"
	case key != "":
		switch r.Method {
		case http.MethodGet:
			return "GetObject"
		case http.MethodHead:
			return "HeadObject"
		case http.MethodPut:
			if copies {
				return "CopyObject"
			}
			return "PutObject"
		case http.MethodDelete:
			return "DeleteObject"
		}
	case query.Has("delete") && r.Method == http.MethodPost:
		return "DeleteObjects"
	case query.Has("versioning") && r.Method == http.MethodGet:
		return "GetBucketVersioning"
	case query.Has("versions") && r.Method == http.MethodGet:
		return "ListObjectVersions"
	case query.Get("list-type") == "2" && r.Method == http.MethodGet:
		return "ListObjectsV2"
	case r.Method == http.MethodGet && len(query) == 0:
		return "ListObjects"
	case r.Method == http.MethodPut:
		return "CreateBucket"
	case r.Method == http.MethodHead:
		return "HeadBucket"
	}
	return "Other"
}

// split gives bucket and raw key of a path-style request.
func split(r *http.Request) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return bucket, key
}

func authorised(r *http.Request) bool {
	_, credential, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		return false
	}
	id, _, _ := strings.Cut(credential, "/")
	return id == AccessKeyID
}

// writeError answers as S3 does: an XML document, none to HEAD.
func writeError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	var b bytes.Buffer
	b.WriteString(xml.Header + "<Error><Code>")
	escape(&b, code)
	b.WriteString("</Code><Message>")
	escape(&b, message)
	b.WriteString("</Message><RequestId>")
	escape(&b, w.Header().Get("x-amz-request-id"))
	b.WriteString("</RequestId></Error>")
	_, _ = w.Write(b.Bytes())
}

// escape writes text for XML. Control characters become references, which XML
// 1.0 does not allow for most of them: S3 does the same.
func escape(b *bytes.Buffer, text string) {
	for i := range len(text) {
		switch c := text[i]; {
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '&':
			b.WriteString("&amp;")
		case c == '"':
			b.WriteString("&#34;")
		case c < 0x20:
			fmt.Fprintf(b, "&#x%x;", c)
		default:
			b.WriteByte(c)
		}
	}
}
