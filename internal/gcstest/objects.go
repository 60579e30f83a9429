package gcstest

import (
	"crypto/md5" //nolint:gosec // it is what the API tells
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// failure is an error document of the JSON API.
func failure(status int, reason, message string) *Fault {
	body, _ := json.Marshal(map[string]any{"error": map[string]any{
		"code": status, "message": message, "errors": []map[string]string{{"domain": "global", "reason": reason, "message": message}},
	}})
	return &Fault{Status: status, Body: string(body), Header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}}}
}

func noBucket() *Fault {
	return failure(http.StatusNotFound, "notFound", "The specified bucket does not exist.")
}

func noObject(bucket, key string) *Fault {
	return failure(http.StatusNotFound, "notFound", "No such object: "+bucket+"/"+key)
}

func unmet() *Fault {
	return failure(http.StatusPreconditionFailed, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
}

// names takes a path apart: /…/b/BUCKET/o/KEY, each encoded.
func names(path string) (bucket, key string) {
	_, rest, _ := strings.Cut(path, "/b/")
	bucket, rest, _ = strings.Cut(rest, "/o")
	bucket, _ = url.PathUnescape(bucket)
	key, _ = url.PathUnescape(strings.TrimPrefix(rest, "/"))
	return bucket, key
}

// call answers one call of the JSON API.
func (s *Server) call(w http.ResponseWriter, r *http.Request, op string) {
	path, target, _ := strings.Cut(r.URL.EscapedPath(), "/rewriteTo")
	bucket, key := names(path)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	held, ok := s.buckets[bucket]
	if !ok {
		noBucket().write(w)
		return
	}
	o, found := held[key]
	switch op {
	case "buckets.get":
		answer := map[string]any{"kind": "storage#bucket", "softDeletePolicy": map[string]string{"retentionDurationSeconds": strconv.Itoa(int(s.opts.SoftDelete.Seconds()))}}
		if s.opts.Versioning {
			answer["versioning"] = map[string]bool{"enabled": true}
		}
		document(w, answer)
	case "objects.list":
		s.list(w, bucket, query)
	case "objects.insert":
		key = query.Get("name")
		if strings.ContainsAny(key, "\r\n") || len(key) > 1024 {
			failure(http.StatusBadRequest, "invalid", "Invalid object name.").write(w)
			return
		}
		document(w, resource(bucket, key, s.put(bucket, key, body)))
	case "objects.rewrite":
		s.rewrite(w, query, bucket, key, target)
	default:
		if !found {
			f := noObject(bucket, key)
			if query.Get("alt") == "media" { // in words, not as a document
				f = &Fault{Status: http.StatusNotFound, Body: "No such object: " + bucket + "/" + key, Header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}}
			}
			f.write(w)
			return
		}
		if want := query.Get("ifGenerationMatch"); want != "" && want != strconv.FormatInt(o.generation, 10) {
			unmet().write(w)
			return
		}
		switch {
		case op == "objects.delete":
			delete(held, key)
			w.WriteHeader(http.StatusNoContent)
		case query.Get("alt") == "media":
			media(w, r, o)
		default:
			document(w, resource(bucket, key, o))
		}
	}
}

func document(w http.ResponseWriter, content any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(content)
}

// resource is what is told of an object.
func resource(bucket, key string, o object) map[string]any {
	sum := md5.Sum(o.data) //nolint:gosec // it is what the API tells
	at := o.created.Format(time.RFC3339Nano)
	return map[string]any{
		"kind": "storage#object", "bucket": bucket, "name": key, "generation": strconv.FormatInt(o.generation, 10),
		"size": strconv.Itoa(len(o.data)), "md5Hash": base64.StdEncoding.EncodeToString(sum[:]), "timeCreated": at, "updated": at,
	}
}

// media sends the bytes, or a range of them.
func media(w http.ResponseWriter, r *http.Request, o object) {
	data := o.data
	w.Header().Set("Last-Modified", o.created.Format(http.TimeFormat))
	w.Header().Set("X-Goog-Generation", strconv.FormatInt(o.generation, 10))
	if span, ranged := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ranged {
		from, to, _ := strings.Cut(span, "-")
		first, _ := strconv.Atoi(from)
		if first >= len(data) {
			failure(http.StatusRequestedRangeNotSatisfiable, "requestedRangeNotSatisfiable", "Request range not satisfiable").write(w)
			return
		}
		last := len(data) - 1
		if n, err := strconv.Atoi(to); err == nil {
			last = min(n, last)
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(data)))
		w.Header().Set("Content-Length", strconv.Itoa(last-first+1))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(data[first : last+1])
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
}

// rewrite copies, in as many steps as the options say.
func (s *Server) rewrite(w http.ResponseWriter, query url.Values, bucket, key, target string) {
	_, to := names(target)
	o, found := s.buckets[bucket][key]
	there, exists := s.buckets[bucket][to]
	switch {
	case !found:
		noObject(bucket, key).write(w)
		return
	case query.Has("ifSourceGenerationMatch") && query.Get("ifSourceGenerationMatch") != strconv.FormatInt(o.generation, 10),
		query.Get("ifGenerationMatch") == "0" && exists,
		query.Get("ifGenerationMatch") != "" && query.Get("ifGenerationMatch") != "0" && query.Get("ifGenerationMatch") != strconv.FormatInt(there.generation, 10):
		unmet().write(w)
		return
	}
	token := query.Get("rewriteToken")
	done, known := s.rewrites[token]
	if token != "" && !known {
		failure(http.StatusBadRequest, "invalid", "Invalid rewrite token").write(w)
		return
	}
	delete(s.rewrites, token)
	size := int64(len(o.data))
	if s.opts.RewriteBytes > 0 && done+s.opts.RewriteBytes < size {
		s.generation++
		next := "rewrite-" + strconv.FormatInt(s.generation, 10)
		s.rewrites[next] = done + s.opts.RewriteBytes
		document(w, map[string]any{"kind": "storage#rewriteResponse", "done": false, "rewriteToken": next, "objectSize": strconv.FormatInt(size, 10)})
		return
	}
	document(w, map[string]any{"kind": "storage#rewriteResponse", "done": true, "resource": resource(bucket, to, s.put(bucket, to, o.data))})
}
