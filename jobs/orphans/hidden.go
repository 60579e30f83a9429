package orphans

import (
	"net/url"
	"strings"
)

// hiddenRule leaves files alone that have a segment beginning with "_" or "." in
// their path below the location, but for folders of partition fields whose names
// begin so. Source: PartitionAwareHiddenPathFilter of Iceberg's DeleteOrphanFiles.
type hiddenRule struct{ folders []string }

// newHiddenRule takes the names of the partition fields of all the table's specs.
func newHiddenRule(fields []string) hiddenRule {
	var h hiddenRule
	for _, field := range fields {
		if isHiddenName(field) {
			h.folders = append(h.folders, field+"=")
			if escaped := url.QueryEscape(field); escaped != field {
				h.folders = append(h.folders, escaped+"=")
			}
		}
	}
	return h
}

func isHiddenName(segment string) bool {
	return segment != "" && (segment[0] == '_' || segment[0] == '.')
}

// hides says whether a path relative to its location is hidden.
func (h hiddenRule) hides(relative string) bool {
	for more := true; more; {
		var segment string
		segment, relative, more = strings.Cut(relative, "/")
		if isHiddenName(segment) && !h.isPartition(segment) {
			return true
		}
	}
	return false
}

func (h hiddenRule) isPartition(segment string) bool {
	for _, folder := range h.folders {
		if strings.HasPrefix(segment, folder) {
			return true
		}
	}
	return false
}

// isFolderMarker knows the empty objects that stand for folders: of consoles and
// S3A, and of older Hadoop.
func isFolderMarker(key string) bool {
	return strings.HasSuffix(key, "/") || strings.HasSuffix(key, "_$folder$")
}
