package storage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

func parse(t testing.TB, uri string) storage.Location {
	t.Helper()
	l, err := storage.Parse(uri)
	require.NoError(t, err)
	return l
}

func TestLocationsAreParsedWithoutDecodingAnything(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]storage.Location{
		"s3://b/k":                       {Scheme: "s3", Bucket: "b", Key: "k"},
		"s3a://b/k":                      {Scheme: "s3", Bucket: "b", Key: "k"},
		"s3n://b/k":                      {Scheme: "s3", Bucket: "b", Key: "k"},
		"S3://b/K":                       {Scheme: "s3", Bucket: "b", Key: "K"},
		"s3://b":                         {Scheme: "s3", Bucket: "b"},
		"s3://b/":                        {Scheme: "s3", Bucket: "b"},
		"s3://b//lead//x/":               {Scheme: "s3", Bucket: "b", Key: "/lead//x/"},
		"s3://b/p=%C3%BC%2520/a b+c":     {Scheme: "s3", Bucket: "b", Key: "p=%C3%BC%2520/a b+c"},
		"s3://b/q?x=1#frag":              {Scheme: "s3", Bucket: "b", Key: "q?x=1#frag"},
		"s3://b/a__0x2f__b":              {Scheme: "s3", Bucket: "b", Key: "a__0x2f__b"},
		"gs://b/p=%20//k#":               {Scheme: "gs", Bucket: "b", Key: "p=%20//k#"},
		"file:///wh/t/p=%20":             {Scheme: "file", Key: "/wh/t/p=%20"},
		"file:/wh/t":                     {Scheme: "file", Key: "/wh/t"},
		"/wh/t":                          {Scheme: "file", Key: "/wh/t"},
		"/wh/odd:name":                   {Scheme: "file", Key: "/wh/odd:name"},
		"file:///wh//t///f":              {Scheme: "file", Key: "/wh/t/f"},
		"file:////wh/t/f":                {Scheme: "file", Key: "/wh/t/f"},
		"//wh/t//":                       {Scheme: "file", Key: "/wh/t/"},
		"s3://my.bucket-1_x/data/\u00fc": {Scheme: "s3", Bucket: "my.bucket-1_x", Key: "data/\u00fc"},
	} {
		require.Equal(t, want, parse(t, uri), uri)
	}
	require.Equal(t, "file:///wh/t", parse(t, "file:/wh/t").String())
	require.Equal(t, parse(t, "file:/wh/t"), parse(t, "file:///wh/t"))
	require.Equal(t, "s3://b/k", parse(t, "s3n://b/k").String())
}

func TestALocationErrorNamesTheURIAndWhatIsSupported(t *testing.T) {
	t.Parallel()
	for uri, reason := range map[string]error{
		"":                  storage.ErrInvalidLocation,
		"relative/path":     storage.ErrInvalidLocation,
		"s3:/b/k":           storage.ErrInvalidLocation,
		"s3://":             storage.ErrInvalidLocation,
		"s3:///k":           storage.ErrInvalidLocation,
		"s3://user@b/k":     storage.ErrInvalidLocation,
		"s3://b?x/k":        storage.ErrInvalidLocation,
		"s3://../k":         storage.ErrInvalidLocation,
		"file://host/p":     storage.ErrInvalidLocation,
		"file:relative":     storage.ErrInvalidLocation,
		"file://":           storage.ErrInvalidLocation,
		"/wh/zero\x00byte":  storage.ErrInvalidLocation,
		"gs:/b/k":           storage.ErrInvalidLocation,
		"gs:///k":           storage.ErrInvalidLocation,
		"oss://b/k":         storage.ErrUnsupportedScheme,
		"abfss://c@a/k":     storage.ErrInvalidLocation,
		"hdfs://nn:8020/wh": storage.ErrUnsupportedScheme,
	} {
		_, err := storage.Parse(uri)
		require.ErrorIs(t, err, reason, uri)
		var typed *storage.LocationError
		require.ErrorAs(t, err, &typed)
		require.Equal(t, uri, typed.URI)
		require.ErrorContains(t, err, "s3://bucket/key")
	}
}

func TestWithinLooksAtWholePathSegments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		location, root string
		want           bool
	}{
		{"s3://w/t/a", "s3://w/t", true},
		{"s3a://w/t/a", "s3n://w/t", true},
		{"s3://w/t/a", "s3://w/t/", true},
		{"s3://w/t/a", "s3://w/t//", false},
		{"s3://w/t//a", "s3://w/t//", true},
		{"s3://w/t///a", "s3://w/t//", true},
		{"s3://w/t//", "s3://w/t//", true},
		{"s3://w/t//a", "s3://w/t/", true},
		{"s3://w/t//a", "s3://w/t", true},
		{"s3://w/a", "s3://w//", false},
		{"s3://w//a", "s3://w//", true},
		{"s3://w//a", "s3://w", true},
		{"s3://w//t/a", "s3://w/t", false},
		{"s3://w//t/a", "s3://w//t/", true},
		{"s3://w/t/", "s3://w/t", true},
		{"s3://w/t", "s3://w/t", false},
		{"s3://w/t2/a", "s3://w/t", false},
		{"s3://w/t2", "s3://w/t", false},
		{"s3://w2/t/a", "s3://w/t", false},
		{"s3://w/anything", "s3://w", true},
		{"s3://w/anything", "s3://w/", true},
		{"s3://w/", "s3://w", false},
		{"s3://w/t/../u/a", "s3://w/t", false},
		{"s3://w/t/./a", "s3://w/t", false},
		{"s3://w/t/..", "s3://w/t", false},
		{"s3://w/t/..a/b.", "s3://w/t", true},
		{"s3://w/t/%2e%2e/a", "s3://w/t", true},
		{"file:/wh/t/a", "file:///wh/t", true},
		{"file:///wh/t/a", "/wh/t/", true},
		{"file:///wh//t/a", "file:///wh/t", true},
		{"file:///wh/t/a", "file:////wh//t//", true},
		{"file:///wh/t/../../etc/passwd", "file:///wh/t", false},
		{"file:///wh/t2/a", "file:///wh/t", false},
		{"file:///w/t/a", "s3://w/t", false},
	} {
		require.Equal(t, c.want, parse(t, c.location).Within(parse(t, c.root)), "%s in %s", c.location, c.root)
	}
}

func TestOneSlashAtTheEndDoesNotCount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"s3://w", "s3://w/", true},
		{"s3://w", "s3://w//", false},
		{"s3://w/t", "s3://w/t/", true},
		{"s3://w/t/", "s3://w/t//", false},
		{"s3://w/t//", "s3://w/t//", true},
		{"file:///wh/t", "file:///wh//t//", true},
	} {
		require.Equal(t, c.same, parse(t, c.a).Same(parse(t, c.b)), "%s and %s", c.a, c.b)
		require.Equal(t, c.same, parse(t, c.b).Same(parse(t, c.a)), "%s and %s", c.b, c.a)
	}
}

func TestAGuardForTheFolderWithoutANameIsNotTheWholeBucket(t *testing.T) {
	t.Parallel()
	g, err := storage.NewGuard("s3://w//")
	require.NoError(t, err)
	require.NoError(t, g.Check(parse(t, "s3://w//a")))
	require.ErrorIs(t, g.Check(parse(t, "s3://w/a")), storage.ErrOutside)
	for _, wide := range []string{"s3://w", "s3://w/"} {
		bucket, err := storage.NewGuard(wide)
		require.NoError(t, err)
		require.NoError(t, bucket.Check(parse(t, "s3://w/a")))
		for narrow, allowed := range map[string]string{"s3://w//": "s3://w//", "s3://w/t//": "s3://w/t//"} {
			g, err := bucket.Narrow(narrow)
			require.NoError(t, err)
			require.Equal(t, []storage.Location{parse(t, allowed)}, g.Locations())
			require.ErrorIs(t, g.Check(parse(t, "s3://w/t/a")), storage.ErrOutside)
		}
	}
	table, err := storage.NewGuard("s3://w/t//")
	require.NoError(t, err)
	g, err = table.Narrow("s3://w/t")
	require.NoError(t, err)
	require.ErrorIs(t, g.Check(parse(t, "s3://w/t/a")), storage.ErrOutside, "narrowing does not widen")
	require.NoError(t, g.Check(parse(t, "s3://w/t//a")))
	g, err = table.Narrow("s3://w/t/a")
	require.NoError(t, err)
	require.Empty(t, g.Locations())
}

func TestALocationIsWithinItsParentAndItsUnclesAreNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ location, parent, uncle string }{
		{"s3://w//m.json", "s3://w//", "s3://w/m.json"},
		{"s3://w/t//m.json", "s3://w/t//", "s3://w/t/m.json"},
		{"s3://w/t//", "s3://w/t", "s3://w/u"},
		{"s3://w/t/m.json", "s3://w/t", "s3://w/m.json"},
		{"file:///wh//t//m.json", "file:///wh/t", "file:///wh/m.json"},
	} {
		l, uncle := parse(t, c.location), parse(t, c.uncle)
		require.Equal(t, c.parent, l.Parent().String())
		require.Equal(t, l.Parent(), parse(t, l.Parent().String()))
		require.True(t, l.Within(l.Parent()), c.location)
		require.False(t, uncle.Within(l.Parent()), c.location)
	}
}

func TestJoinParentAndBaseDoNotCleanKeys(t *testing.T) {
	t.Parallel()
	require.Equal(t, "s3://b/t/x//y", parse(t, "s3://b/t/").Join("x//y").String())
	require.Equal(t, "s3://b/x", parse(t, "s3://b").Join("x").String())
	require.Equal(t, "file:///t/x", parse(t, "/t").Join("x").String())
	require.Equal(t, "s3://b/t", parse(t, "s3://b/t/x").Parent().String())
	require.Equal(t, "s3://b//x", parse(t, "s3://b//").Join("x").String())
	require.Equal(t, "s3://b/t//x", parse(t, "s3://b/t//").Join("x").String())
	require.Equal(t, "file:///t/x/y", parse(t, "/t").Join("x//y").String())
	require.Equal(t, "s3://b/t//", parse(t, "s3://b/t//x").Parent().String())
	require.Equal(t, "s3://b/", parse(t, "s3://b/x").Parent().String())
	require.Equal(t, "file:///", parse(t, "/x").Parent().String())
	require.Equal(t, "x y", parse(t, "s3://b/t/x y").Base())
}

func TestAGuardNamesTheLocationAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	g, err := storage.NewGuard("s3://w/t", "file:///wh/t")
	require.NoError(t, err)
	require.NoError(t, g.Check(parse(t, "s3a://w/t/data/f")))
	require.NoError(t, g.Check(parse(t, "/wh/t/f")))
	err = g.Check(parse(t, "s3://w/t2/f"))
	require.ErrorIs(t, err, storage.ErrOutside)
	var outside *storage.OutsideError
	require.ErrorAs(t, err, &outside)
	require.Equal(t, "s3://w/t2/f", outside.Location.String())
	require.Equal(t, g.Locations(), outside.Allowed)
	require.ErrorContains(t, err, "s3://w/t2/f is outside")
	require.ErrorContains(t, err, "s3://w/t, file:///wh/t")
	require.ErrorContains(t, g.Check(parse(t, "s3://w/t/../u")), `".." segment`)

	var none *storage.Guard
	require.ErrorIs(t, none.Check(parse(t, "s3://w/t/f")), storage.ErrOutside)
	require.ErrorContains(t, none.Check(parse(t, "s3://w/t/f")), "none is allowed")
	for _, bad := range []string{"file:///", "/", "s3://w/../t", "oss://b/k", ""} {
		_, err := storage.NewGuard(bad)
		require.Error(t, err, bad)
	}
}

func TestANarrowedGuardAllowsOnlyWhatBothAllow(t *testing.T) {
	t.Parallel()
	wide, err := storage.NewGuard("s3://w/db/", "s3://other", "file:///wh")
	require.NoError(t, err)
	narrow := func(locations ...string) []string {
		g, err := wide.Narrow(locations...)
		require.NoError(t, err)
		var list []string
		for _, l := range g.Locations() {
			list = append(list, l.String())
		}
		return list
	}
	require.Equal(t, []string{"s3://w/db/t"}, narrow("s3a://w/db/t"))
	require.Equal(t, []string{"s3://w/db"}, narrow("s3://w/db"))
	require.Equal(t, []string{"s3://w/db/"}, narrow("s3://w/"))
	require.Equal(t, []string{"s3://other/x/y", "file:///wh/t"}, narrow("s3://other/x/y", "file:/wh/t"))
	require.Equal(t, []string{"s3://w/db/t"}, narrow("s3://w/db/t", "s3://w/db/t/"))
	require.Empty(t, narrow("s3://w/db2/t"))
	require.Empty(t, narrow("s3://w/dbx", "file:///whx"))
	require.Empty(t, narrow())
	_, err = wide.Narrow("oss://x/y")
	require.ErrorIs(t, err, storage.ErrUnsupportedScheme)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"s3://b/k", "file:///p", "/p", "s3a://b//x/../y", "file:", "://", "s3://b/%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		l, err := storage.Parse(uri)
		if err != nil {
			return
		}
		again, err := storage.Parse(l.String())
		if err != nil || again != l {
			t.Fatalf("%q: %+v becomes %+v (%v)", uri, l, again, err)
		}
		if root := (storage.Location{Scheme: l.Scheme, Bucket: l.Bucket, Key: "/r"}); l.Within(root) && !strings.HasPrefix(l.Key, "/r/") {
			t.Fatalf("%q is within %v", uri, root)
		}
	})
}

func TestALocationThatHoldsALoginIsRefusedWithoutIt(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"s3a://AKIA:hush@bucket/t", "s3://AKIA:hu/hush@bucket/t", "gs://u:hush@b", "ftp://u:hush@b/t", "s3a://AKIA:hu@hush@bucket/t"} {
		_, err := storage.Parse(uri)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hush")
		require.Contains(t, err.Error(), "[redacted]@b", uri)
	}
	_, err := storage.Parse("oss://bucket/a:b@c")
	require.ErrorContains(t, err, `"oss://bucket/a:b@c"`, "a key may hold anything")
}
