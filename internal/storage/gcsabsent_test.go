package storage_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/gcstest"
	"deckhand/internal/storage"
)

// notFound is an answer in Google's form that does not say what was not found.
var notFound = &gcstest.Fault{Status: http.StatusNotFound, Body: `{"error":{"code":404,"message":"Not Found","errors":[{"reason":"notFound"}]}}`}

// answering answers one operation with a fault.
func answering(fault *gcstest.Fault, ops ...string) func(string, *http.Request) *gcstest.Fault {
	return func(op string, _ *http.Request) *gcstest.Fault {
		for _, answered := range ops {
			if op == answered {
				return fault
			}
		}
		return nil
	}
}

// A file that is taken for gone lets a purge say that it is done.
func TestNotFoundInOtherWordsThanGooglesIsAskedOfTheBucket(t *testing.T) {
	t.Parallel()
	ways := map[string]struct {
		opts   gcstest.Options
		op     string
		absent error
		do     func(l gcsLab) error
	}{
		"read": {gcstest.Options{}, "objects.get", storage.ErrNotFound, func(l gcsLab) error {
			_, err := l.ReadAll(t.Context(), gcsKey("t/a"), 0)
			return err
		}},
		"delete": {gcstest.Options{NoMultiDelete: true, NoBatch: true}, "objects.delete", nil, func(l gcsLab) error {
			return l.Delete(t.Context(), []storage.Location{gcsKey("t/a")})[0].Err
		}},
		"batch": {gcstest.Options{NoMultiDelete: true}, "", nil, func(l gcsLab) error {
			return l.Delete(t.Context(), []storage.Location{gcsKey("t/a")})[0].Err
		}},
	}
	for name, way := range ways {
		for _, c := range []struct {
			list *gcstest.Fault
			want error
		}{
			{nil, way.absent},
			{notFound, storage.ErrNoBucket},
			{&gcstest.Fault{Status: http.StatusOK, Body: `{"kind":"another#thing"}`}, storage.ErrUnavailable},
		} {
			l := openGCS(t, way.opts, nil)
			if name == "batch" {
				l.srv.FaultOfKey(func(string) *gcstest.Fault { return notFound })
			}
			l.srv.Fault(func(op string, r *http.Request) *gcstest.Fault {
				if op == "objects.list" && r.URL.Query().Get("prefix") != "" {
					return c.list
				}
				return answering(notFound, way.op)(op, r)
			})
			err := way.do(l)
			if c.want == nil {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, c.want, name)
			}
			if c.want == nil || c.list != nil {
				require.NotErrorIs(t, err, storage.ErrNotFound, name)
			}
		}
	}
	// Google names the object.
	l := openGCS(t, gcstest.Options{}, nil)
	_, err := l.ReadAll(t.Context(), gcsKey("t/a"), 0)
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.Equal(t, map[string]int64{"objects.get": 1}, l.srv.Counts())
}

func TestWhereNoObjectIsAskedForNotFoundIsTheBucket(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{}, nil)
	l.srv.Fault(answering(notFound, "objects.list", "objects.insert"))
	for _, err := range l.List(t.Context(), gcsKey("t")) {
		require.ErrorIs(t, err, storage.ErrNoBucket)
	}
	_, _, err := l.StoreClock(t.Context(), gcsKey("t"))
	require.ErrorIs(t, err, storage.ErrNoBucket)
	require.ErrorIs(t, l.Write(t.Context(), gcsKey("t/a"), nil), storage.ErrNoBucket)
}

func TestAnAnswerOfSuccessWithAnErrorInsideIsNoDeleteOfGCS(t *testing.T) {
	t.Parallel()
	inside := &gcstest.Fault{Status: http.StatusOK, Body: `{"error":{"code":403,"message":"no"}}`}
	for name, opts := range map[string]gcstest.Options{"single": {NoMultiDelete: true, NoBatch: true}, "batch": {NoMultiDelete: true}} {
		l := openGCS(t, opts, nil)
		l.srv.Put("t/a", nil)
		l.srv.Fault(answering(inside, "objects.delete"))
		l.srv.FaultOfKey(func(string) *gcstest.Fault { return inside })
		require.ErrorIs(t, l.Delete(t.Context(), []storage.Location{gcsKey("t/a")})[0].Err, storage.ErrUnavailable, name)
		require.Equal(t, []string{"t/a"}, l.srv.Keys())
	}
}

func TestALockedObjectOfGCSIsSaidToBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts gcstest.Options
		said *gcstest.Fault
	}{
		"single":       {gcstest.Options{NoMultiDelete: true, NoBatch: true}, &gcstest.Fault{Status: 403, Body: `{"error":{"code":403,"message":"held","errors":[{"reason":"objectUnderActiveHold"}]}}`}},
		"batch":        {gcstest.Options{NoMultiDelete: true}, &gcstest.Fault{Status: 403, Body: `{"error":{"code":403,"message":"kept","errors":[{"reason":"retentionPolicyNotMet"}]}}`}},
		"multi-delete": {gcstest.Options{}, &gcstest.Fault{Body: "RetentionPolicyNotMet"}},
	} {
		l := openGCS(t, c.opts, nil)
		l.srv.Put("t/a", nil)
		l.srv.Fault(answering(c.said, "objects.delete"))
		l.srv.FaultOfKey(func(string) *gcstest.Fault { return c.said })
		err := l.Delete(t.Context(), []storage.Location{gcsKey("t/a")})[0].Err
		require.ErrorIs(t, err, storage.ErrLocked, name)
		require.ErrorContains(t, err, "retention or a legal hold", name)
	}
}

// What is said of the bucket or the credentials is true of any way to delete.
func TestADeniedDeleteOfGCSIsNotTriedInOtherWays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said   gcstest.Fault
		reason error
	}{
		{gcstest.Fault{Status: 403, Body: "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"}, storage.ErrDenied},
		{gcstest.Fault{Status: 401, Body: "<Error><Code>AuthenticationRequired</Code></Error>"}, storage.ErrDenied},
		{gcstest.Fault{Status: 404, Body: "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>"}, storage.ErrNoBucket},
	} {
		l := openGCS(t, gcstest.Options{}, nil)
		l.srv.Fault(answering(&c.said, "multi-delete"))
		for _, r := range l.Delete(t.Context(), []storage.Location{gcsKey("t/a"), gcsKey("t/b")}) {
			require.ErrorIs(t, r.Err, c.reason)
		}
		require.Equal(t, map[string]int64{"multi-delete": 1}, l.srv.Counts())
	}
}
