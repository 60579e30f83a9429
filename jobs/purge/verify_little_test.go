package purge_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/ownership"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// withoutUUID writes the metadata file at the location anew, as a table of format 1
// without a UUID whose log is empty, and once more under another name.
func (c *council) withoutUUID(table *icebergtable.Table, later string) {
	c.t.Helper()
	var m map[string]any
	require.NoError(c.t, json.Unmarshal(table.Objects[table.MetadataLocation], &m))
	delete(m, "table-uuid")
	delete(m, "metadata-log")
	data, err := json.Marshal(m)
	require.NoError(c.t, err)
	for _, location := range []string{table.MetadataLocation, later} {
		bucket, key, err := tabletest.SplitS3(location)
		require.NoError(c.t, err)
		c.server.Put(bucket, key, data)
	}
}

// It was committed to so often since that its log does not go back to the metadata
// file that was dropped.
func TestATableWithoutUUIDThatLivesOnIsFoundByItsLocation(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"t", "rescued"} {
		c := newCouncil(t, ownership.Namespace)
		table, _ := c.write(icebergtable.Options{FormatVersion: 1})
		later := "s3://warehouse/db/t/metadata/99999-later.metadata.json"
		c.withoutUUID(table, later)
		c.register(later, "zoo", name)
		before := c.keys()
		job := jobFor("", table.MetadataLocation)
		job.EntityID = "4711"
		_, err := run(t, c.tables(), job, &jobtest.Progress{})
		require.True(t, jobs.IsPermanent(err))
		require.ErrorContains(t, err, "belong to the live table zoo."+name+" of catalog lake: its location s3://warehouse/db/t is the same as s3://warehouse/db/t")
		require.Equal(t, before, c.keys())

		require.NoError(t, c.Drop(t.Context(), named("zoo", name)))
		_, err = run(t, c.tables(), job, &jobtest.Progress{})
		require.NoError(t, err)
		require.NotContains(t, c.keys(), table.MetadataLocation)
	}
}

// It was upgraded, which gave it a UUID, dropped, and registered again as it was before.
func TestATableFromBeforeItHadAUUIDIsFoundByItsLocation(t *testing.T) {
	t.Parallel()
	c := newCouncil(t, ownership.Namespace)
	table, _ := c.write(icebergtable.Options{FormatVersion: 1})
	earlier := "s3://warehouse/db/t/metadata/00000-earlier.metadata.json"
	c.withoutUUID(table, earlier)
	c.load(map[string][]byte{table.MetadataLocation: table.Objects[table.MetadataLocation]})
	c.register(earlier, "zoo", "rescued")
	before := c.keys()
	_, err := run(t, c.tables(), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.True(t, jobs.IsPermanent(err))
	require.ErrorContains(t, err, "belong to the live table zoo.rescued of catalog lake: its location s3://warehouse/db/t is the same as")
	require.Equal(t, before, c.keys())
}

// The table was registered again from an earlier metadata file than the one that the
// job names, which is gone.
func TestFilesOfAJobThatKnowsNeitherUUIDNorLocationsAreAskedForByWhereTheyLie(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"t", "rescued"} {
		for _, gone := range []string{"", "s3://warehouse/db/t/metadata/99999-gone.metadata.json"} {
			c := newCouncil(t, ownership.Namespace)
			c.cfg.Catalogs[0].Policy.Scope = purge.ScopeCatalog
			files, err := purge.NewFiles(c.cfg)
			require.NoError(t, err)
			table, _ := c.write(icebergtable.Options{})
			c.register(table.MetadataLocation, "zoo", name)
			before := c.keys()
			job := jobFor("", gone)
			require.NoError(t, job.SetFiles("4711", jobs.FilesParams{Manifests: filesOf(table, tabletest.KindManifest)}))
			receipt, err := run(t, files, job, &jobtest.Progress{})
			require.True(t, jobs.IsPermanent(err), "%s %s", name, gone)
			require.ErrorContains(t, err, "belong to the live table zoo."+name)
			require.Equal(t, purge.VerifiedNamespace, receipt.Verified)
			require.Equal(t, before, c.keys())

			require.NoError(t, c.Drop(t.Context(), named("zoo", name)))
			_, err = run(t, files, job, &jobtest.Progress{})
			require.NoError(t, err)
			require.NotEqual(t, before, c.keys())
		}
	}
}
