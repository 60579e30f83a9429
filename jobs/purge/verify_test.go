package purge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/ownership"
	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/secret"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// council is a yard whose catalog is asked.
type council struct {
	*yard
	*standin.Server
	cfg purge.Config
}

func newCouncil(t testing.TB, mode ownership.Mode) *council {
	t.Helper()
	c := &council{yard: newYard(t)}
	c.Server = standin.Start(t, standin.Options{Catalogs: []standin.Catalog{{Name: "lake", Location: "s3://warehouse", S3: &standin.S3{
		Endpoint: c.server.Endpoint(), AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
	}}}})
	credential, err := c.CreatePrincipal("purger", "lake", "TABLE_READ_PROPERTIES", "NAMESPACE_LIST", "VIEW_READ_PROPERTIES")
	require.NoError(t, err)
	client, err := polaris.New(polaris.Config{
		URI: c.URI(), Warehouse: "lake", Credential: secret.String(credential), Retries: -1, RequestsPerSecond: 1e6, RequestTimeout: 2 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	// Each question sees what is so: what is remembered is tested in its package.
	index, err := ownership.New(ownership.Config{Client: client, MaxAge: time.Nanosecond})
	require.NoError(t, err)
	c.cfg = c.config(purge.Policy{})
	c.cfg.Catalogs[0].Policy.Verify, c.cfg.Catalogs[0].Owners = mode, index
	return c
}

func (c *council) tables() *purge.Tables {
	handler, err := purge.New(c.cfg)
	require.NoError(c.t, err)
	return handler
}

func named(levels ...string) standin.Table {
	last := len(levels) - 1
	return standin.Table{Catalog: "lake", Namespace: levels[:last], Name: levels[last]}
}

func (c *council) register(location string, levels ...string) {
	c.t.Helper()
	require.NoError(c.t, c.Register(c.t.Context(), named(levels...), location))
}

func TestATableThatLivesOnKeepsItsFiles(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]struct {
		mode  ownership.Mode
		names []string
	}{
		"under its name":                      {ownership.Namespace, []string{"zoo", "t"}},
		"under another name":                  {ownership.Namespace, []string{"zoo", "rescued"}},
		"in another namespace, all are asked": {ownership.Catalog, []string{"ark", "t"}},
	} {
		c := newCouncil(t, where.mode)
		table, _ := c.write(icebergtable.Options{})
		c.register(table.MetadataLocation, where.names...)
		before, progress := c.keys(), &jobtest.Progress{}
		receipt, err := run(t, c.tables(), jobFor(table.UUID, table.MetadataLocation), progress)
		require.True(t, jobs.IsPermanent(err), name)
		require.ErrorContains(t, err, "belong to the live table "+strings.Join(where.names, ".")+" of catalog lake: it has the same UUID "+table.UUID, name)
		require.Equal(t, before, c.keys(), name)
		require.Nil(t, progress.Checkpoint(), name)
		require.EqualValues(t, where.mode, receipt.Verified, name)

		require.NoError(t, c.Drop(t.Context(), named(where.names...)))
		receipt, err = run(t, c.tables(), jobFor(table.UUID, table.MetadataLocation), progress)
		require.NoError(t, err, name)
		require.EqualValues(t, where.mode, receipt.Verified, name)
		require.WithinDuration(t, time.Now(), receipt.VerifiedAt.Time, time.Minute)
		var text bytes.Buffer
		require.NoError(t, receipt.WriteText(&text))
		require.Regexp(t, `verified +`+string(where.mode)+` +as of 20`, text.String())
		require.NotContains(t, c.keys(), table.MetadataLocation)
	}
}

// The table is registered again while the purge is cut off, at whatever level, as long
// as its root is there.
func TestWhetherTheTableLivesOnIsAskedAtEveryClaim(t *testing.T) {
	t.Parallel()
	c := newCouncil(t, ownership.Namespace)
	table, neighbours := c.write(icebergtable.Everything())
	job, progress := jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{}
	claims := 0
	for ; ; claims++ {
		var deletes atomic.Int64
		c.server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
			if strings.HasPrefix(op, "Delete") && deletes.Add(1) > 1 {
				return &s3test.Fault{Status: 500, Code: "InternalError"}
			}
			return nil
		})
		_, err := run(t, c.tables(), job, progress)
		if err == nil {
			break
		}
		require.ErrorIs(t, err, jobs.ErrUnavailable)
		c.server.Fault(nil)
		c.register(table.MetadataLocation, "zoo", "t")
		before, saved := c.keys(), progress.Checkpoint()
		_, err = run(t, c.tables(), job, progress)
		require.ErrorContains(t, err, "belong to the live table zoo.t")
		require.Equal(t, before, c.keys())
		require.JSONEq(t, string(saved), string(progress.Checkpoint()))
		require.NoError(t, c.Drop(t.Context(), named("zoo", "t")))
	}
	require.Greater(t, claims, 3, "cut off at several levels")
	require.Equal(t, neighbours, c.keys())
}

func TestWhereTheCatalogDoesNotTellNothingIsDeletedAndThePurgeComesBack(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]struct {
		kind   standin.Kind
		fault  standin.Fault
		outage bool
		says   string
	}{
		"401": {standin.ListTables, standin.Fault{Status: 401}, false, "rest.scope"},
		"403": {standin.LoadTable, standin.Fault{Status: 403, Type: "ForbiddenException",
			Message: "Principal 'purger' with activated PrincipalRoles '[r]' and activated grants via '[c, r]' is not authorized for op LOAD_TABLE"}, false, "that takes TABLE_READ_PROPERTIES and NAMESPACE_LIST"},
		"500":            {standin.LoadTable, standin.Fault{Status: 500, Type: "IllegalStateException"}, true, "unavailable"},
		"503":            {standin.ListTables, standin.Fault{Status: 503, Type: "ServiceUnavailableException"}, true, "unavailable"},
		"hang":           {standin.LoadTable, standin.Fault{Hang: true}, true, "no answer"},
		"404 of a proxy": {standin.LoadTable, standin.Fault{Status: 404, Body: []byte("nginx")}, true, "not a catalog's"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCouncil(t, ownership.Namespace)
			table, neighbours := c.write(icebergtable.Options{})
			before, progress := c.keys(), &jobtest.Progress{}
			require.NoError(t, c.CreateNamespace("lake", "zoo"))
			c.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
				if kind == f.kind {
					return &f.fault
				}
				return nil
			})
			receipt, err := run(t, c.tables(), jobFor(table.UUID, table.MetadataLocation), progress)
			require.ErrorContains(t, err, "nothing was deleted, since the catalog ")
			require.ErrorContains(t, err, f.says)
			require.False(t, jobs.IsPermanent(err))
			require.Equal(t, f.outage, errorIsOutage(err))
			require.Equal(t, before, c.keys())
			require.Nil(t, progress.Checkpoint())
			require.Empty(t, receipt.Verified)

			c.Fault(nil)
			_, err = run(t, c.tables(), jobFor(table.UUID, table.MetadataLocation), progress)
			require.NoError(t, err)
			require.Equal(t, neighbours, c.keys())
		})
	}
}

func TestATableBesideThatTheCatalogCannotReadIsNamed(t *testing.T) {
	t.Parallel()
	c := newCouncil(t, ownership.Namespace)
	table, _ := c.write(icebergtable.Options{})
	c.register("s3://warehouse/lost/metadata/1.metadata.json", "zoo", "lost")
	before := c.keys()
	_, err := run(t, c.tables(), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.ErrorContains(t, err, "lives on as table zoo.lost, of which the catalog does not tell what it is")
	require.ErrorContains(t, err, "if its metadata file is lost, register an earlier one, or drop it without purge")
	require.False(t, jobs.IsPermanent(err))
	require.False(t, errorIsOutage(err), "it spends attempts, so that a person is told at last")
	require.Equal(t, before, c.keys())
}

func TestAViewThatLivesOnKeepsItsFiles(t *testing.T) {
	t.Parallel()
	c := newCouncil(t, ownership.Namespace)
	require.NoError(t, c.AddView(named("zoo", "v")))
	living := c.view("zoo", "v")
	view := tabletest.NewView(living.location, living.uuid, 1, 2)
	c.load(view.Objects)
	handler, err := purge.NewViews(c.cfg)
	require.NoError(t, err)
	before := c.keys()
	_, err = run(t, handler, viewJob(view), &jobtest.Progress{})
	require.True(t, jobs.IsPermanent(err))
	require.ErrorContains(t, err, "belong to the live view zoo.v of catalog lake: it has the same UUID "+living.uuid)
	require.Equal(t, before, c.keys())

	another := tabletest.NewView("s3://warehouse/zoo/w", firstUUID, 1, 2)
	c.load(another.Objects)
	receipt, err := run(t, handler, viewJob(another), &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, purge.VerifiedNamespace, receipt.Verified)
	require.Equal(t, before, c.keys())
}

func TestFilesOfATableWithoutMetadataAreAskedForByWhatTheJobKnows(t *testing.T) {
	t.Parallel()
	c := newCouncil(t, ownership.Namespace)
	files, err := purge.NewFiles(c.cfg)
	require.NoError(t, err)
	living, _ := c.write(icebergtable.Options{Location: "s3://warehouse/db/living"})
	c.register(living.MetadataLocation, "zoo", "living")
	c.server.Put("warehouse", "db/dropped/metadata/m.stats", []byte("x"))
	before := c.keys()
	job := func(change func(*jobs.Job)) *jobs.Job {
		j := jobFor("", "")
		j.Locations = []string{"s3://warehouse/db/dropped"}
		require.NoError(t, j.SetFiles("4711", jobs.FilesParams{Files: []string{"s3://warehouse/db/dropped/metadata/m.stats"}}))
		change(j)
		return j
	}
	for says, change := range map[string]func(*jobs.Job){
		"the same UUID":                      func(j *jobs.Job) { j.TableUUID = living.UUID },
		"is inside s3://warehouse/db":        func(j *jobs.Job) { j.Locations = []string{"s3://warehouse/db"} },
		"is the same as s3a://warehouse/db/": func(j *jobs.Job) { j.Locations = []string{"s3a://warehouse/db/living"} },
	} {
		_, err := run(t, files, job(change), &jobtest.Progress{})
		require.True(t, jobs.IsPermanent(err), says)
		require.ErrorContains(t, err, "belong to the live table zoo.living of catalog lake", says)
		require.ErrorContains(t, err, says)
		require.Equal(t, before, c.keys())
	}

	scoped := c.cfg
	scoped.Catalogs = []purge.Catalog{scoped.Catalogs[0]}
	scoped.Catalogs[0].Policy.Scope = purge.ScopeCatalog
	byName, err := purge.NewFiles(scoped)
	require.NoError(t, err)
	nothing := job(func(j *jobs.Job) { j.Locations, j.Table = nil, "living" })
	receipt, err := run(t, byName, nothing, &jobtest.Progress{})
	require.ErrorContains(t, err, "neither UUID nor location is known of what was dropped")
	require.Equal(t, purge.VerifiedNamespace, receipt.Verified)
	require.Equal(t, before, c.keys())

	receipt, err = run(t, files, job(func(*jobs.Job) {}), &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, purge.VerifiedNamespace, receipt.Verified)
	require.Contains(t, strings.Join(receipt.Notes, "\n"), "whoever lives in its locations")
	require.NotContains(t, c.keys(), "s3://warehouse/db/dropped/metadata/m.stats")
}

// Without the right to list, a root that is gone looks like one that may not be read,
// and the purge deletes it once more.
func TestARootThatIsHiddenIsAskedForToo(t *testing.T) {
	t.Parallel()
	c := newCouncil(t, ownership.Namespace)
	table, _ := c.write(icebergtable.Options{})
	c.register(table.MetadataLocation, "zoo", "t")
	c.server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "GetObject" {
			return &s3test.Fault{Status: 403, Code: "AccessDenied"}
		}
		return nil
	})
	begun, err := json.Marshal(map[string]any{"uuid": table.UUID, "metadata_location": table.MetadataLocation, "level": 5})
	require.NoError(t, err)
	c.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind == standin.LoadTable {
			return &standin.Fault{Call: func() { c.server.Fault(nil) }}
		}
		return nil
	})
	_, err = run(t, c.tables(), jobFor(table.UUID, table.MetadataLocation), jobtest.After(begun))
	require.ErrorContains(t, err, "belong to the live table zoo.t")
	require.Contains(t, c.keys(), table.MetadataLocation)
}

func TestPurgesThatAskNeedSomebodyToAsk(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	cfg := y.config(purge.Policy{})
	cfg.Catalogs[0].Policy.Verify = ""
	_, err := purge.New(cfg)
	require.ErrorContains(t, err, `catalog lake: purge: verify is "namespace", and there is nobody to ask`)
	cfg.Catalogs[0].Policy.Verify = "somewhere"
	_, err = purge.New(cfg)
	require.ErrorContains(t, err, `verify is "somewhere"`)
}

func errorIsOutage(err error) bool { return errors.Is(err, jobs.ErrUnavailable) }

// living is a view as the catalog has it.
type living struct{ uuid, location string }

func (c *council) view(levels ...string) living {
	c.t.Helper()
	client, err := polaris.New(polaris.Config{URI: c.URI(), Warehouse: "lake", Credential: secret.String(standin.RootID + ":" + standin.RootSecret)})
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, client.Close()) }()
	last := len(levels) - 1
	view, err := client.DescribeView(c.t.Context(), polaris.Identifier{Namespace: levels[:last], Name: levels[last]}, "")
	require.NoError(c.t, err)
	return living{uuid: view.UUID, location: view.Locations[0]}
}
