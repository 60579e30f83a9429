package storage

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that [Parse] wraps in a [*LocationError].
var (
	// ErrUnsupportedScheme: no kind of store is known for the scheme.
	ErrUnsupportedScheme = errors.New("unsupported scheme")
	// ErrInvalidLocation: the text is not the address of an object or folder.
	ErrInvalidLocation = errors.New("invalid location")
)

const supportedSchemes = "supported are s3://bucket/key (also s3a:// and s3n://), gs://bucket/key, " +
	"abfss://container@account.dfs.core.windows.net/key (also abfs://, wasbs:// and wasb://) and file:///path"

// LocationError says why a text is not a location. It wraps
// [ErrUnsupportedScheme] or [ErrInvalidLocation].
type LocationError struct {
	// URI is the text as it was given.
	URI string
	// Detail says what is wrong with it.
	Detail string
	// Reason is ErrUnsupportedScheme or ErrInvalidLocation.
	Reason error
}

func (e *LocationError) Error() string {
	return fmt.Sprintf("%v %q: %s; %s", e.Reason, withoutLogin(withoutSignatures(e.URI)), e.Detail, supportedSchemes)
}

// withoutLogin hides the secret of s3a://key:secret@bucket/…, as Hadoop once took it,
// and whatever else stands between a colon in the place of the bucket and an @. A
// secret may have slashes.
func withoutLogin(uri string) string {
	scheme, rest, found := strings.Cut(uri, "://")
	colon, slash, at := strings.Index(rest, ":"), strings.Index(rest, "/"), strings.LastIndex(rest, "@")
	if !found || colon < 0 || slash >= 0 && slash < colon || at < colon {
		return uri
	}
	return scheme + "://" + rest[:colon+1] + "[redacted]" + rest[at:]
}

func (e *LocationError) Unwrap() error { return e.Reason }

// Location is a parsed object address. Keys are raw: never decoded, encoded or
// cleaned; only in paths of files, where a slash more changes nothing, [Parse]
// writes repeated slashes as one. The zero Location is not valid.
type Location struct {
	// Scheme is "s3" (also for s3a and s3n), "gs", "abfss" (also for abfs, wasbs and
	// wasb) or "file".
	Scheme string
	// Bucket is the bucket's name, for Azure container@account.dfs.core.windows.net,
	// "" for files.
	Bucket string
	// Key is, for s3, everything after the first slash behind the bucket; for
	// files the absolute path, with its leading slash and without repeated ones.
	Key string
}

// Parse reads s3://bucket/key, s3a:// and s3n:// (which mean the same store),
// gs://bucket/key, abfss://container@account.dfs.core.windows.net/key, abfs://, and
// wasbs:// and wasb:// with the host account.blob.core.windows.net (which mean the
// same too),
// file:///path, file:/path (the same) and plain absolute paths. Nothing is
// decoded: a percent sign, a question mark or a hash is part of the key, as
// Iceberg's Java and Python writers treat it.
//
// The error is a [*LocationError] that wraps [ErrUnsupportedScheme] or
// [ErrInvalidLocation].
func Parse(uri string) (Location, error) {
	invalid := func(detail string) (Location, error) {
		return Location{}, &LocationError{URI: uri, Detail: detail, Reason: ErrInvalidLocation}
	}
	if uri == "" {
		return invalid("it is empty")
	}
	if uri[0] == '/' {
		return parseFile(uri, uri)
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || !isScheme(scheme) {
		return invalid("it has no scheme and is not an absolute path")
	}
	switch strings.ToLower(scheme) {
	case "s3", "s3a", "s3n":
		return parseBucket(uri, "s3", rest)
	case gcsScheme:
		return parseBucket(uri, gcsScheme, rest)
	case "abfss", "abfs", "wasbs", "wasb":
		return parseAzure(uri, rest)
	case "file":
		path := rest
		if authority, ok := strings.CutPrefix(rest, "//"); ok {
			if authority == "" || authority[0] != '/' {
				return invalid("a host in a file location is not supported, write file:///path")
			}
			path = authority
		}
		return parseFile(uri, path)
	}
	return Location{}, &LocationError{
		URI: uri, Detail: fmt.Sprintf("no store is known for %q", scheme), Reason: ErrUnsupportedScheme,
	}
}

// parseBucket reads what follows s3: or gs:.
func parseBucket(uri, scheme, rest string) (Location, error) {
	invalid := func(detail string) (Location, error) {
		return Location{}, &LocationError{URI: uri, Detail: detail, Reason: ErrInvalidLocation}
	}
	authority, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return invalid("a bucket must follow " + scheme + "://")
	}
	bucket, key, _ := strings.Cut(authority, "/")
	if bucket == "" {
		return invalid("the bucket is missing")
	}
	if !isBucket(bucket) {
		return invalid("the bucket's name may hold only letters, digits, dots, hyphens and underscores")
	}
	return Location{Scheme: scheme, Bucket: bucket, Key: key}, nil
}

func parseFile(uri, path string) (Location, error) {
	if path == "" || path[0] != '/' {
		return Location{}, &LocationError{URI: uri, Detail: "the path must be absolute", Reason: ErrInvalidLocation}
	}
	if strings.IndexByte(path, 0) >= 0 {
		return Location{}, &LocationError{URI: uri, Detail: "the path holds a zero byte", Reason: ErrInvalidLocation}
	}
	return Location{Scheme: "file", Key: singleSlashes(path)}, nil
}

// singleSlashes gives one name to the many spellings of a file's path: to the
// file system /a//b is /a/b.
func singleSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// isScheme follows RFC 3986, section 3.1.
func isScheme(s string) bool {
	for i, c := range []byte(s) {
		if !isLetter(c) && (i == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isBucket(s string) bool {
	for _, c := range []byte(s) {
		if !isLetter(c) && !isDigit(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return strings.Trim(s, ".") != ""
}

// String gives the normalised address: s3://bucket/key, gs://bucket/key,
// abfss://container@account.dfs.core.windows.net/key or file:///path.
func (l Location) String() string {
	if l.Scheme == "file" {
		return "file://" + l.Key
	}
	return l.Scheme + "://" + l.Bucket + "/" + l.Key
}

// folder is what the keys of all that lies in the folder l begin with: the key
// with one slash at its end, and "" for a whole bucket.
//
// On S3 a slash is a character of the key. One at the end is a habit of writing
// folders, so that t and t/ are the same; but t// is the folder without a name
// inside t, and "/", the key of s3://bucket//, is that of the bucket, not the
// bucket.
func (l Location) folder() string {
	if l.Key == "" || l.Key[len(l.Key)-1] == '/' {
		return l.Key
	}
	return l.Key + "/"
}

// Within says whether l lies in the folder root, on whole path segments:
// s3://w/t2 is not within s3://w/t, and s3://w/t itself is not within s3://w/t.
//
// One slash at the end of root is ignored: s3://w and s3://w/ are the bucket,
// s3://w/t and s3://w/t/ are the keys that begin with "t/", t//x too. On S3 each
// further slash counts: s3://w// are the keys that begin with a slash, s3://w/t//
// those that begin with "t//", which t/x does not. (Writers that strip such
// slashes from a table's location put its files outside of it: to be on the
// safe side, they are.) A key that is empty or has a "." or ".." segment is
// within nothing.
func (l Location) Within(root Location) bool {
	if l.Scheme != root.Scheme || l.Bucket != root.Bucket || l.Key == "" || l.dotted() || root.dotted() {
		return false
	}
	return strings.HasPrefix(l.Key, root.folder())
}

// Same says whether both name the same folder, see [Location.Within]: one slash
// at the end does not count.
func (l Location) Same(other Location) bool {
	return l.Scheme == other.Scheme && l.Bucket == other.Bucket && l.folder() == other.folder()
}

// Join gives what has the name in the folder l. The name is taken as it is, and
// may hold slashes.
func (l Location) Join(name string) Location {
	l.Key = l.folder() + name
	if l.Scheme == "file" {
		l.Key = singleSlashes(l.Key)
	}
	return l
}

// Parent is the folder that holds l, be it an object or a folder, so that l is
// within its parent, and nothing is that does not lie beside or below l. The
// parent of a key without a slash is the bucket; a bucket is its own parent.
func (l Location) Parent() Location {
	key := strings.TrimSuffix(l.Key, "/")
	folder := key[:strings.LastIndexByte(key, '/')+1]
	// Its slash goes where it is not needed to tell the folder.
	if short := strings.TrimSuffix(folder, "/"); short != "" && short[len(short)-1] != '/' {
		folder = short
	}
	l.Key = folder
	if l.Key == "" && l.Scheme == "file" {
		l.Key = "/"
	}
	return l
}

// Base is what follows the last slash of the key.
func (l Location) Base() string { return l.Key[strings.LastIndexByte(l.Key, '/')+1:] }

// dotted says whether a segment is "." or "..".
func (l Location) dotted() bool {
	for key, more := l.Key, true; more; {
		var segment string
		segment, key, more = strings.Cut(key, "/")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
