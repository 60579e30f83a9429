package scan_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	maintenance "deckhand/internal/policy"
	"deckhand/internal/scan"
	"deckhand/internal/standin"
	"deckhand/jobs"
)

func TestADueTableIsQueuedOnceAndNotAgainWhileItsJobWaits(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("sales", "orders"), 9*day, time.Hour)
	y.table(in("sales", "eu", "orders"), 8*day, time.Hour)
	y.table(in("sales", "young"), 2*day, time.Hour)
	y.attach(policy("keep5", fiveDays), standin.Target{})

	found := y.scan()
	require.Equal(t, scan.KindCounts{Due: 2, Published: 2}, found.Kinds[jobs.Expire])
	require.Equal(t, 3, found.Tables)
	require.Equal(t, 3, found.Namespaces, "sales, sales.eu and policies")
	require.Empty(t, found.Error)
	require.Equal(t, []string{"jobs.expire.POLARIS.lake.sales.orders", "jobs.expire.POLARIS.lake.sales/eu.orders"}, y.queued())
	job := y.job("jobs.expire.POLARIS.lake.sales.orders")
	require.Equal(t, "policy policies.keep5", job.RequestedBy)
	require.NotEmpty(t, job.TableUUID)
	require.JSONEq(t, `{"max-snapshot-age":"5d"}`, string(job.Params))
	require.False(t, job.DryRun)

	found = y.scan()
	require.Equal(t, scan.KindCounts{Waiting: 2}, found.Kinds[jobs.Expire])
	require.Equal(t, 3, found.Unchanged)
	require.Len(t, y.queued(), 2)
}

func TestAnotherProducersJobIsNotOurs(t *testing.T) {
	t.Parallel()
	y := newYard(t, func(c *scan.Config) { c.Queue = nil }) // does not see that it is queued
	y.table(in("n", "t"), 9*day, time.Hour)
	y.attach(policy("keep5", fiveDays), standin.Target{})
	require.Equal(t, scan.KindCounts{Due: 1, Published: 1}, y.scan().Kinds[jobs.Expire])
	require.Equal(t, scan.KindCounts{Due: 1, Queued: 1}, y.scan().Kinds[jobs.Expire])
	require.Len(t, y.queued(), 1)
}

func TestADryRunOfThePolicyIsOneOfTheJob(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), 9*day, time.Hour)
	y.attach(policy("try", `{"version":"2025-02-03","enable":true,"config":{"max-snapshot-age-days":5,"dry-run":true}}`), standin.Target{})
	require.Equal(t, 1, y.scan().Published())
	require.True(t, y.job("jobs.expire.POLARIS.lake.n.t").DryRun)
}

func TestAgeAloneMakesAnUnchangedTableDue(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), 4*day, time.Hour)
	y.attach(policy("keep5", fiveDays), standin.Target{})
	require.Zero(t, y.scan().Published())
	y.server.ResetCounts()
	y.pass(2 * day)
	found := y.scan()
	require.Equal(t, 1, found.Published())
	require.Equal(t, 1, found.Unchanged)
	require.EqualValues(t, 1, y.server.Count(standin.LoadTable, http.StatusNotModified))
	require.EqualValues(t, 1, y.server.Count(standin.LoadTable))
}

func TestATableThatIsSwitchedOffRightBeforeTheJobGetsNone(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), 9*day, time.Hour)
	y.attach(policy("keep5", fiveDays), standin.Target{})
	y.server.Fault(standin.OnNth(2, standin.ApplicablePolicies, standin.Fault{Call: func() {
		y.attach(policy("off", `{"version":"2025-02-03","enable":false}`), standin.Target{Namespace: []string{"n"}, Table: "t"})
	}}))
	require.Equal(t, scan.KindCounts{Due: 1, Withdrawn: 1}, y.scan().Kinds[jobs.Expire])
	require.Empty(t, y.queued())
}

func TestTheBudgetGoesToTheTablesInMostNeed(t *testing.T) {
	t.Parallel()
	y := newYard(t, func(c *scan.Config) { c.Budget = map[jobs.Kind]int{jobs.Expire: 2} })
	for i, age := range []time.Duration{7 * day, 20 * day, 6 * day, 30 * day, 10 * day} {
		y.table(in("n", fmt.Sprintf("t%d", i)), age, time.Hour)
	}
	y.attach(policy("keep5", fiveDays), standin.Target{})
	require.Equal(t, scan.KindCounts{Due: 5, Published: 2, OverBudget: 3}, y.scan().Kinds[jobs.Expire])
	const prefix = "jobs.expire.POLARIS.lake.n."
	require.Equal(t, []string{prefix + "t1", prefix + "t3"}, y.queued())
	require.Equal(t, scan.KindCounts{Due: 3, Published: 2, OverBudget: 1, Waiting: 2}, y.scan().Kinds[jobs.Expire])
	require.Equal(t, []string{prefix + "t0", prefix + "t1", prefix + "t3", prefix + "t4"}, y.queued())
}

func TestPoliciesAreAskedForAtMostOnceInARefresh(t *testing.T) {
	t.Parallel()
	const tables = 40
	y := newYard(t, nil)
	for i := range tables {
		y.table(in("n", fmt.Sprintf("t%d", i)), time.Hour)
	}
	y.attach(policy("keep5", fiveDays), standin.Target{})
	asked := func() int {
		y.server.ResetCounts()
		found := y.scan()
		require.EqualValues(t, found.PolicyCalls, y.server.Count(standin.ApplicablePolicies))
		require.EqualValues(t, tables, y.server.Count(standin.LoadTable))
		return found.PolicyCalls
	}
	require.Equal(t, tables, asked())
	require.Zero(t, asked())
	y.pass(time.Hour - time.Second)
	require.Zero(t, asked())
	y.pass(15 * time.Minute) // half of the time over which they are spread
	some := asked()
	require.Greater(t, some, tables/4)
	require.Less(t, some, tables*3/4)
	y.pass(16 * time.Minute)
	require.Equal(t, tables-some, asked())
	require.EqualValues(t, tables, y.server.Count(standin.LoadTable, http.StatusNotModified))
}

func TestViewsAndGenericTablesAreCountedAndNamed(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), time.Hour)
	require.NoError(t, y.server.AddView(in("n", "v")))
	require.NoError(t, y.server.AddGenericTable(in("n", "delta one"), "delta"))
	found := y.scan()
	require.Equal(t, 1, found.Tables)
	require.Equal(t, 1, found.GenericTables)
	require.Equal(t, []string{"n.delta one"}, found.Skipped)
	require.False(t, (&scan.Summary{Catalogs: []scan.CatalogSummary{found}}).NeedsPerson())
}

func TestExplainAsksEverythingAnewAndQueuesNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), 9*day, time.Hour)
	y.attach(policy("keep5", fiveDays), standin.Target{Namespace: []string{"n"}})
	explain := func() maintenance.Explanation {
		kinds, err := y.scanner.Explain(t.Context(), "POLARIS", "lake", identifier("n", "t"))
		require.NoError(t, err)
		require.Len(t, kinds, 4)
		require.False(t, kinds[1].Due)
		return kinds[0]
	}
	got := explain()
	require.True(t, got.Due)
	require.Equal(t, "keep5", got.Policy.Name)
	require.Equal(t, "inherited", got.Policy.From)
	require.Empty(t, y.queued())
	require.Equal(t, 1, y.scan().Published())
	got = explain()
	require.False(t, got.Due)
	require.Equal(t, "a job is queued already", got.Why)
}
