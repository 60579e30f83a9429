package conformance

import (
	"testing"

	"github.com/apache/iceberg-go"
	iceberg_table "github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

func setProperty(name, value string) []iceberg_table.Update {
	return []iceberg_table.Update{iceberg_table.NewSetPropertiesUpdate(iceberg.Properties{name: value})}
}

func ref(id int64) *int64 { return &id }

// conflicts commits what someone else was faster with.
func (s *suite) conflicts(t *testing.T) {
	w := s.newTable(t, "2", []string{"conflicts"}, "t")
	w.grow(2)
	commit := func(requirements []iceberg_table.Requirement, updates ...iceberg_table.Update) error {
		_, err := s.client.Commit(t.Context(), w.id(), requirements, updates)
		return err
	}
	main := func(id *int64) []iceberg_table.Requirement {
		return []iceberg_table.Requirement{iceberg_table.AssertRefSnapshotID("main", id)}
	}
	set := setProperty("a", "b")[0]
	require.NoError(t, commit(main(ref(2)), set))
	require.ErrorIs(t, commit(main(ref(1)), set), polaris.ErrConflict, "main went on")
	require.ErrorIs(t, commit(main(nil), set), polaris.ErrConflict, "main is there")
	require.ErrorIs(t, commit([]iceberg_table.Requirement{iceberg_table.AssertRefSnapshotID("none", ref(1))}, set), polaris.ErrConflict, "no such ref")
	require.ErrorIs(t, commit([]iceberg_table.Requirement{iceberg_table.AssertTableUUID(uuid.New())}, set), polaris.ErrConflict, "another table")

	old := &iceberg_table.Snapshot{
		SnapshotID: 9, ParentSnapshotID: ref(2), SequenceNumber: 2, TimestampMs: w.started + 9000,
		ManifestList: w.location + "/metadata/snap-9.avro", Summary: &iceberg_table.Summary{Operation: iceberg_table.OpAppend},
	}
	require.ErrorIs(t, commit(main(ref(2)), iceberg_table.NewAddSnapshotUpdate(old)), polaris.ErrConflict, "a stale sequence number")

	downgrade := iceberg_table.NewUpgradeFormatVersionUpdate(1)
	require.ErrorIs(t, commit(nil, downgrade), polaris.ErrRejected, "no commit of anyone makes it possible")

	before, err := s.client.Load(t.Context(), w.id(), polaris.LoadOptions{})
	require.NoError(t, err)
	require.NoError(t, s.client.MayCommit(t.Context(), w.id(), before.Metadata))
	require.Equal(t, before.MetadataLocation, w.state().Location, "asking changes nothing")

	loaded, err := s.client.Commit(t.Context(), w.id(), main(ref(2)), []iceberg_table.Update{iceberg_table.NewRemoveSnapshotsUpdate([]int64{1}, false)})
	require.NoError(t, err)
	require.Len(t, loaded.Metadata.Snapshots, 1)
	require.Equal(t, w.state().Location, loaded.MetadataLocation)
}
