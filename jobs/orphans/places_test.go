package orphans

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

func roots(places []place) (texts []string) {
	for _, p := range places {
		texts = append(texts, p.root.String()+" in "+p.own.String())
	}
	return texts
}

func TestOnlyWhatLiesInTheTablesOwnLocationsIsLookedThrough(t *testing.T) {
	t.Parallel()
	own, others, err := ownLocations([]string{"s3://w/db/t/", "s3a://w/db/t/data", "s3://other/t", "oss://x/y", "s3://w/db/t", "s3://w/db"})
	require.NoError(t, err)
	require.Equal(t, "[s3://other/t s3://w/db]", fmt.Sprint(outsideOf(own[0], own)))
	own = own[:len(own)-1]
	require.NoError(t, err)
	require.Equal(t, []string{"oss://x/y"}, others)
	all, skipped, err := chosen(nil, own)
	require.NoError(t, err)
	require.Empty(t, skipped)
	require.Equal(t, []string{"s3://w/db/t/ in s3://w/db/t/", "s3://other/t in s3://other/t"}, roots(all))

	some, skipped, err := chosen([]string{"s3a://w/db/t/data/a", "s3://w/db/t/data/a/b", "s3://w/db/t2", "s3://w/db", "gs://q/r", "s3://other/t/"}, own)
	require.NoError(t, err)
	require.Equal(t, []string{"s3://w/db/t2", "s3://w/db", "gs://q/r"}, skipped)
	require.Equal(t, []string{"s3://w/db/t/data/a in s3://w/db/t/", "s3://other/t/ in s3://other/t"}, roots(some))
}

func TestAWholeBucketIsRefusedUnlessItIsTheTables(t *testing.T) {
	t.Parallel()
	own, _, err := ownLocations([]string{"s3://w/db/t"})
	require.NoError(t, err)
	for _, text := range []string{"s3://w", "s3://w/", "s3://other//"} {
		_, _, err = chosen([]string{text}, own)
		require.ErrorContains(t, err, "whole bucket")
		require.True(t, jobs.IsPermanent(err))
	}
	own, _, err = ownLocations([]string{"s3://w"})
	require.NoError(t, err)
	places, _, err := chosen([]string{"s3://w/"}, own)
	require.NoError(t, err)
	require.Len(t, places, 1)
	_, _, err = chosen([]string{"w/t"}, own)
	require.True(t, jobs.IsPermanent(err))
}

func TestTrashAndRecordsAreDeckhandsOwn(t *testing.T) {
	t.Parallel()
	p := newPlace(at(t, "s3://w/db/t/"), at(t, "s3://w/db/t/"))
	require.Equal(t, "s3://w/db/t/.deckhand-trash", p.trash().String())
	for text, want := range map[string]bool{
		"s3://w/db/t/.deckhand-trash/20260101-000000/data/f": true,
		"s3://w/db/t/metadata/deckhand-expire/01X.json":      true,
		"s3://w/db/t/deckhand-expire/01X.json":               true,
		"s3://w/db/t/data/.deckhand-trash/f":                 false, // nobody's trash, but hidden
		"s3://w/db/t/data/f":                                 false,
		"s3://w/db/t/deckhand-expired":                       false,
	} {
		require.Equal(t, want, p.isKept(at(t, text)), text)
	}
}
