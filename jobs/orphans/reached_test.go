package orphans

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// set is what a table names, as a run of the settings compares it.
func set(schemes, authorities map[string]string, names ...string) *reached {
	r := newReached(newPrefixes(schemes, authorities))
	for _, name := range names {
		r.add(name)
	}
	return r
}

// in says how a listed file compares.
func (r *reached) in(listed string) match {
	l, err := storage.Parse(listed)
	if err != nil {
		panic(err)
	}
	found, _ := r.find(l.Key, r.prefixes.id(l.Scheme, l.Bucket))
	return found
}

func TestAFileIsNamedByWhateverSpellingReadersMeanItBy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		named, listed string
		want          match
	}{
		{"s3://w/t/f", "s3://w/t/f", named},
		{"s3a://w/t/f", "s3://w/t/f", named},
		{"S3N://w/t/f", "s3://w/t/f", named},
		{"s3://w//t//f", "s3://w/t/f", named},
		{"s3://w/t/f", "s3://w/t//f", named},
		{"s3://w/t/./x/../f", "s3://w/t/f", named},
		{"s3://w/t/k=a%20b/f", "s3://w/t/k=a%20b/f", named},
		{"s3://w/t/k=a%20b/f", "s3://w/t/k=a b/f", named},
		{"s3://w/t/k=a b/f", "s3://w/t/k=a%20b/f", named},
		{"s3://w/t/k=a%252Fb/f", "s3://w/t/k=a%2Fb/f", named},
		{"s3://w/t/k=100%/f", "s3://w/t/k=100%/f", named},
		{"file:///w/t/f", "file:///w/t/f", named},
		{"file:/w/t/f", "file:///w/t/f", named},
		{"/w/t/f", "file:///w/t/f", named},
		{"/w/t/f", "s3://w/w/t/f", named}, // what it leaves out may be anything
		{"s3://Capital/t/f", "s3://Capital/t/f", named},
		{"wasbs://c@acc.blob.core.windows.net/t/f", "abfss://c@acc.dfs.core.windows.net/t/f", named},
		{"abfs://c@ACC.dfs.core.windows.net/t/f", "abfss://c@acc.dfs.core.windows.net/t/f", named},
		{"abfss://c@acc.dfs.core.windows.net/t/f", "abfss://c@other.dfs.core.windows.net/t/f", mismatched},
		{"abfss://d@acc.dfs.core.windows.net/t/f", "abfss://c@acc.dfs.core.windows.net/t/f", mismatched},
		{"s3://w/t/f", "s3://w/t/F", unnamed},
		{"s3://w/t/f", "s3://w/t/f2", unnamed},
		{"s3://w/t/f", "s3://other/t/f", mismatched},
		{"gs://w/t/f", "s3://w/t/f", mismatched},
		{"hdfs://node:8020/t/f", "s3://w/t/f", mismatched},
		{"file:///t/f", "s3://w/t/f", mismatched},
	} {
		require.Equal(t, c.want, set(nil, nil, c.named).in(c.listed), "%s named, %s listed", c.named, c.listed)
	}
}

func TestWhatIsNamedWithTwoPrefixesIsNamedByEither(t *testing.T) {
	t.Parallel()
	r := set(nil, nil, "s3://other/t/f", "s3://w/t/f", "gs://w/t/f")
	require.Equal(t, named, r.in("s3://w/t/f"))
	require.Equal(t, named, r.in("s3://other/t/f"))
	require.Equal(t, mismatched, r.in("s3://third/t/f"))
}

func TestEqualSchemesAndAuthoritiesAreEquations(t *testing.T) {
	t.Parallel()
	r := set(map[string]string{"s3": "oss", "cos": "oss"}, map[string]string{"mirror": "w", "Alias": "mirror"},
		"oss://alias/t/a", "cos://w/t/b", "s3a://mirror/t/c")
	for _, listed := range []string{"s3://w/t/a", "s3://mirror/t/b", "s3://alias/t/c"} {
		require.Equal(t, named, r.in(listed), listed)
	}
	require.Equal(t, mismatched, r.in("s3://else/t/a"))
	// Nobody can make two spellings of one store differ.
	require.Equal(t, named, set(map[string]string{"s3a": "x", "s3": "y"}, nil, "s3a://w/t/f").in("s3://w/t/f"))
}

func TestMorePrefixesThanCanBeToldApartAreLikeEveryOther(t *testing.T) {
	t.Parallel()
	r := newReached(newPrefixes(nil, nil))
	for n := range 300 {
		r.add(fmt.Sprintf("s3://bucket%d/t/f%d", n, n))
	}
	require.Equal(t, mismatched, r.in("s3://w/t/f7"))
	require.Equal(t, named, r.in("s3://w/t/f299"))
	require.Equal(t, named, r.in("s3://bucket7/t/f7"))
	require.Equal(t, unnamed, r.in("s3://bucket7/t/g"))
}

func TestManyNamesAreFoundAndOthersAreNot(t *testing.T) {
	t.Parallel()
	r := newReached(newPrefixes(nil, nil))
	const many = 200_000
	for n := range many {
		r.add(fmt.Sprintf("s3://w/t/data/%d.parquet", n))
		r.add(fmt.Sprintf("s3a://w/t/data/%d.parquet", n))
	}
	require.EqualValues(t, many, r.len())
	for n := range many {
		require.Equal(t, named, r.in(fmt.Sprintf("s3://w/t/data/%d.parquet", n)))
		require.Equal(t, unnamed, r.in(fmt.Sprintf("s3://w/t/data/%d.orc", n)))
	}
}
