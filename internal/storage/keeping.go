package storage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// SoftDelete says whether deleted files stay for a while, and are billed.
type SoftDelete int

// Unlike versions, they go by themselves.
const (
	// SoftUnknown: the store does not say, or may not be asked.
	SoftUnknown SoftDelete = iota
	// SoftOff: they do not.
	SoftOff
	// SoftOn: they do.
	SoftOn
)

// Keeping says what a bucket keeps of what is deleted.
type Keeping struct {
	Versioning Versioning
	Soft       SoftDelete
	// SoftFor is how long deleted files stay, 0 where it is not told.
	SoftFor time.Duration
}

// Nothing says that what is deleted is gone.
func (k Keeping) Nothing() bool { return k.Versioning == VersioningOff && k.Soft == SoftOff }

// ByItself says that what is kept goes by itself after a while.
func (k Keeping) ByItself() bool { return k.Versioning == VersioningOff && k.Soft == SoftOn }

// String is "enabled", "off, soft delete for 7 days" and the like.
func (k Keeping) String() string {
	const day = 24 * time.Hour
	text := k.Versioning.String()
	switch {
	case k.Soft == SoftOff:
		return text
	case k.Soft == SoftUnknown && k.Versioning != VersioningOff:
		return text
	case k.Soft == SoftUnknown:
		return text + ", soft delete unknown"
	case k.SoftFor == 0:
		return text + ", soft delete"
	case k.SoftFor%day == 0:
		return fmt.Sprintf("%s, soft delete for %d days", text, k.SoftFor/day)
	}
	return fmt.Sprintf("%s, soft delete for %s", text, k.SoftFor)
}

// keeper is a backend that tells more of its bucket than [versioned] does.
type keeper interface {
	keeping(ctx context.Context, try tryFunc) (Keeping, error)
}

var (
	_ keeper = (*gcsBucket)(nil)
	_ keeper = (*azureContainer)(nil)
)

// Keeping says what the bucket of a location keeps of what is deleted, as Versioning
// does; for Azure it counts too what the session's own requests have shown.
func (s *Session) Keeping(ctx context.Context, l Location) (Keeping, error) {
	if l.Scheme == "s3" || l.Scheme == "file" {
		found, err := s.Versioning(ctx, l)
		return Keeping{Versioning: found, Soft: SoftOff}, err
	}
	if err := s.mayAsk(l); err != nil {
		return Keeping{}, err
	}
	t, err := s.target(ctx, "read", l, s.readGuard)
	if err != nil {
		return Keeping{}, err
	}
	k, ok := t.backend.(keeper)
	if !ok {
		return Keeping{}, &Error{Op: "read", Location: l, Reason: ErrRejected, Err: errors.New("this kind of store is not asked what it keeps")}
	}
	found, err := k.keeping(ctx, s.trying(t))
	return found, locate(err, "read", l)
}
