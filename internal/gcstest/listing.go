package gcstest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// list answers a listing in byte order; a page's token is the last name that it gave.
func (s *Server) list(w http.ResponseWriter, bucket string, query url.Values) {
	most := 1000
	if n, err := strconv.Atoi(query.Get("maxResults")); err == nil && n > 0 {
		most = min(n, most)
	}
	if s.opts.PageSize > 0 {
		most = min(most, s.opts.PageSize)
	}
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	answer := map[string]any{"kind": "storage#objects"}
	var items []map[string]any
	var folders []string
	last := ""
	for _, key := range slices.Sorted(maps.Keys(s.buckets[bucket])) {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok || key < query.Get("startOffset") {
			continue
		}
		name, folder := key, false
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			name, folder = prefix+rest[:i+len(delimiter)], true
		}
		if name <= query.Get("pageToken") || folder && slices.Contains(folders, name) {
			continue
		}
		if len(items)+len(folders) == most {
			answer["nextPageToken"] = last
			break
		}
		last = name
		if folder {
			folders = append(folders, name)
			continue
		}
		items = append(items, resource(bucket, key, s.buckets[bucket][key]))
	}
	if len(items) > 0 {
		answer["items"] = items
	}
	if len(folders) > 0 {
		answer["prefixes"] = folders
	}
	document(w, answer)
}
