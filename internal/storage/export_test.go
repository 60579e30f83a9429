package storage

import (
	"context"
	"time"
)

// RoleKeys are the session's credentials for a bucket, as its requests use them.
func (s *Session) RoleKeys(ctx context.Context, bucket string) (S3Credentials, error) {
	found := s.keysFor(bucket)
	if found.err != nil {
		return S3Credentials{}, found.err
	}
	return found.keys.get(s.marked(ctx))
}

// SetRoleClock makes keys of roles age by another clock.
func (s *Stores) SetRoleClock(now func() time.Time) { s.roles.now = now }
