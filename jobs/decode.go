package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNewerVersion says that a job was written by a newer publisher than this
// package knows. It is not malformed: a newer worker will come for it.
var ErrNewerVersion = errors.New("job has a newer version than this worker knows")

// FieldError says which field of a job is wrong and why.
type FieldError struct {
	// Field is the JSON name, or "subject" or "body".
	Field string
	// Reason is a sentence without the field's name.
	Reason string
}

func (e *FieldError) Error() string { return "field " + e.Field + ": " + e.Reason }

func fieldError(field, format string, args ...any) *FieldError {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// Decode reads a job and validates it. Unknown fields are ignored, so that old
// workers read jobs of newer publishers of the same version. The error is a
// *[FieldError], or wraps [ErrNewerVersion]; in that case the job is returned
// too, with the fields that could be read.
func Decode(body []byte) (*Job, error) {
	var job Job
	if json.Unmarshal(body, &job) == nil && job.Version == Version && job.Validate() == nil && checkKeys(body) == nil {
		return &job, nil
	}
	return explain(body)
}

// explain reads a body that is no valid job of this version, to say why.
func explain(body []byte) (*Job, error) {
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, fieldError("body", "is not a JSON object")
	}
	if !json.Valid(body) {
		var v any
		return nil, fieldError("body", "is not JSON: %v", json.Unmarshal(body, &v))
	}
	var version struct {
		V *int `json:"v"`
	}
	if err := json.Unmarshal(body, &version); err != nil {
		return nil, asFieldError(err)
	}
	switch {
	case version.V == nil:
		return nil, fieldError("v", "is missing; this version is %d", Version)
	case *version.V < 1:
		return nil, fieldError("v", "is %d; the first version is 1", *version.V)
	case *version.V > Version:
		var job Job
		_ = json.Unmarshal(body, &job) // best effort: a newer version may have other types
		return &job, fmt.Errorf("read version %d: %w", *version.V, ErrNewerVersion)
	}
	if err := checkKeys(body); err != nil {
		return nil, err
	}
	var job Job
	if err := checkTimes(body); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &job); err != nil {
		return nil, asFieldError(err)
	}
	if err := job.Validate(); err != nil {
		return nil, err
	}
	return &job, nil
}

// checkTimes names the field of a malformed time, which encoding/json does not.
func checkTimes(body []byte) error {
	var times map[string]json.RawMessage
	if err := json.Unmarshal(body, &times); err != nil {
		return asFieldError(err)
	}
	for _, field := range []string{"requested_at", "not_before"} {
		raw, set := times[field]
		if !set {
			continue
		}
		var t Timestamp
		if err := json.Unmarshal(raw, &t); err != nil {
			return fieldError(field, "%v", err)
		}
	}
	return nil
}

func asFieldError(err error) *FieldError {
	var typeErr *json.UnmarshalTypeError
	if errors.As(err, &typeErr) {
		field := typeErr.Field
		if field == "" {
			field = "body"
		}
		return fieldError(field, "is a %s, want %s", typeErr.Value, jsonTypeName(typeErr.Type.String()))
	}
	return fieldError("body", "%v", err)
}

func jsonTypeName(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "a list of strings"
	case strings.HasPrefix(goType, "int"):
		return "a whole number"
	case strings.Contains(goType, "bool"):
		return "true or false"
	case strings.Contains(goType, "Storage"):
		return "an object"
	default:
		return "a string"
	}
}

// Validate checks that the job can be published and run. The error is a
// *[FieldError].
func (j *Job) Validate() error {
	required := []struct{ field, value string }{
		{"id", j.ID}, {"kind", string(j.Kind)}, {"realm", j.Realm}, {"catalog", j.Catalog}, {"table", j.Table},
	}
	for _, r := range required {
		if r.value == "" {
			return fieldError(r.field, "is missing or empty")
		}
	}
	switch {
	case j.Version < 1 || j.Version > Version:
		return fieldError("v", "is %d, want %d", j.Version, Version)
	case !j.Kind.Known():
		return fieldError("kind", "%q is not known; kinds are %v", j.Kind, Kinds())
	case len(j.Namespace) == 0:
		return fieldError("namespace", "is missing or empty")
	case slices.Contains(j.Namespace, ""):
		return fieldError("namespace", "has an empty level")
	case slices.Contains(j.Locations, ""):
		return fieldError("locations", "has an empty location")
	case len(j.Params) > 0 && j.Params[0] != '{' && string(j.Params) != "null":
		return fieldError("params", "is not an object")
	}
	switch {
	case j.Kind == PurgeShard && (j.Shard < 1 || j.Shard > MaxShards):
		return fieldError("shard", "is %d; a %s has a number from 1 to %d", j.Shard, j.Kind, MaxShards)
	case j.Kind != PurgeShard && j.Shard != 0:
		return fieldError("shard", "is %d; a %s is not one of several shards", j.Shard, j.Kind)
	}
	switch {
	case j.Kind == PurgeFiles:
		if j.EntityID == "" {
			return fieldError("entity_id", "is missing; it ends the subject of a %s", j.Kind)
		}
	case j.Kind.PurgesDropped():
		if j.MetadataLocation == "" {
			return fieldError("metadata_location", "is missing; a %s works from it alone", j.Kind)
		}
		if j.unique() == "" {
			return fieldError("table_uuid", "is missing, and entity_id too; one of them ends the subject of a %s", j.Kind)
		}
	}
	if tail := j.measuredTail(); len(tail) > maxTail {
		return fieldError("catalog", "makes a subject of %d bytes with realm and table_uuid; %d is the limit", len(tail), maxTail)
	}
	return nil
}

// CheckSubject says whether a message's subject is the one that the job's body
// makes. The error is a *[FieldError] for "subject" that names the first token
// that differs.
func (j *Job) CheckSubject(subject string) error {
	want := j.Subject()
	if subject == want {
		return nil
	}
	names := []string{"prefix", "kind", "realm", "catalog", "namespace", "table", "table_uuid", "shard"}
	got, wanted := strings.Split(subject, "."), strings.Split(want, ".")
	for i, name := range names {
		switch {
		case i >= len(wanted):
			return fieldError("subject", "has a token %q after the table that the body lacks", got[i])
		case i >= len(got):
			return fieldError("subject", "lacks the token for %s, %q", name, wanted[i])
		case got[i] != wanted[i]:
			return fieldError("subject", "says %s %q, the body says %q", name, got[i], wanted[i])
		}
	}
	return fieldError("subject", "is %q, the body makes %q", subject, want)
}
