package storage

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// gcsKept is what is asked of a bucket. Source: "Buckets" in the reference of the JSON
// API.
type gcsKept struct {
	Versioning struct {
		Enabled bool `json:"enabled"`
	} `json:"versioning"`
	SoftDelete struct {
		// Seconds is "0" where soft delete is off, which is on in new buckets.
		Seconds string `json:"retentionDurationSeconds"`
	} `json:"softDeletePolicy"`
}

// keeping implements [keeper]. Versions stay when versioning is suspended; a bucket
// does not tell that it ever was on.
func (b *gcsBucket) keeping(ctx context.Context, try tryFunc) (Keeping, error) {
	return b.kept.of(ctx, func() (Keeping, error) {
		var kept gcsKept
		err := try(ctx, func(ctx context.Context) error {
			kept = gcsKept{}
			_, err := b.receive(ctx, gcsRequest{
				op: "buckets.get", method: http.MethodGet, path: "/storage/v1/b/" + gcsEscape(b.name),
				query: url.Values{"fields": {"kind,versioning,softDeletePolicy"}},
			}, "storage#bucket", &kept)
			return noBucket(err)
		})
		if err != nil {
			if e, ok := errors.AsType[*Error](err); ok && errors.Is(e, ErrDenied) {
				denied := *e
				denied.Hint = "grant storage.buckets.get"
				err = &denied
			}
			return Keeping{}, err
		}
		found := Keeping{Versioning: VersioningOff, Soft: SoftOff}
		if kept.Versioning.Enabled {
			found.Versioning = VersioningOn
		}
		if seconds, err := strconv.ParseInt(kept.SoftDelete.Seconds, 10, 32); err == nil && seconds > 0 {
			found.Soft, found.SoftFor = SoftOn, time.Duration(seconds)*time.Second
		}
		return found, nil
	})
}
