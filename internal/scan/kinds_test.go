package scan_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	maintenance "deckhand/internal/policy"
	"deckhand/internal/pulltest"
	"deckhand/internal/receipt"
	"deckhand/internal/scan"
	"deckhand/internal/secret"
	"deckhand/internal/standin"
	"deckhand/jobs"
	"deckhand/jobs/manifests"
	"deckhand/jobs/orphans"
)

const (
	orphansSubject   = "jobs.orphans.POLARIS.lake.n.t"
	manifestsSubject = "jobs.manifests.POLARIS.lake.n.t"
	on               = `{"version":"2025-02-03","enable":true}`
)

func (y *yard) attachKind(kind maintenance.Kind, content string) {
	y.t.Helper()
	y.attach(pulltest.Policy(kind, string(kind), content), standin.Target{})
}

// sequence is the order in which the jobs were published.
func (y *yard) sequence() []string {
	y.t.Helper()
	stream, err := y.js.Stream(y.t.Context(), jobs.StreamName)
	require.NoError(y.t, err)
	var subjects []string
	for i := stream.CachedInfo().State.FirstSeq; i <= stream.CachedInfo().State.LastSeq; i++ {
		msg, err := stream.GetMsg(y.t.Context(), i)
		require.NoError(y.t, err)
		subjects = append(subjects, msg.Subject)
	}
	return subjects
}

func TestATableThatNeedsSeveralKindsGetsAJobOfEachTheExpiryFirst(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), 9*day, 8*day, time.Hour)
	y.attachKind(jobs.Expire, fiveDays)
	y.attachKind(jobs.Orphans, `{"version":"2025-02-03","enable":true,"max_orphan_file_age_in_days":5,"config":{"quarantine":"14d"}}`)
	y.attachKind(jobs.Manifests, `{"version":"2025-02-03","enable":true,"config":{"min-commits":3,"dry-run":true}}`)
	y.attachKind(maintenance.CompactKind, on)

	found := y.scan()
	require.Equal(t, 3, found.Published(), "compaction has no worker")
	require.Equal(t, []string{subject, manifestsSubject, orphansSubject}, y.sequence())
	require.JSONEq(t, `{"older-than":"5d","quarantine":"14d"}`, string(y.job(orphansSubject).Params))
	require.JSONEq(t, `{"min-commits":3,"dry-run":true}`, string(y.job(manifestsSubject).Params))
	require.True(t, y.job(manifestsSubject).DryRun)
	require.Equal(t, y.job(subject).LockKey(), y.job(orphansSubject).LockKey(), "one after the other")

	found = y.scan()
	for _, kind := range []jobs.Kind{jobs.Expire, jobs.Orphans, jobs.Manifests} {
		require.Equal(t, scan.KindCounts{Waiting: 1}, found.Kinds[kind], kind)
	}
	// What became of one says nothing about the others.
	y.end(orphansSubject, jobs.Completed, `{}`)
	require.Empty(t, y.scan().Kinds[jobs.Orphans])
	require.Equal(t, scan.KindCounts{Waiting: 1}, y.scan().Kinds[jobs.Expire])
}

func (y *yard) ended(t *testing.T, subject string, did any) {
	t.Helper()
	encoded, err := json.Marshal(did)
	require.NoError(t, err)
	y.end(subject, jobs.Completed, string(encoded))
}

func searched(t *testing.T, content string) *yard {
	t.Helper()
	y := newYard(t, nil)
	y.table(in("n", "t"), 100*day)
	y.attachKind(jobs.Orphans, content)
	require.Equal(t, 1, y.scan().Published())
	return y
}

func counts(files, bytes int64) receipt.Counts {
	return receipt.Counts{receipt.Data: {Files: files, Bytes: bytes}}
}

func TestASearchThatLeftFilesIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	y := searched(t, on)
	y.ended(t, orphansSubject, orphans.Receipt{Deleted: counts(10, 1<<30), Kept: receipt.KeptFiles{orphans.BeyondCap: {Counts: counts(3, 3)}}})
	require.Zero(t, y.scan().Published())
	y.pass(time.Hour + time.Minute)
	require.Equal(t, 1, y.scan().Published())
	y.ended(t, orphansSubject, orphans.Receipt{Deleted: counts(10, 1<<30), Kept: receipt.KeptFiles{orphans.Young: {Counts: counts(3, 3)}}})
	y.pass(20 * time.Hour)
	require.Zero(t, y.scan().Published())
}

func TestTheLessASearchFreesTheLaterIsTheNext(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		did  orphans.Receipt
		next time.Duration
	}{
		"nothing":                        {orphans.Receipt{}, 14 * day},
		"as much as is meant":            {orphans.Receipt{Deleted: counts(1, 1<<30)}, 7 * day},
		"moved":                          {orphans.Receipt{Moved: counts(1, 1<<30)}, 7 * day},
		"only what was moved before":     {orphans.Receipt{Deleted: counts(1, 1<<30), Emptied: receipt.Count{Files: 1, Bytes: 1 << 30}}, 14 * day},
		"a dry run, which frees nothing": {orphans.Receipt{DryRun: true, Deleted: counts(1, 1<<40)}, 14 * day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := searched(t, on)
			y.ended(t, orphansSubject, test.did)
			y.pass(test.next - time.Hour)
			require.Zero(t, y.scan().Published())
			y.pass(2 * time.Hour)
			require.Equal(t, 1, y.scan().Published())
		})
	}
}

func TestASearchComesBackToEmptyTheTrash(t *testing.T) {
	t.Parallel()
	y := searched(t, `{"version":"2025-02-03","enable":true,"config":{"quarantine":"2d"}}`)
	y.ended(t, orphansSubject, orphans.Receipt{Moved: counts(1, 1)})
	y.pass(2*day - time.Hour)
	require.Zero(t, y.scan().Published())
	y.pass(2 * time.Hour)
	require.Equal(t, 1, y.scan().Published())
}

func TestManifestsAreDueAgainAfterSoManyCommitsThatCameSince(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), 9*day, 8*day, 7*day, time.Hour) // sequence numbers 1 to 4
	y.attachKind(jobs.Manifests, `{"version":"2025-02-03","enable":true,"config":{"min-commits":3}}`)
	require.Equal(t, 1, y.scan().Published())
	y.ended(t, manifestsSubject, manifests.Receipt{SnapshotID: "1", LastSequenceNumber: 2})
	y.pass(2 * time.Hour)
	require.Zero(t, y.scan().Published(), "two commits came since")
	kinds, err := y.scanner.Explain(t.Context(), "POLARIS", "lake", identifier("n", "t"))
	require.NoError(t, err)
	require.Equal(t, "2 commits since the last rewrite; 3 make it due", kinds[2].Why)

	other := newYard(t, nil)
	other.table(in("n", "t"), 9*day, 8*day, 7*day, time.Hour)
	other.attachKind(jobs.Manifests, `{"version":"2025-02-03","enable":true,"config":{"min-commits":3}}`)
	require.Equal(t, 1, other.scan().Published())
	other.ended(t, manifestsSubject, manifests.Receipt{LastSequenceNumber: 1}) // it found nothing worth it
	other.pass(time.Hour + time.Minute)
	require.Zero(t, other.scan().Published(), "a job that changed nothing is followed later")
	other.pass(time.Hour)
	require.Equal(t, 1, other.scan().Published())
}

func TestATableThatIsHeldByADeadLetterIsSaid(t *testing.T) {
	t.Parallel()
	y := searched(t, on)
	_, err := y.js.Publish(t.Context(), jobs.DeadSubjectPrefix+y.job(orphansSubject).Tail(), []byte("{}"))
	require.NoError(t, err)
	y.end(orphansSubject, jobs.Dead, "")
	require.Equal(t, scan.KindCounts{DeadLetters: 1}, y.scan().Kinds[jobs.Orphans])
}

func TestWhatMayNotBeListedIsSaidNotToBeCounted(t *testing.T) {
	t.Parallel()
	y := newYard(t, nil)
	y.table(in("n", "t"), time.Hour)
	require.NoError(t, y.server.AddView(in("n", "v")))
	found := y.scan()
	require.Empty(t, found.Uncounted)
	require.Equal(t, 1, found.Views)

	less, err := y.server.CreatePrincipal("less", "lake", "TABLE_WRITE_DATA", "NAMESPACE_LIST")
	require.NoError(t, err)
	y.cfg.Catalogs[0].Client = y.client(func(c *polaris.Config) { c.Credential = secret.String(less) })
	y.restart()
	found = y.scan()
	require.Equal(t, []string{"views: VIEW_READ_PROPERTIES is missing"}, found.Uncounted)
	require.Zero(t, found.Views)
	require.False(t, (&scan.Summary{Catalogs: []scan.CatalogSummary{found}}).NeedsPerson())
}
