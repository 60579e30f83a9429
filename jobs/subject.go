package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Subject prefixes of the three streams. What follows them is the same tail.
const (
	SubjectPrefix       = "jobs."
	DeadSubjectPrefix   = "dead."
	ResultSubjectPrefix = "results."
)

// maxTail is the length in bytes above which names are shortened. A subject over
// 4 kB makes the server close the client's connection for good.
const maxTail = 1000

// levelSeparator joins namespace levels before they are hashed: the separator
// that the Iceberg REST protocol uses between levels.
const levelSeparator = "\x1f"

// Tail names the job's work in every stream and bucket:
// <kind>.<realm>.<catalog>.<namespace>.<table>[.<unique>[.<shard>]]. Each token is escaped
// with [EscapeToken]; the levels of a namespace are escaped one by one and
// joined by "/". When the tail passes 1,000 bytes, the namespace and the table
// become "=~" and 32 hex digits of the SHA-256 of the raw name. For the parts of a
// purge the purge's own tail decides that.
func (j *Job) Tail() string { return j.tail() }

// Subject is where the job is published: "jobs." and the tail.
func (j *Job) Subject() string { return SubjectPrefix + j.tail() }

// LockKey is the key in the bucket locks that says who may touch the table. It
// has no kind, so that kinds exclude each other; what was dropped is locked by
// its UUID, so that a table of the same name is free. A shard's key is its own.
func (j *Job) LockKey() string {
	return "table." + base(j.tail())
}

func (j *Job) tail() string {
	tail := j.measuredTail()
	switch j.Kind {
	case PurgeShard:
		return string(PurgeShard) + "." + base(tail) + "." + ShardToken(j.Shard)
	case PurgeFinish:
		return string(PurgeFinish) + "." + base(tail)
	}
	return tail
}

// measuredTail is the tail that decides whether names are shortened: the job's
// own, for parts of a purge the purge's. So all of them say the same after the
// kind, whatever their lengths.
func (j *Job) measuredTail() string {
	namespace, table := escapeNamespace(j.Namespace), EscapeToken(j.Table)
	tail := j.joinTail(namespace, table)
	if len(tail) > maxTail {
		tail = j.joinTail(hashToken(strings.Join(j.Namespace, levelSeparator)), hashToken(j.Table))
	}
	return tail
}

// base is a tail without its kind.
func base(tail string) string {
	_, rest, _ := strings.Cut(tail, ".")
	return rest
}

func (j *Job) joinTail(namespace, table string) string {
	kind := j.Kind
	if kind == PurgeShard || kind == PurgeFinish {
		kind = Purge
	}
	tokens := []string{EscapeToken(string(kind)), EscapeToken(j.Realm), EscapeToken(j.Catalog), namespace, table}
	if unique := j.unique(); unique != "" {
		tokens = append(tokens, EscapeToken(unique))
	}
	return strings.Join(tokens, ".")
}

// ShardToken is how a shard's number is written in subjects and keys: with at
// least four digits.
func ShardToken(shard int) string { return fmt.Sprintf("%04d", shard) }

// unique is the token of a tail that must differ between two things of one
// name; maintenance has none, as one job per table and kind is what it wants.
func (j *Job) unique() string {
	switch {
	case !j.Kind.PurgesDropped():
		return ""
	case j.Kind == PurgeFiles:
		return j.EntityID // a table may have several of these, its UUID is no name for one
	case j.TableUUID != "":
		return j.TableUUID
	default:
		return j.EntityID
	}
}

func hashToken(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return "=~" + hex.EncodeToString(sum[:16])
}

func escapeNamespace(levels []string) string {
	escaped := make([]string, len(levels))
	for i, level := range levels {
		escaped[i] = EscapeToken(level)
	}
	return strings.Join(escaped, "/")
}

// EscapeToken writes each byte outside [A-Za-z0-9_-] as "=" and two upper-case
// hex digits. The result is legal in subjects and in KV keys, and cannot inject
// a dot or a wildcard.
func EscapeToken(raw string) string {
	if strings.IndexFunc(raw, func(r rune) bool { return !plain(r) }) < 0 {
		return raw
	}
	var out strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if plain(rune(c)) {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "=%02X", c)
		}
	}
	return out.String()
}

// plain characters stand for themselves in a token.
func plain(c rune) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// UnescapeToken undoes [EscapeToken]. A shortened name ("=~…") and a malformed
// escape are errors.
func UnescapeToken(token string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(token); i++ {
		if token[i] != '=' {
			out.WriteByte(token[i])
			continue
		}
		if i+2 >= len(token) {
			return "", fmt.Errorf("unescape %q: \"=\" must be followed by two hex digits; write \"=\" itself as =3D", token)
		}
		b, err := hex.DecodeString(token[i+1 : i+3])
		if err != nil {
			return "", fmt.Errorf("unescape %q: \"=\" must be followed by two hex digits; write \"=\" itself as =3D", token)
		}
		out.WriteByte(b[0])
		i += 2
	}
	return out.String(), nil
}

// ParseTable splits a table as people type it: levels of the namespace and the
// table joined by ".", with =XX for a byte such as a dot inside one (=2E).
func ParseTable(text string) (namespace []string, table string, err error) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 {
		return nil, "", fmt.Errorf("table %q has no namespace; write it as namespace.table", text)
	}
	for i, part := range parts {
		if parts[i], err = UnescapeToken(part); err != nil {
			return nil, "", fmt.Errorf("read table: %w", err)
		}
		if parts[i] == "" {
			return nil, "", fmt.Errorf("table %q has an empty level; write a dot inside a name as =2E", text)
		}
	}
	return parts[:len(parts)-1], parts[len(parts)-1], nil
}

// FormatTable is the reverse of [ParseTable]: it escapes only what would be
// misread, so that names stay readable.
func FormatTable(namespace []string, table string) string {
	escape := strings.NewReplacer("=", "=3D", ".", "=2E")
	parts := make([]string, 0, len(namespace)+1)
	for _, level := range namespace {
		parts = append(parts, escape.Replace(level))
	}
	return strings.Join(append(parts, escape.Replace(table)), ".")
}
