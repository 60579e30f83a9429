package maintenance_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
)

// stage is a table of one file in the hands of a job.
type stage struct {
	*maintenancetest.Yard
	job    *jobs.Job
	spared string
	client maintenance.Client // nil: the ledger
}

func newStage(t *testing.T, more maintenancetest.Object) *stage {
	s := &stage{Yard: maintenancetest.NewYard(t), job: maintenancetest.Job(jobs.Expire, `{}`), spared: "nothing is deleted"}
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a")
	d.Snapshot("m1")
	s.Lay(d, more)
	return s
}

func (s *stage) take() *maintenance.Table {
	catalogs, err := maintenance.NewCatalogs(s.Over(s.client).Catalogs)
	require.NoError(s.T, err)
	t := maintenance.Take(maintenance.TableConfig{Catalogs: catalogs, Job: s.job, Progress: &jobtest.Progress{}, Spared: s.spared})
	s.T.Cleanup(t.Close)
	return t
}

// anew puts another table in the place of this one.
func (s *stage) anew() {
	s.Edit(s.Ledger.Location, func(m maintenancetest.Object) { m["table-uuid"] = "99999999-1111-4111-8111-111111111111" })
}

// lettered is a UUID that has two spellings.
const lettered = "abcdefab-1111-4111-8111-111111111111"

func TestOnlyTheTableThatAJobIsAboutIsLoaded(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.Edit(s.Ledger.Location, func(m maintenancetest.Object) { m["table-uuid"] = lettered })
	s.job.TableUUID = strings.ToUpper(lettered)
	loaded, err := s.take().Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, lettered, loaded.Metadata.UUID)
	require.Equal(t, s.Ledger.Location, loaded.MetadataLocation)

	s.anew()
	_, err = s.take().Load(t.Context())
	require.ErrorIs(t, err, maintenance.ErrGone)
	require.ErrorContains(t, err, "created anew")

	s.Open("")
	_, err = s.take().Load(t.Context())
	require.ErrorIs(t, err, maintenance.ErrGone)

	s.job.Catalog = "pond"
	_, err = s.take().Load(t.Context())
	require.True(t, jobs.IsPermanent(err))
	require.ErrorContains(t, err, `catalog "pond"`)
}

func TestATableThatIsCreatedAnewBetweenTwoLoadsEndsTheJob(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	table := s.take()
	_, err := table.Load(t.Context())
	require.NoError(t, err)
	s.anew()
	_, err = table.Load(t.Context())
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, "created anew while it was worked on")
	require.ErrorContains(t, err, tabletest.HandmadeUUID)
	require.NotErrorIs(t, err, maintenance.ErrGone)
}

func TestATableThatSharesItsFilesIsOnlyForKindsThatDeleteNone(t *testing.T) {
	t.Parallel()
	s := newStage(t, maintenancetest.Object{"properties": maintenancetest.Object{"gc.enabled": "false"}})
	_, err := s.take().Load(t.Context())
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, `gc.enabled is "false": its files may belong to others too, so nothing is deleted; set it`)
	s.spared = ""
	_, err = s.take().Load(t.Context())
	require.NoError(t, err)
}

// vends notes which loads asked for credentials.
type vends struct {
	maintenance.Client
	asked []bool
}

func (v *vends) Load(ctx context.Context, id polaris.Identifier, o polaris.LoadOptions) (*polaris.Loaded, error) {
	v.asked = append(v.asked, o.Vend)
	return v.Client.Load(ctx, id, o)
}

func TestCredentialsAreAskedForUntilTheStorageIsOpen(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	client := &vends{Client: s.Ledger}
	s.client = client
	table := s.take()
	_, err := table.Load(t.Context())
	require.NoError(t, err)
	loaded, err := table.Load(t.Context())
	require.NoError(t, err)
	require.NoError(t, table.Open(t.Context(), loaded, false))
	_, err = table.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, false}, client.asked)
}

// tagged gives the table as it is an ETag.
type tagged struct{ maintenance.Client }

func (c tagged) Load(ctx context.Context, id polaris.Identifier, o polaris.LoadOptions) (*polaris.Loaded, error) {
	loaded, err := c.Client.Load(ctx, id, o)
	if err == nil && o.ETag == loaded.MetadataLocation {
		return &polaris.Loaded{NotModified: true}, nil
	}
	if err == nil {
		loaded.ETag = loaded.MetadataLocation
	}
	return loaded, err
}

func TestATableThatHasNotChangedIsTheOneLoadedBefore(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.client = tagged{s.Ledger}
	table := s.take()
	first, err := table.Load(t.Context())
	require.NoError(t, err)
	again, err := table.LoadSince(t.Context(), first)
	require.NoError(t, err)
	require.Same(t, first, again)
	s.Ledger.Change(maintenancetest.SetRef("b", "branch", 1))
	again, err = table.LoadSince(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, s.Ledger.Location, again.MetadataLocation)
	require.Contains(t, again.Metadata.Refs, "b")
	s.anew()
	s.Ledger.Change(maintenancetest.SetRef("c", "branch", 1))
	_, err = table.LoadSince(t.Context(), again)
	require.ErrorContains(t, err, "created anew")
}

func (s *stage) open(dryRun bool) *maintenance.Table {
	t := s.take()
	loaded, err := t.Load(s.T.Context())
	require.NoError(s.T, err)
	require.NoError(s.T, t.Open(s.T.Context(), loaded, dryRun))
	return t
}

func at(t *testing.T, text string) storage.Location {
	l, err := storage.Parse(text)
	require.NoError(t, err)
	return l
}

func TestOnlyTheEraserChangesAnythingAndOnlyInTheTablesLocations(t *testing.T) {
	t.Parallel()
	s := newStage(t, maintenancetest.Object{"properties": maintenancetest.Object{"write.data.path": "s3://other/data/t"}})
	keys := s.Keys()
	own := []string{maintenancetest.InHome("data/new"), "s3://other/data/t/new"}
	others := []string{"s3://warehouse/db/t2/new", "s3://other/new", "s3://elsewhere/new"}
	for _, path := range append(own, others...) {
		require.ErrorIs(t, s.open(false).Reader.Write(t.Context(), at(t, path), nil), storage.ErrOutside, path)
		require.ErrorIs(t, s.open(true).Reader.Write(t.Context(), at(t, path), nil), storage.ErrOutside, path)
		require.ErrorIs(t, s.open(true).Eraser.Write(t.Context(), at(t, path), nil), storage.ErrOutside, path)
	}
	table := s.open(false)
	for _, path := range others {
		require.ErrorIs(t, table.Eraser.Write(t.Context(), at(t, path), nil), storage.ErrOutside, path)
	}
	require.Equal(t, keys, s.Keys())
	for _, path := range own {
		require.NoError(t, table.Eraser.Write(t.Context(), at(t, path), []byte("new")))
	}
	s.Has(true, own...)
	_, err := table.Reader.ReadAll(t.Context(), at(t, own[1]), 10)
	require.NoError(t, err)
	requests := table.Requests().ByOperation
	require.EqualValues(t, 2, requests["PutObject"], requests)
	require.EqualValues(t, 1, requests["GetObject"], requests)
}

func TestTheMetadataFolderIsWhereThePropertySays(t *testing.T) {
	t.Parallel()
	require.Equal(t, at(t, maintenancetest.InHome("metadata")), newStage(t, nil).open(true).MetadataFolder)
	s := newStage(t, maintenancetest.Object{"properties": maintenancetest.Object{"write.metadata.path": "s3://other/m"}})
	require.Equal(t, at(t, "s3://other/m"), s.open(true).MetadataFolder)

	s = newStage(t, maintenancetest.Object{"location": "no location"})
	table := s.take()
	loaded, err := table.Load(t.Context())
	require.NoError(t, err)
	err = table.Open(t.Context(), loaded, false)
	require.True(t, jobs.IsPermanent(err), err)
	require.Nil(t, table.Eraser)
	require.Empty(t, table.Requests().ByOperation)
}
