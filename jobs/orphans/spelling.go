package orphans

import (
	"path"
	"strings"
)

// uri is a path as the metadata or a listing names it, taken apart and not
// resolved. Scheme and authority are in small letters.
type uri struct {
	scheme, authority, key string
}

// splitURI takes any text apart. A path without a scheme has neither scheme nor
// authority.
func splitURI(text string) uri {
	scheme, rest, found := strings.Cut(text, ":")
	if !found || scheme == "" || strings.ContainsAny(scheme, "/?#") {
		return uri{key: text}
	}
	u := uri{scheme: lower(scheme), key: rest}
	if authority, found := strings.CutPrefix(rest, "//"); found {
		var key string
		authority, key, _ = strings.Cut(authority, "/")
		u.authority, u.key = lower(authority), key
	}
	return u
}

// lower allocates only where there is something to lower.
func lower(text string) string {
	for i := range len(text) {
		if 'A' <= text[i] && text[i] <= 'Z' {
			return strings.ToLower(text)
		}
	}
	return text
}

// plainKey is the one spelling of a key that writers may write with repeated and
// leading slashes: Hadoop's Path, and so Spark's own removal of orphans, takes
// them for one.
func plainKey(key string) string {
	key = strings.TrimLeft(key, "/")
	for strings.Contains(key, "//") {
		key = strings.ReplaceAll(key, "//", "/")
	}
	return key
}

// otherSpellings are those that a reader of the table may mean by a key of the
// metadata: iceberg-go decodes percent signs in paths of local files, and file
// systems and Hadoop's Path resolve "." and "..".
func otherSpellings(key string) []string {
	var others []string
	if decoded, changed := decodePercent(key); changed {
		others = append(others, plainKey(decoded))
	}
	if dotted(key) {
		others = append(others, plainKey(path.Clean("/"+key)))
	}
	return others
}

// dotted says whether a segment is "." or "..".
func dotted(key string) bool {
	if !strings.Contains(key, "/.") && !strings.HasPrefix(key, ".") {
		return false
	}
	key = "/" + key + "/"
	return strings.Contains(key, "/./") || strings.Contains(key, "/../")
}

// decodePercent decodes what is an escape and leaves what is none.
func decodePercent(text string) (decoded string, changed bool) {
	first := strings.IndexByte(text, '%')
	if first < 0 {
		return text, false
	}
	b := []byte(text[:first])
	for i := first; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			high, low := unhex(text[i+1]), unhex(text[i+2])
			if high >= 0 && low >= 0 {
				b = append(b, byte(high<<4|low))
				i += 2
				continue
			}
		}
		b = append(b, text[i])
	}
	return string(b), len(b) != len(text)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
