package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// Defaults of [Config].
const (
	DefaultMaxInFlight    = 32
	DefaultRequestTimeout = 60 * time.Second
	DefaultIdleTimeout    = 60 * time.Second
	DefaultRetries        = 5
	DefaultRetryFor       = 30 * time.Second
	DefaultThrottleFor    = 10 * time.Minute
	// DefaultCopyLimit is what S3 copies with one request.
	DefaultCopyLimit = 5 << 30
)

// Config describes how one catalog's stores are reached.
type Config struct {
	// Name is the catalog's name, for logs and errors.
	Name string
	// Locations are the catalog's allowed locations; what lies below them may
	// be read and listed by default. Required.
	Locations []string
	// S3 applies to all s3:// locations of the catalog, unless Vended is set.
	S3 S3Config
	// GCS applies to all gs:// locations of the catalog, unless Vended is a VendedGCS.
	GCS GCSConfig
	// Azure applies to all abfss:// locations of the catalog, unless Vended is a
	// VendedAzure.
	Azure AzureConfig
	// Vended says how each s3:// location is reached with what a catalog vends. May
	// be nil.
	Vended Vended

	// MaxInFlight is the largest number of requests in flight per bucket.
	// Default 32. Of several catalogs on
	// one bucket, the smallest decides.
	MaxInFlight int
	// MaxRequestsPerSecond is the most requests, of all kinds together, that this
	// process sends to one bucket in a second. Default 0: as many as the store takes.
	// Of several catalogs on one bucket, the smallest decides. Local files are not
	// limited.
	MaxRequestsPerSecond float64
	// MaxDeletesPerSecond is the most keys that are deleted in a second, however many
	// there are in one request; for stores that count them so, as S3 does. Moves do
	// not count. A batch is sent whole, and then as long nothing as it has used up.
	// Default 0: no limit.
	MaxDeletesPerSecond float64
	// RequestTimeout bounds one request until its answer begins; a read whose
	// answer has begun is bounded by IdleTimeout instead. Default 60 s.
	RequestTimeout time.Duration
	// IdleTimeout is how long one Read of a streamed object may bring nothing.
	// Default 60 s.
	IdleTimeout time.Duration
	// Retries is how often a request that failed for a passing reason is
	// repeated. Default 5, negative: never.
	Retries int
	// RetryFor ends these retries by time. Default 30 s.
	RetryFor time.Duration
	// ThrottleFor is how long one request goes on while the store answers
	// "slow down". Default 10 min.
	ThrottleFor time.Duration
	// CopyLimit is the size in bytes from above which an object is moved by a copy
	// in parts. Default 5 GiB, the most that S3 copies in one request.
	CopyLimit int64

	// OnRequest is called after each request with the operation ("GetObject",
	// "ListObjectsV2", "DeleteObjects", "DeleteObject", "PutObject", "HeadObject",
	// "CopyObject" and so on; for gs:// Google's own,
	// "objects.get" and so on, "multi-delete" and "batch"; for files "read", "list",
	// "unlink", "write", "rename") and its outcome: "OK" or the store's
	// error code. It must be safe for many goroutines. May be nil.
	OnRequest func(op, code string)
	// OnThrottle is called for each answer that asks to slow down. May be nil.
	OnThrottle func(bucket string)
}

// WithDefaults fills in the documented defaults.
func (c Config) WithDefaults() Config {
	c.MaxInFlight = cmp.Or(c.MaxInFlight, DefaultMaxInFlight)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, DefaultRequestTimeout)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, DefaultIdleTimeout)
	c.Retries = cmp.Or(c.Retries, DefaultRetries)
	c.RetryFor = cmp.Or(c.RetryFor, DefaultRetryFor)
	c.ThrottleFor = cmp.Or(c.ThrottleFor, DefaultThrottleFor)
	c.CopyLimit = cmp.Or(c.CopyLimit, DefaultCopyLimit)
	return c
}

// Validate reports every mistake at once.
func (c Config) Validate() error {
	var errs []error
	if len(c.Locations) == 0 {
		errs = append(errs, errors.New("locations: name at least one allowed location"))
	}
	if _, err := parseRoots(c.Locations); err != nil {
		errs = append(errs, fmt.Errorf("locations: %w", err))
	}
	if c.MaxInFlight < 0 {
		errs = append(errs, fmt.Errorf("max in flight: %d is negative", c.MaxInFlight))
	}
	if c.CopyLimit < 0 {
		errs = append(errs, fmt.Errorf("copy limit: %d is negative", c.CopyLimit))
	}
	errs = append(errs, c.ValidateCeilings())
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"request timeout", c.RequestTimeout}, {"idle timeout", c.IdleTimeout},
		{"retry for", c.RetryFor}, {"throttle for", c.ThrottleFor},
	} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %v is negative", d.name, d.value))
		}
	}
	errs = append(errs, ofSection("s3", c.S3.Validate()), ofSection("gcs", c.GCS.Validate()), ofSection("azure", c.validateAzure()))
	return errors.Join(errs...)
}

// ofSection puts the section's name before each of the joined mistakes.
func ofSection(section string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return fmt.Errorf("%s: %w", section, err)
	}
	var errs []error
	for _, each := range joined.Unwrap() {
		errs = append(errs, ofSection(section, each))
	}
	return errors.Join(errs...)
}

// S3Config says how s3:// locations are reached.
type S3Config struct {
	// Endpoint is the address of an S3-compatible store, for instance
	// http://127.0.0.1:9000; empty means AWS.
	Endpoint string
	// Region defaults to that of the environment (AWS_REGION or the shared
	// configuration file), else us-east-1.
	Region string
	// PathStyle puts the bucket into the path instead of the host name, which
	// most stores other than AWS need.
	PathStyle bool
	// AccessKeyID and SecretAccessKey are static credentials; both empty means
	// the credential chain of AWS: environment, shared files, web identity,
	// container, instance.
	AccessKeyID, SecretAccessKey string
	// SessionToken belongs to temporary static credentials.
	SessionToken string
	// Role is assumed with these credentials. Not with Renew. Default: none.
	Role S3Role
	// FromJob lets a job say what is not set here; see [Stores.ForJob].
	FromJob bool
	// Renew is asked for the credentials of each request, in place of the static
	// ones: it knows when to get others. May be nil.
	Renew func(ctx context.Context) (S3Credentials, error)
}

// Validate reports every mistake at once; no message holds a secret.
func (c S3Config) Validate() error {
	var errs []error
	if err := checkEndpoint("endpoint", c.Endpoint); err != nil {
		errs = append(errs, err)
	}
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		errs = append(errs, errors.New("access_key_id and secret_access_key: give both or none"))
	}
	if c.SessionToken != "" && c.AccessKeyID == "" {
		errs = append(errs, errors.New("session_token: it needs an access_key_id and a secret_access_key"))
	}
	if c.FromJob && c.Role.ARN == "" {
		c.Role.ARN = "arn:aws:iam::000000000000:role/of-the-job" // the rest may be for the job's
	}
	if err := c.Role.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkEndpoint checks an address, "" for none; no message holds a secret.
func checkEndpoint(field, address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		// The parser's message would repeat the address, and with it a password.
		return fmt.Errorf("%s: it is not an address, write http://host:port or https://host", field)
	case u.User != nil:
		return fmt.Errorf("%s: it must not hold a user or password", field)
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return fmt.Errorf("%s: %q has no http:// or https:// and host", field, address)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s: it must not have a query or fragment", field)
	}
	return nil
}

// onAWS says whether the store is AWS's own.
func (c S3Config) onAWS() bool {
	u, err := url.Parse(c.Endpoint)
	return c.Endpoint == "" || err == nil && (strings.HasSuffix(u.Hostname(), ".amazonaws.com") || strings.HasSuffix(u.Hostname(), ".amazonaws.com.cn"))
}

func redacted(secret string) string {
	if secret == "" {
		return ""
	}
	return "[redacted]"
}

// String shows everything but the secrets.
func (c S3Config) String() string {
	return fmt.Sprintf("{endpoint:%s region:%s path_style:%t access_key_id:%s secret_access_key:%s session_token:%s role_arn:%s}",
		c.Endpoint, c.Region, c.PathStyle, c.AccessKeyID, redacted(c.SecretAccessKey), redacted(c.SessionToken), c.Role.ARN)
}

// GoString is String, so that %#v shows no secret either.
func (c S3Config) GoString() string { return "storage.S3Config" + c.String() }

// LogValue shows everything but the secrets.
func (c S3Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("endpoint", c.Endpoint), slog.String("region", c.Region), slog.Bool("path_style", c.PathStyle),
		slog.String("access_key_id", c.AccessKeyID), slog.String("secret_access_key", redacted(c.SecretAccessKey)),
		slog.String("session_token", redacted(c.SessionToken)), slog.String("role_arn", c.Role.ARN))
}
