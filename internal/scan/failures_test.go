package scan_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/scan"
	"deckhand/internal/standin"
	"deckhand/jobs"
)

func identifier(namespace ...string) polaris.Identifier {
	last := len(namespace) - 1
	return polaris.Identifier{Namespace: namespace[:last], Name: namespace[last]}
}

// failOn answers requests of a kind whose path ends so.
func failOn(kind standin.Kind, suffix string, f standin.Fault) standin.FaultFunc {
	return func(_ int64, k standin.Kind, r *http.Request) *standin.Fault {
		if k != kind || !strings.HasSuffix(r.URL.Path, suffix) {
			return nil
		}
		return &f
	}
}

var broken = standin.Fault{Status: http.StatusInternalServerError, Type: "RuntimeException", Message: "it is broken"}

func TestACatalogThatIsDownDoesNotStopAnother(t *testing.T) {
	t.Parallel()
	y := newYard(t, func(c *scan.Config) {
		down, err := polaris.New(polaris.Config{URI: "http://127.0.0.1:1/api/catalog", Warehouse: "down", Retries: -1})
		require.NoError(t, err)
		c.Catalogs = append(c.Catalogs, scan.Catalog{Realm: "POLARIS", Name: "down", Client: down})
	})
	y.table(in("n", "t"), 9*day, time.Hour)
	y.attach(policy("keep5", fiveDays), standin.Target{})
	for range 2 {
		summary, err := y.scanner.Scan(t.Context())
		require.NoError(t, err)
		require.Empty(t, summary.Catalogs[0].Error)
		require.Contains(t, summary.Catalogs[1].Error, "list the topmost namespaces")
		require.True(t, summary.Catalogs[1].Passing)
		require.True(t, summary.Passing())
		require.False(t, summary.NeedsPerson())
	}
	require.Len(t, y.queued(), 1)
	require.Equal(t, 1, strings.Count(y.log.String(), "catalog could not be looked through"), y.log)
}

func TestWhatIsWrongIsCountedEachTimeAndLoggedWhenItBegins(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	for _, name := range []string{"good", "broken", "policed"} {
		y.table(in("n", name), 9*day, time.Hour)
	}
	y.attach(policy("keep5", fiveDays), standin.Target{})
	target := standin.Target{Namespace: []string{"n"}, Table: "policed"}
	wrong := policy("wrong", `{"version":"2025-02-03","enable":true,"config":{"max-snapshot-agee":"5d"}}`)
	y.attach(wrong, target)
	y.server.Fault(failOn(standin.LoadTable, "/tables/broken", broken))

	logged := func(text string) int { return strings.Count(y.log.String(), text) }
	found := y.scan()
	require.Equal(t, 1, found.Failed)
	require.Equal(t, 1, found.Problems)
	require.Equal(t, 1, found.Published(), "the rest goes on")
	require.True(t, (&scan.Summary{Catalogs: []scan.CatalogSummary{found}}).NeedsPerson())
	require.Equal(t, 1, logged("table could not be loaded"))
	require.Equal(t, 1, logged("policy is not carried out"))
	require.Equal(t, 1, logged(`max-snapshot-agee`), y.log)

	found = y.scan()
	require.Equal(t, 1, found.Failed)
	require.Equal(t, 1, found.Problems)
	require.Equal(t, 1, logged("table could not be loaded"))
	require.Equal(t, 1, logged("policy is not carried out"))

	// It is over.
	y.server.Fault(nil)
	require.NoError(t, y.server.Detach(wrong, target))
	y.pass(2 * time.Hour)
	found = y.scan()
	require.Zero(t, found.Failed)
	require.Zero(t, found.Problems)
	require.Equal(t, 2, found.Published())

	// And comes back.
	y.server.Fault(failOn(standin.LoadTable, "/tables/broken", broken))
	y.scan()
	require.Equal(t, 2, logged("table could not be loaded"))
}

func TestAnIncompleteListingForgetsNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("a", "t"), time.Hour)
	y.table(in("b", "t"), time.Hour)
	require.Equal(t, 2, y.scan().Tables)
	y.server.Fault(failOn(standin.ListTables, "/namespaces/b/tables", standin.Fault{Status: http.StatusBadRequest, Type: "BadRequestException", Message: "no"}))
	found := y.scan()
	require.Equal(t, 1, found.Tables)
	require.Equal(t, 1, found.Failed)
	y.server.Fault(nil)
	require.Equal(t, 2, y.scan().Unchanged)
}

// hiding is a client that does not list a table.
type hiding struct {
	scan.Client
	hidden string
}

func (h *hiding) Tables(ctx context.Context, namespace []string) iter.Seq2[polaris.Identifier, error] {
	return func(yield func(polaris.Identifier, error) bool) {
		for id, err := range h.Client.Tables(ctx, namespace) {
			if id.Name != h.hidden && !yield(id, err) {
				return
			}
		}
	}
}

func TestATableThatVanishesIsForgotten(t *testing.T) {
	t.Parallel()
	client := &hiding{}
	y := newYard(t, func(c *scan.Config) {
		client.Client = c.Catalogs[0].Client
		c.Catalogs[0].Client = client
	})
	y.table(in("n", "a"), time.Hour)
	y.table(in("n", "b"), time.Hour)
	y.scan()
	require.Equal(t, 2, y.scan().Unchanged)
	client.hidden = "b"
	require.Equal(t, 1, y.scan().Unchanged)
	client.hidden = ""
	found := y.scan()
	require.Equal(t, 2, found.Tables)
	require.Equal(t, 1, found.Unchanged, "the other one is new")
	require.Equal(t, 1, found.PolicyCalls)
}

func TestATableThatIsDroppedMeanwhileIsNoFailure(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), 9*day, time.Hour)
	y.server.Fault(failOn(standin.LoadTable, "/tables/t", standin.Fault{Status: http.StatusNotFound, Type: "NoSuchTableException", Message: "Table does not exist: n.t"}))
	found := y.scan()
	require.Equal(t, 1, found.Gone)
	require.Zero(t, found.Failed)
	require.NotContains(t, y.log.String(), "level=WARN")
}

func TestACatalogThatDoesNotAnswerIsGivenUpSoon(t *testing.T) {
	t.Parallel()
	y := newYard(t, func(c *scan.Config) { c.Parallel = 1 })
	for i := range 50 {
		y.table(in("n", fmt.Sprintf("t%02d", i)), 9*day, time.Hour)
	}
	y.attach(policy("keep5", fiveDays), standin.Target{})
	y.server.Fault(func(_ int64, kind standin.Kind, r *http.Request) *standin.Fault {
		if kind != standin.LoadTable || strings.HasSuffix(r.URL.Path, "/t00") {
			return nil
		}
		return &standin.Fault{Status: http.StatusServiceUnavailable}
	})
	found := y.scan()
	require.Contains(t, found.Error, "the catalog does not answer")
	require.True(t, found.Passing)
	require.Less(t, y.server.Count(standin.LoadTable), int64(10))
	require.Equal(t, 1, found.Kinds[jobs.Expire].Due)
	require.Equal(t, 1, found.Published(), "what was found is due all the same")
	require.Len(t, y.queued(), 1)
}

func TestACatalogThatDoesNotTellPoliciesEitherIsAskedOnceMore(t *testing.T) {
	t.Parallel()
	y := newYard(t, func(c *scan.Config) { c.Parallel = 1 })
	for i := range 10 {
		y.table(in("n", fmt.Sprintf("t%02d", i)), 9*day, time.Hour)
	}
	y.attach(policy("keep5", fiveDays), standin.Target{})
	loaded := 0
	y.server.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind == standin.LoadTable {
			loaded++
		}
		if loaded > 3 && (kind == standin.LoadTable || kind == standin.ApplicablePolicies) {
			return &standin.Fault{Status: http.StatusServiceUnavailable}
		}
		return nil
	})
	found := y.scan()
	require.Contains(t, found.Error, "the catalog does not answer")
	require.NotContains(t, found.Error, "\n")
	require.True(t, found.Passing)
	require.Equal(t, 3, found.Kinds[jobs.Expire].Due)
	require.Zero(t, found.Published())
	require.EqualValues(t, 4, y.server.Count(standin.ApplicablePolicies))
}

func TestDamagedTablesInARowDoNotEndTheScan(t *testing.T) {
	t.Parallel()
	y := newYard(t, func(c *scan.Config) { c.Parallel = 1 })
	for i := range 10 {
		y.table(in("n", fmt.Sprintf("t%02d", i)), 9*day, time.Hour)
	}
	y.attach(policy("keep5", fiveDays), standin.Target{})
	y.server.Fault(func(_ int64, kind standin.Kind, r *http.Request) *standin.Fault {
		if kind != standin.LoadTable || strings.HasSuffix(r.URL.Path, "/t00") || strings.HasSuffix(r.URL.Path, "/t09") {
			return nil
		}
		return &standin.Fault{Status: http.StatusServiceUnavailable, Type: "RuntimeIOException", Message: "Failed to read file: f"}
	})
	found := y.scan()
	require.Empty(t, found.Error)
	require.Equal(t, 10, found.Tables)
	require.Equal(t, 8, found.Failed)
	require.Zero(t, found.Unavailable)
	require.Equal(t, 2, found.Published())
	require.Contains(t, y.log.String(), "cannot read the table's metadata file")
	require.True(t, (&scan.Summary{Catalogs: []scan.CatalogSummary{found}}).NeedsPerson())
}

func TestACatalogWithoutPoliciesSaysSoInOneSentence(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	plain := standin.Start(t, standin.Options{Anonymous: true, Catalogs: []standin.Catalog{{Name: "lake", Location: "file://" + y.Warehouse()}}})
	for i := range 20 {
		table := in("n", fmt.Sprintf("t%d", i))
		y.table(table, 9*day, time.Hour)
		require.NoError(t, plain.Register(t.Context(), table, y.server.MetadataLocation(t.Context(), table)))
	}
	y.cfg.Catalogs[0].Client = y.client(func(c *polaris.Config) { c.URI = plain.URI() })
	scanner, err := scan.New(y.cfg)
	require.NoError(t, err)
	summary, err := scanner.Scan(t.Context())
	require.NoError(t, err)
	require.Contains(t, summary.Catalogs[0].Error, "the catalog has no policies")
	require.NotContains(t, summary.Catalogs[0].Error, "\n")
	require.True(t, summary.NeedsPerson())
	require.Equal(t, 1, strings.Count(y.log.String(), "level=WARN"), y.log)
}

func TestWrongAccessEndsTheCatalogAtOnce(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.cfg.Catalogs[0].Client = y.client(func(c *polaris.Config) { c.Credential = "maint:wrong" })
	scanner, err := scan.New(y.cfg)
	require.NoError(t, err)
	summary, err := scanner.Scan(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, summary.Catalogs[0].Error)
	require.False(t, summary.Passing())
	require.True(t, summary.NeedsPerson())
}

func TestAQueueThatTakesNothingEndsThePublishing(t *testing.T) {
	t.Parallel()
	asked := 0
	y := newYard(t, func(c *scan.Config) {
		c.Publish = func(context.Context, *jobs.Job) (jobs.Publication, error) {
			asked++
			return jobs.Publication{}, fmt.Errorf("publish: %w", jobs.ErrQueueFull)
		}
	})
	y.table(in("n", "a"), 9*day, time.Hour)
	y.table(in("n", "b"), 9*day, time.Hour)
	y.attach(policy("keep5", fiveDays), standin.Target{})
	found := y.scan()
	require.Contains(t, found.Error, jobs.ErrQueueFull.Error())
	require.True(t, found.Passing)
	require.Equal(t, 1, asked)
}

func TestATableOfWhichNoJobCanBeMadeDoesNotStopTheRest(t *testing.T) {
	t.Parallel()
	y := newYard(t, func(c *scan.Config) {
		publish := c.Publish
		c.Publish = func(ctx context.Context, job *jobs.Job) (jobs.Publication, error) {
			if job.Table == "a" {
				return jobs.Publication{}, fmt.Errorf("check job: %w", &jobs.FieldError{Field: "table", Reason: "it is too long"})
			}
			return publish(ctx, job)
		}
	})
	y.table(in("n", "a"), 9*day, time.Hour)
	y.table(in("n", "b"), 8*day, time.Hour)
	y.attach(policy("keep5", fiveDays), standin.Target{})
	found := y.scan()
	require.Empty(t, found.Error)
	require.Equal(t, 1, found.Failed)
	require.Equal(t, 1, found.Published())
}

func TestAScanEndsWithItsContext(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), 9*day, time.Hour)
	ctx, cancel := context.WithCancelCause(t.Context())
	y.server.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind != standin.LoadTable {
			return nil
		}
		return &standin.Fault{Hang: true, Call: func() { cancel(fmt.Errorf("the lease is lost")) }}
	})
	_, err := y.scanner.Scan(ctx)
	require.ErrorContains(t, err, "the lease is lost")
	require.NotContains(t, y.log.String(), "level=WARN")
}
