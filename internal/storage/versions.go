package storage

import (
	"context"
	"errors"
	"slices"
)

// Versioning says whether a bucket keeps what is deleted or written over.
type Versioning int

const (
	// VersioningUnknown: the store does not say, or may not be asked.
	VersioningUnknown Versioning = iota
	// VersioningOff: what is deleted is gone.
	VersioningOff
	// VersioningOn: a delete only hides an object behind a marker.
	VersioningOn
	// VersioningSuspended: as VersioningOn for what was written while it was on.
	VersioningSuspended
)

// String is unknown, off, enabled or suspended.
func (v Versioning) String() string {
	return [...]string{"unknown", "off", "enabled", "suspended"}[v]
}

// objectVersion is one version of an object, or a marker that hides those before.
type objectVersion struct {
	key, id string
	size    int64 // in bytes
	marker  bool
}

// versioned is a backend whose bucket may keep versions.
type versioned interface {
	// versioning is what the bucket is set to.
	versioning(ctx context.Context, try tryFunc) (Versioning, error)
	// listVersions gives the versions of the keys, which are in order and lie in one
	// folder of the guard; and of no others. complete is false when there are more
	// than can be held.
	listVersions(ctx context.Context, try tryFunc, keys []string) (found []objectVersion, complete bool, err error)
	// deleteVersions and deleteVersion are deleteBatch and deleteOne.
	deleteVersions(ctx context.Context, list []objectVersion) ([]error, error)
	deleteVersion(ctx context.Context, v objectVersion) error
}

var _ versioned = (*s3Bucket)(nil)

// Versioning says whether the bucket of a location keeps what is deleted. A bucket
// is asked once in five minutes. The error says why it is unknown: [ErrDenied] when
// it may not be asked. Of stores other than S3 [Session.Keeping] knows; here it is
// ErrRejected. Local files keep nothing.
func (s *Session) Versioning(ctx context.Context, l Location) (Versioning, error) {
	if err := s.mayAsk(l); err != nil {
		return VersioningUnknown, err
	}
	if l.Scheme == "file" {
		return VersioningOff, nil
	}
	t, err := s.target(ctx, "read", l, s.readGuard)
	if err != nil {
		return VersioningUnknown, err
	}
	v, ok := t.backend.(versioned)
	if !ok {
		return VersioningUnknown, &Error{Op: "read", Location: l, Reason: ErrRejected, Err: errors.New("this kind of store is not asked whether it keeps versions")}
	}
	found, err := v.versioning(ctx, s.trying(t))
	return found, locate(err, "read", l)
}

// mayAsk says whether something in the location's folder may be read or deleted: then
// its bucket may be asked how it is set.
func (s *Session) mayAsk(l Location) error {
	_, readable := s.readGuard.findFolder(l)
	_, erasable := s.guard.findFolder(l)
	if !readable && !erasable {
		return s.readGuard.outside(l)
	}
	return nil
}

// trying makes requests to a target that are answered soon.
func (s *Session) trying(t target) tryFunc {
	return func(ctx context.Context, request func(context.Context) error) error {
		return s.try(ctx, t, s.timed(request))
	}
}

// keeps says whether a delete in the bucket may leave versions behind. A bucket that
// may not be asked is taken for one: its versions are listed, and that is denied too
// or tells.
func (s *Session) keeps(ctx context.Context, t target, v versioned) bool {
	found, _ := v.versioning(ctx, s.trying(t))
	return found != VersioningOff
}

// byFolder groups the places of items by the folder of the guard that they lie in:
// that is what keys of a role may list. Within a folder they are in the order of
// their keys.
func (s *Session) byFolder(items []Deletion) [][]int {
	var groups [][]int
	at := map[Location]int{}
	for i, item := range items {
		folder, _ := s.guard.find(item.Location)
		n, known := at[folder.location]
		if !known {
			n = len(groups)
			at[folder.location] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], i)
	}
	for _, places := range groups {
		slices.SortFunc(places, func(a, b int) int {
			switch ka, kb := items[a].Location.Key, items[b].Location.Key; {
			case ka < kb:
				return -1
			case ka > kb:
				return 1
			}
			return 0
		})
	}
	return groups
}
