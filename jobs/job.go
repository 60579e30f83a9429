package jobs

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

// Version is the newest envelope version that this package reads and the one
// that it writes. A job with a higher one waits for a newer worker.
const Version = 1

// Job is one unit of work on one table: the body of a message in JOBS. The
// field order is the key order of the canonical form.
type Job struct {
	// Version of the envelope, 1.
	Version int `json:"v"`
	// ID names this job for its whole life: a ULID, or "<realm>.<task id>" from
	// Polaris. Publishing again with the same id is the same job.
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Realm and Catalog as Polaris names them.
	Realm   string `json:"realm"`
	Catalog string `json:"catalog"`
	// Namespace levels, outermost first, as the catalog has them.
	Namespace []string `json:"namespace"`
	// Table is the table's name, or the view's for purge-view.
	Table string `json:"table"`
	// TableUUID of the dropped table or view. Absent where the publisher does
	// not know it; the subject then ends in EntityID. For a living table it is
	// optional, and a table with another UUID is left alone.
	TableUUID string `json:"table_uuid,omitempty"`
	// EntityID is Polaris' id of the dropped entity. It stands in for an absent
	// TableUUID in the subject, and is absent otherwise. A purge-files job always
	// has it, made by [Job.SetFiles], beside a TableUUID that is known.
	EntityID string `json:"entity_id,omitempty"`
	// Shard numbers a purge-shard among those of its purge, from 1; absent in all
	// other kinds.
	Shard int `json:"shard,omitempty"`
	// MetadataLocation of the root metadata file; of all purges but purge-files.
	MetadataLocation string `json:"metadata_location,omitempty"`
	// Locations in which the table keeps files. They narrow what the worker's
	// configuration allows and never widen it.
	Locations []string `json:"locations,omitempty"`
	// GCEnabled false keeps data and delete files, as gc.enabled=false in the
	// table's own properties does. Absent means: ask the table.
	GCEnabled *bool `json:"gc_enabled,omitempty"`
	// Storage says how the catalog reaches its storage.
	Storage *Storage `json:"storage,omitempty"`
	// RequestedBy is who dropped the table, where the publisher knows it.
	RequestedBy string `json:"requested_by,omitempty"`
	// RequestedAt is when.
	RequestedAt Timestamp `json:"requested_at,omitzero"`
	// NotBefore delays the job until that time.
	NotBefore Timestamp `json:"not_before,omitzero"`
	// DryRun does everything but delete or commit.
	DryRun bool `json:"dry_run,omitempty"`
	// Params are the kind's own settings, an object. Kinds read them strictly:
	// an unknown key ends the job rather than being ignored.
	Params json.RawMessage `json:"params,omitempty"`
}

// Storage is what Polaris knows of a catalog's storage. It never carries a
// credential. Workers use their own configuration, and fill in from this what it leaves
// open only where it says from_job: true.
type Storage struct {
	// Type is S3, GCS, AZURE or FILE.
	Type             string `json:"type,omitempty"`
	Region           string `json:"region,omitempty"`
	Endpoint         string `json:"endpoint,omitempty"`
	EndpointInternal string `json:"endpoint_internal,omitempty"`
	STSEndpoint      string `json:"sts_endpoint,omitempty"`
	STSUnavailable   bool   `json:"sts_unavailable,omitempty"`
	PathStyleAccess  bool   `json:"path_style_access,omitempty"`
	RoleARN          string `json:"role_arn,omitempty"`
	ExternalID       string `json:"external_id,omitempty"`
	TenantID         string `json:"tenant_id,omitempty"`
	// GCPServiceAccount is the account to impersonate, an e-mail address.
	GCPServiceAccount string `json:"gcp_service_account,omitempty"`
}

// Timestamp is a time that is written as RFC 3339 in UTC with milliseconds. Any
// RFC 3339 text is read.
type Timestamp struct{ time.Time }

const timestampLayout = "2006-01-02T15:04:05.000Z"

// At is t as a Timestamp, cut to whole milliseconds of UTC.
func At(t time.Time) Timestamp { return Timestamp{t.UTC().Truncate(time.Millisecond)} }

// MarshalJSON implements [json.Marshaler].
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(timestampLayout) + `"`), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("time %.40q is not a string such as %q", data, timestampLayout)
	}
	parsed, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("time %.40q is not RFC 3339 such as %q", text, timestampLayout)
	}
	*t = At(parsed)
	return nil
}

// NewID returns a fresh ULID.
func NewID() string { return ulid.MustNew(ulid.Now(), rand.Reader).String() }

// Encode returns the canonical form of the job, the bytes that the golden files
// in testdata hold: keys in the order of [Job], absent instead of null, nothing
// escaped but quotes, backslashes and control characters.
func (j *Job) Encode() ([]byte, error) { return canonicalJSON(j) }

// canonicalJSON is encoding/json without its HTML and JavaScript escapes, which
// other languages' encoders do not make.
func canonicalJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode json: %w", err)
	}
	return unescapeLineSeparators(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}

// unescapeLineSeparators undoes the escapes of U+2028 and U+2029, which
// encoding/json makes even with HTML escaping off.
func unescapeLineSeparators(in []byte) []byte {
	out := in[:0:0]
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' || i+1 == len(in) {
			out = append(out, in[i])
			continue
		}
		switch {
		case bytes.HasPrefix(in[i:], []byte(`\u2028`)):
			out = append(out, "\u2028"...)
			i += 5
		case bytes.HasPrefix(in[i:], []byte(`\u2029`)):
			out = append(out, "\u2029"...)
			i += 5
		default:
			out = append(out, in[i], in[i+1])
			i++
		}
	}
	return out
}
