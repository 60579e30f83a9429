package storage_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// openVersions is open for a bucket that keeps versions, with a session that deletes
// them.
func openVersions(t *testing.T, change func(*storage.Config, *storage.SessionConfig)) lab {
	t.Helper()
	l := open(t, shortPages, func(c *storage.Config, s *storage.SessionConfig) {
		s.Versions = true
		if change != nil {
			change(c, s)
		}
	})
	l.srv.SetVersioning(bucket, true)
	return l
}

// versionKeys are the keys of which versions are left, with a "!" for each marker.
func (l lab) versionKeys() []string {
	found := []string{}
	for _, v := range l.srv.Versions(bucket) {
		key := v.Key
		if v.Marker {
			key += "!"
		}
		found = append(found, key)
	}
	return found
}

func TestNoVersionIsLeftOfWhatIsNamedAndAllOfWhatIsNot(t *testing.T) {
	t.Parallel()
	l := openVersions(t, nil)
	named := slices.Concat(oddKeys, []string{"t/a", "t/b", "t/hidden", "t/hidden-twice", "t/absent"})
	beside := []string{"t/a.longer", "t/a/below", "t/a-", "t", "t/A", "t/hidden2", "t2/a"}
	for _, k := range slices.Concat(named, beside) {
		if k == "t/absent" {
			continue
		}
		for n := range 3 {
			l.srv.Put(bucket, k, []byte(strings.Repeat("x", n+1)))
		}
	}
	for _, k := range []string{"t/hidden", "t/hidden-twice", "t/hidden-twice", "t/hidden2"} {
		l.srv.Remove(bucket, k)
	}
	asked := keys(slices.Concat(named, []string{"t/a"})...)
	requireDeleted(t, l.Delete(t.Context(), asked), asked)
	var want []string
	for _, k := range beside {
		if k == "t/hidden2" {
			want = append(want, "t/hidden2!")
		}
		want = append(want, k, k, k)
	}
	require.ElementsMatch(t, want, l.versionKeys())
	objects := int64(len(named) - 1)
	require.Equal(t, []int64{3 * objects, 6 * objects, 3}, []int64{l.Usage().Versions, l.Usage().VersionBytes, l.Usage().Markers})
}

func TestAPlainDeleteInABucketWithVersionsLeavesThemAll(t *testing.T) {
	t.Parallel()
	l := openVersions(t, func(_ *storage.Config, s *storage.SessionConfig) { s.Versions = false })
	l.srv.Put(bucket, "t/a", []byte("a"))
	asked := keys("t/a")
	requireDeleted(t, l.Delete(t.Context(), asked), asked)
	require.ElementsMatch(t, []string{"t/a!", "t/a"}, l.versionKeys())
	found, err := l.Versioning(t.Context(), key("t"))
	require.NoError(t, err)
	require.Equal(t, storage.VersioningOn, found)
}

func TestABucketThatKeepsNothingIsAskedOnce(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(_ *storage.Config, s *storage.SessionConfig) { s.Versions = true })
	asked := l.fill(2500)
	requireDeleted(t, l.Delete(t.Context(), asked), asked)
	require.Empty(t, l.srv.Keys(bucket))
	for range 2 {
		found, err := l.Versioning(t.Context(), key("t/data"))
		require.NoError(t, err)
		require.Equal(t, storage.VersioningOff, found)
	}
	require.Equal(t, map[string]int64{"GetBucketVersioning": 1, "DeleteObjects": 3}, l.srv.Counts())
}

func TestAStoreWithoutVersionsIsTakenForOneThatKeepsNothing(t *testing.T) {
	t.Parallel()
	l := openVersions(t, nil)
	l.srv.Fault(always("GetBucketVersioning", s3test.Fault{Status: http.StatusNotImplemented, Code: "NotImplemented"}))
	found, err := l.Versioning(t.Context(), key("t"))
	require.NoError(t, err)
	require.Equal(t, storage.VersioningOff, found)
}

func TestABucketThatMayNotBeAskedIsUnknownAndItsVersionsAreTriedFor(t *testing.T) {
	t.Parallel()
	l := openVersions(t, nil)
	l.srv.Put(bucket, "t/a", []byte("a"))
	l.srv.Put(bucket, "t/b", []byte("b"))
	denied := func(ops ...string) s3test.FaultFunc {
		return func(_ int64, op string, _ *http.Request) *s3test.Fault {
			if slices.Contains(ops, op) {
				return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
			}
			return nil
		}
	}
	l.srv.Fault(denied("GetBucketVersioning"))
	found, err := l.Versioning(t.Context(), key("t"))
	require.Equal(t, storage.VersioningUnknown, found)
	require.ErrorIs(t, err, storage.ErrDenied)
	require.ErrorContains(t, err, "grant s3:GetBucketVersioning")
	require.NoError(t, l.Delete(t.Context(), keys("t/a"))[0].Err)
	require.Equal(t, []string{"t/b"}, l.versionKeys())

	l.srv.Fault(denied("GetBucketVersioning", "ListObjectVersions"))
	err = l.Delete(t.Context(), keys("t/b"))[0].Err
	require.ErrorIs(t, err, storage.ErrDenied)
	require.ErrorContains(t, err, "s3:ListBucketVersions")
	require.Equal(t, []string{"t/b"}, l.versionKeys(), "no marker was made in place of a delete")
}

func TestVersionsAreFoundOverManyPagesWithoutReadingWhatLiesBetween(t *testing.T) {
	t.Parallel()
	l := openVersions(t, nil)
	var named []string
	for i := range 3 {
		for n := range 500 {
			k := fmt.Sprintf("t/%d/%04d", i, n)
			l.srv.Put(bucket, k, []byte("x"))
			if n == 250 {
				named = append(named, k)
			}
		}
	}
	for range 250 { // more than two pages of one key
		l.srv.Put(bucket, named[1], []byte("y"))
	}
	asked := keys(named...)
	requireDeleted(t, l.Delete(t.Context(), asked), asked)
	for _, v := range l.srv.Versions(bucket) {
		require.NotContains(t, named, v.Key)
	}
	require.Len(t, l.srv.Versions(bucket), 3*500-3)
	require.LessOrEqual(t, l.srv.Counts()["ListObjectVersions"], int64(6))
}

func TestAKeyWhoseVersionIsKeptKeepsItsMarkerAndTheOthersGo(t *testing.T) {
	t.Parallel()
	l := openVersions(t, nil)
	for _, k := range []string{"t/a", "t/kept", "t/z"} {
		l.srv.Put(bucket, k, []byte(k))
		l.srv.Remove(bucket, k)
	}
	l.srv.Fault(always("DeleteObjects", s3test.Fault{Key: func(key string) string {
		if key == "t/kept" {
			return "AccessDenied"
		}
		return ""
	}}))
	results := l.Delete(t.Context(), keys("t/a", "t/kept", "t/z"))
	require.NoError(t, results[0].Err)
	require.ErrorIs(t, results[1].Err, storage.ErrDenied)
	require.NoError(t, results[2].Err)
	require.ElementsMatch(t, []string{"t/kept!", "t/kept"}, l.versionKeys())
}

func TestDeletingVersionsThatWasCutOffAnywhereIsFinishedByAnother(t *testing.T) {
	t.Parallel()
	for n := int64(1); ; n++ {
		l := openVersions(t, quick)
		var asked []storage.Location
		for i := range 30 {
			k := fmt.Sprintf("t/%02d", i)
			l.srv.Put(bucket, k, []byte("1"))
			l.srv.Put(bucket, k, []byte("2"))
			if i%2 == 0 {
				l.srv.Remove(bucket, k)
			}
			asked = append(asked, key(k))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cut := false
		l.srv.Fault(s3test.CutOff(n, n%2 == 0, func() { cut = true; cancel() }))
		_ = l.Delete(ctx, asked)
		l.srv.Fault(nil)
		requireDeleted(t, l.Delete(t.Context(), asked), asked)
		require.Empty(t, l.versionKeys())
		cancel()
		if !cut {
			require.Greater(t, n, int64(3))
			return
		}
	}
}

func TestAListingOfVersionsThatCannotBeTrustedDeletesNothing(t *testing.T) {
	t.Parallel()
	version := func(key, id string) string {
		return "<Version><Key>" + key + "</Key><VersionId>" + id + "</VersionId></Version>"
	}
	for name, body := range map[string]string{
		"a key outside the prefix": `<IsTruncated>false</IsTruncated>` + version("u/a", "1"),
		"another prefix":           `<Prefix>u/</Prefix><IsTruncated>false</IsTruncated>`,
		"no word on the rest":      version("t/a", "1"),
		"no place to go on":        `<IsTruncated>true</IsTruncated>` + version("t/a", "1"),
		"no order":                 `<IsTruncated>true</IsTruncated><NextKeyMarker>t/a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>` + version("t/b", "1"),
		"a circle":                 `<IsTruncated>true</IsTruncated><NextKeyMarker>t/a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>` + version("t/a", "1"),
		"no id":                    `<IsTruncated>false</IsTruncated><Version><Key>t/a</Key></Version>`,
	} {
		l := openVersions(t, quick)
		l.srv.Put(bucket, "t/a", []byte("a"))
		l.srv.Fault(always("ListObjectVersions", s3test.Fault{Status: 200, Body: []byte(`<ListVersionsResult>` + body + `</ListVersionsResult>`)}))
		require.ErrorIs(t, l.Delete(t.Context(), keys("t/a", "t/b"))[0].Err, storage.ErrRejected, name)
		require.Equal(t, []string{"t/a"}, l.versionKeys(), name)
	}
}

func TestListingsOfVersionsThatShareAFolderFindEachKeyOnce(t *testing.T) {
	t.Parallel()
	l := openVersions(t, nil)
	var named []string
	for n := range 600 {
		k := fmt.Sprintf("t/%05d", n)
		l.srv.Put(bucket, k, []byte("x"))
		if n%5 == 2 {
			l.srv.Put(bucket, k, []byte("y"))
			named = append(named, k)
		}
	}
	asked := keys(named...)
	requireDeleted(t, l.Delete(t.Context(), asked), asked)
	require.Len(t, l.srv.Versions(bucket), 600-len(named))
	require.EqualValues(t, 2*len(named), l.Usage().Versions)
	require.LessOrEqual(t, l.srv.Counts()["ListObjectVersions"], int64(8+2*4))
	require.EqualValues(t, 1, l.srv.Counts()["DeleteObjects"])
}
