package storage

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// shelf is a bucket that has versions and refuses to delete some, by their ids.
type shelf struct {
	backend
	found    []objectVersion
	complete bool
	refuses  map[string]error
	deleted  []string
}

func (s *shelf) deletable(string) bool { return true }

func (s *shelf) batchLimit() int { return s3BatchLimit }

func (s *shelf) versioning(context.Context, tryFunc) (Versioning, error) { return VersioningOn, nil }

func (s *shelf) listVersions(context.Context, tryFunc, []string) ([]objectVersion, bool, error) {
	return s.found, s.complete, nil
}

func (s *shelf) deleteVersions(_ context.Context, list []objectVersion) ([]error, error) {
	results := make([]error, len(list))
	for i, v := range list {
		if results[i] = s.refuses[v.id]; results[i] == nil {
			s.deleted = append(s.deleted, v.id)
		}
	}
	return results, nil
}

func (s *shelf) deleteVersion(context.Context, objectVersion) error {
	return errors.New("not asked for")
}

// clear deletes the versions of two keys.
func (s *shelf) clear(t *testing.T) []Deletion {
	t.Helper()
	guard, err := NewGuard("s3://lake/t")
	require.NoError(t, err)
	session := (&Stores{cfg: Config{}.WithDefaults()}).Session(SessionConfig{Guard: guard, ReadGuard: guard, Versions: true, Logger: slog.New(slog.DiscardHandler)})
	items := []Deletion{{Location: Location{"s3", "lake", "t/a"}}, {Location: Location{"s3", "lake", "t/b"}}}
	session.deleteAll(t.Context(), target{backend: s, limiter: newLimiter(4, nil), scheme: "s3", bucket: "lake"}, items)
	return items
}

func TestMarkersStayWhileThereMayBeVersionsThatTheyHide(t *testing.T) {
	t.Parallel()
	s := &shelf{found: []objectVersion{{key: "t/a", id: "a2", marker: true}, {key: "t/a", id: "a1"}, {key: "t/b", id: "b1", marker: true}}}
	for _, item := range s.clear(t) {
		require.ErrorIs(t, item.Err, ErrUnavailable)
		require.ErrorContains(t, item.Err, "the next attempt goes on")
	}
	require.Equal(t, []string{"a1"}, s.deleted)

	s.complete, s.found, s.deleted = true, append(s.found[:1:1], s.found[2:]...), nil
	for _, item := range s.clear(t) {
		require.NoError(t, item.Err)
	}
	require.Equal(t, []string{"a2", "b1"}, s.deleted)
}

func TestThatAVersionIsLockedSaysMoreThanThatAnotherWasDenied(t *testing.T) {
	t.Parallel()
	locked, denied := keyError("AccessDenied", "Access Denied because object protected by object lock."), keyError("AccessDenied", "Access Denied")
	require.ErrorIs(t, locked, ErrLocked)
	require.NotErrorIs(t, locked, ErrDenied)
	require.ErrorIs(t, denied, ErrDenied)
	for _, refuses := range []map[string]error{{"a1": locked, "a2": denied}, {"a1": denied, "a2": locked}} {
		s := &shelf{
			complete: true, refuses: refuses,
			found: []objectVersion{{key: "t/a", id: "a3", marker: true}, {key: "t/a", id: "a2"}, {key: "t/a", id: "a1"}, {key: "t/b", id: "b1"}},
		}
		items := s.clear(t)
		require.ErrorIs(t, items[0].Err, ErrLocked)
		require.NoError(t, items[1].Err)
		require.Equal(t, []string{"b1"}, s.deleted, "the marker stays, so that what is locked does not come to light")
	}
}

func TestALockIsRecognisedByTheWordsOfEachStore(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]error{
		"Access Denied because object protected by object lock.": ErrLocked,
		"Object is WORM protected and cannot be overwritten":     ErrLocked,
		"Access Denied": ErrDenied,
		"Mfa Authentication must be used for this request": ErrDenied,
		"User: arn:aws:sts::1:assumed-role/x is not authorized to perform: s3:DeleteObjectVersion because no session policy allows it": ErrDenied,
	} {
		require.ErrorIs(t, keyError("AccessDenied", message), want, message)
	}
}
