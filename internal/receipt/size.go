package receipt

import (
	"encoding/json"
	"strings"
)

// MaxSize is the size in bytes of JSON that a receipt is cut to.
const MaxSize = 60 << 10

// MaxPaths is how many paths a list of a receipt holds.
const MaxPaths = 100

// MaxShown is how many bytes of a path or message are shown.
const MaxShown = 2 << 10

// Shorten cuts what is longer than any object's name can be.
func Shorten(text string) string {
	if len(text) <= MaxShown {
		return text
	}
	return strings.ToValidUTF8(text[:MaxShown], "") + "…"
}

// FewPaths are the first paths that take no more than a number of bytes as JSON.
func FewPaths(paths []string, bytes int) (few []string) {
	for _, path := range paths {
		encoded, err := json.Marshal(path)
		if bytes -= len(encoded) + 1; err != nil || bytes < 0 {
			break
		}
		few = append(few, path)
	}
	return few
}

// CutPaths are the first paths.
func CutPaths(paths []string, limit int) []string { return paths[:min(len(paths), limit)] }

// Fit cuts the lists of paths of a receipt until it fits into a result. cut
// shortens those that are not among kept.
func Fit(receipt any, kept KeptFiles, cut func(limit int)) {
	for limit := MaxPaths; ; limit /= 2 {
		kept.cut(limit)
		cut(limit)
		encoded, err := json.Marshal(receipt)
		if err != nil || len(encoded) <= MaxSize || limit == 0 {
			return
		}
	}
}
