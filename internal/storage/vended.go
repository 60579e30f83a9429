package storage

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Vended says with which credentials the locations of one table are reached: a
// catalog gives them for as long as a job needs them. It must be safe for many
// goroutines.
type Vended interface {
	// S3 is how a location is reached. The name is the same for locations with the
	// same credentials. The error says that none are for the location.
	S3(l Location) (name string, cfg S3Config, err error)
}

// S3Credentials are temporary ones.
type S3Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	// Expires is when the store refuses them; zero: never.
	Expires time.Time
}

// String shows no secret.
func (c S3Credentials) String() string { return "{" + c.AccessKeyID + " [redacted]}" }

// GoString is String, so that %#v shows no secret either.
func (c S3Credentials) GoString() string { return "storage.S3Credentials" + c.String() }

// LogValue shows no secret.
func (c S3Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText shows no secret, also in JSON.
func (c S3Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// renewing asks for the credentials of each request.
func renewing(ask func(context.Context) (S3Credentials, error)) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		found, err := ask(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		return aws.Credentials{
			AccessKeyID: found.AccessKeyID, SecretAccessKey: found.SecretAccessKey, SessionToken: found.SessionToken,
			CanExpire: !found.Expires.IsZero(), Expires: found.Expires, Source: "vended",
		}, nil
	})
}

// s3For is how a location is reached.
func (s *Stores) s3For(l Location) (storeName, S3Config, error) {
	name := storeName{bucket: l.Bucket}
	if s.cfg.Vended == nil {
		return name, s.cfg.S3, nil
	}
	vended, cfg, err := s.cfg.Vended.S3(l)
	if err != nil {
		return name, S3Config{}, &Error{Reason: ErrDenied, Err: err}
	}
	if err := cfg.Validate(); err != nil {
		return name, S3Config{}, &Error{Reason: ErrRejected, Err: errors.Join(errors.New("the catalog vends settings that cannot be used"), err)}
	}
	name.vended = vended
	return name, cfg, nil
}

// storeName tells the clients of one catalog's buckets apart.
type storeName struct{ bucket, vended string }

// storeID is what the locations share that are reached by one client.
type storeID struct {
	scheme string
	name   storeName
}
