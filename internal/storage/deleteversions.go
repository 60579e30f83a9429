package storage

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// deleteVersions deletes all versions of the items of one bucket, and the markers
// that hide them, and writes each one's error into it. Markers go last, and only
// where nothing is left of their objects, so that none comes to light again.
func (s *Session) deleteVersions(ctx context.Context, t target, v versioned, items []Deletion) {
	for _, places := range s.byFolder(items) {
		keys := make([]string, len(places))
		for n, i := range places {
			keys[n] = items[i].Location.Key
		}
		failed := s.deleteVersionsOf(ctx, t, v, slices.Compact(keys))
		for _, i := range places {
			items[i].Err = locate(failed[items[i].Location.Key], "delete", items[i].Location)
		}
	}
}

// deleteVersionsOf gives the errors by key.
func (s *Session) deleteVersionsOf(ctx context.Context, t target, v versioned, keys []string) map[string]error {
	failed := map[string]error{}
	keys = slices.DeleteFunc(keys, func(key string) bool {
		if len(key) > s3KeyLimit {
			failed[key] = t.deleteOne(ctx, key) // it says why
		}
		return len(key) > s3KeyLimit
	})
	if len(keys) == 0 {
		return failed
	}
	found, complete, err := v.listVersions(ctx, s.trying(t), keys)
	if err != nil {
		for _, key := range keys {
			failed[key] = err
		}
		return failed
	}
	var objects, markers []objectVersion
	for _, version := range found {
		if version.marker {
			markers = append(markers, version)
		} else {
			objects = append(objects, version)
		}
	}
	s.removeVersions(ctx, t, v, objects, failed)
	if !complete {
		err := &Error{Reason: ErrUnavailable, Err: errors.New("its batch has more versions than are deleted at once; the next attempt goes on")}
		for _, key := range keys {
			failed[key] = err
		}
		return failed
	}
	markers = slices.DeleteFunc(markers, func(m objectVersion) bool { return failed[m.key] != nil })
	s.removeVersions(ctx, t, v, markers, failed)
	return failed
}

// removeVersions deletes versions, as many with one request as the store takes, and
// notes the gravest error of each key.
func (s *Session) removeVersions(ctx context.Context, t target, v versioned, list []objectVersion, failed map[string]error) {
	var single []objectVersion
	list = slices.DeleteFunc(slices.Clone(list), func(version objectVersion) bool {
		if !t.deletable(version.key) {
			single = append(single, version)
		}
		return !t.deletable(version.key)
	})
	for chunk := range slices.Chunk(list, t.batchLimit()) {
		refused := s.sendBatch(ctx, t, firstPlaces(len(chunk)),
			func(ctx context.Context, places []int) ([]error, error) {
				part := make([]objectVersion, len(places))
				for n, i := range places {
					part[n] = chunk[i]
				}
				return v.deleteVersions(ctx, part)
			},
			func(place int, err error) { s.versionGone(chunk[place], err, failed) })
		for _, i := range refused {
			single = append(single, chunk[i])
		}
	}
	errs := make([]error, len(single))
	var group errgroup.Group
	group.SetLimit(s.stores.cfg.MaxInFlight)
	for i, version := range single {
		group.Go(func() error {
			errs[i] = s.try(ctx, t.as(kindWrite, 1), s.timed(func(ctx context.Context) error { return v.deleteVersion(ctx, version) }))
			return nil
		})
	}
	_ = group.Wait()
	for i, version := range single {
		s.versionGone(version, errs[i], failed)
	}
}

// versionGone notes what became of a version. That one is locked says more than
// that another was denied.
func (s *Session) versionGone(v objectVersion, err error, failed map[string]error) {
	switch {
	case err == nil:
		s.meter.version(v)
	case failed[v.key] == nil, errors.Is(err, ErrLocked):
		failed[v.key] = err
	}
}

// isLocked recognises by its words that an object may not be deleted yet, since the
// codes are those of other refusals: AWS and versitygw say "Access Denied because
// object protected by object lock.", MinIO "Object is WORM protected and cannot be
// overwritten".
func isLocked(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "object lock") || strings.Contains(message, "worm protected")
}

// ErrLocked: the object, or one of its versions, is under retention or a legal hold.
var ErrLocked = errors.New("the object is locked")

// lockedBy makes the error that of a locked object where the store's words say so.
func (e *Error) lockedBy(message string) {
	if isLocked(message) {
		e.Reason, e.Hint = ErrLocked, hintLocked
	}
}

const hintLocked = "it is under retention or a legal hold: try again when that has ended"
