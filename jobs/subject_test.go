package jobs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func purgeJob() *Job {
	return &Job{
		Version: 1, ID: "01JD8ZK3W9QJ5V7B2N4M6P8R0T", Kind: Purge, Realm: "POLARIS", Catalog: "lake",
		Namespace: []string{"sales", "eu"}, Table: "orders", TableUUID: "6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b",
		MetadataLocation: "s3://lake/sales/eu/orders/metadata/00012-a.metadata.json",
	}
}

func TestTokensWithAnyBytesComeBackUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := string(rapid.SliceOf(rapid.Byte()).Draw(t, "raw"))
		token := EscapeToken(raw)
		require.NotContains(t, token, ".")
		for _, c := range token {
			legal := strings.ContainsRune("-/_=.", c) || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
			require.True(t, legal, "illegal in a KV key: %q", c)
		}
		back, err := UnescapeToken(token)
		require.NoError(t, err)
		require.Equal(t, raw, back)
	})
}

func TestNamespaceLevelsStayApartFromDotsInsideNames(t *testing.T) {
	t.Parallel()
	two, dotted := purgeJob(), purgeJob()
	two.Namespace, dotted.Namespace = []string{"a", "b"}, []string{"a.b"}
	require.Equal(t, "jobs.purge.POLARIS.lake.a/b.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b", two.Subject())
	require.Equal(t, "jobs.purge.POLARIS.lake.a=2Eb.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b", dotted.Subject())
}

func TestOddNamesMakeSubjectsWithSevenTokens(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.b", "a b", "a/b", "größe", "*", ">", "=", "$SYS", "a\x00b", "."} {
		job := purgeJob()
		job.Table, job.Namespace, job.Catalog, job.Realm = name, []string{name}, name, name
		require.Len(t, strings.Split(job.Subject(), "."), 7, name)
		require.NotContains(t, job.Subject(), "*")
		require.NotContains(t, job.Subject(), ">")
		require.NoError(t, job.CheckSubject(job.Subject()))
	}
}

func TestLongNamesAreShortenedAndStayDistinct(t *testing.T) {
	t.Parallel()
	long, other := purgeJob(), purgeJob()
	long.Table, other.Table = strings.Repeat("x", 2000), strings.Repeat("x", 2000)+"y"
	require.Less(t, len(long.Tail()), maxTail)
	require.Contains(t, long.Tail(), ".=~")
	require.NotEqual(t, long.Tail(), other.Tail())
	require.NoError(t, long.Validate())

	unfit := purgeJob()
	unfit.Catalog = strings.Repeat("c", 2000)
	require.ErrorContains(t, unfit.Validate(), "field catalog")
}

func TestLockKeyHasNoKindAndEndsInTheUUIDOfWhatWasDropped(t *testing.T) {
	t.Parallel()
	table, view := purgeJob(), purgeJob()
	view.Kind = PurgeView
	require.Equal(t, "table.POLARIS.lake.sales/eu.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b", table.LockKey())
	require.Equal(t, table.LockKey(), view.LockKey())
}

// Where a purge keeps its names in full, so do its shards and its finish: what
// they say after the kind must be the same, or they could not find each other.
func TestThePartsOfAPurgeAreNamedAfterItWhateverTheirLengths(t *testing.T) {
	t.Parallel()
	for _, length := range []int{1, 900, 910, 911, 912, 915, 920, 930, 2000} {
		purge := purgeJob()
		purge.Table = strings.Repeat("t", length)
		shard, finish := *purge, *purge
		shard.Kind, shard.Shard = PurgeShard, 7
		finish.Kind = PurgeFinish
		base := strings.TrimPrefix(purge.Tail(), "purge.")
		require.Equal(t, "purge-shard."+base+".0007", shard.Tail())
		require.Equal(t, "purge-finish."+base, finish.Tail())
		for _, job := range []*Job{purge, &shard, &finish} {
			require.NoError(t, job.Validate())
			require.NoError(t, job.CheckSubject(job.Subject()))
			require.Equal(t, base, job.ShardBase())
			require.Equal(t, 25, job.Kind.MaxAttempts())
		}
		require.Equal(t, purge.LockKey(), finish.LockKey(), "a finish and its purge exclude each other")
		require.Equal(t, purge.LockKey()+".0007", shard.LockKey(), "shards run side by side")
	}
	shard := purgeJob()
	shard.Kind = PurgeShard
	for number, valid := range map[int]bool{-1: false, 0: false, 1: true, MaxShards: true, MaxShards + 1: false} {
		shard.Shard = number
		require.Equal(t, valid, shard.Validate() == nil, number)
	}
	shard.Shard, shard.TableUUID, shard.EntityID = 12345, "", "4711"
	require.True(t, strings.HasSuffix(shard.Subject(), ".4711.12345"))
}

func TestDroppingTheSameNameAgainIsAnotherSubject(t *testing.T) {
	t.Parallel()
	first, second := purgeJob(), purgeJob()
	second.TableUUID = "00000000-0000-0000-0000-000000000002"
	require.NotEqual(t, first.Subject(), second.Subject())

	withoutUUID := purgeJob()
	withoutUUID.TableUUID, withoutUUID.EntityID = "", "4711"
	require.True(t, strings.HasSuffix(withoutUUID.Subject(), ".orders.4711"))
}

func TestTablesReadAsTheyAreTyped(t *testing.T) {
	t.Parallel()
	namespace, table, err := ParseTable("sales.e=2Eu.orders")
	require.NoError(t, err)
	require.Equal(t, []string{"sales", "e.u"}, namespace)
	require.Equal(t, "orders", table)
	require.Equal(t, "sales.e=2Eu.orders", FormatTable(namespace, table))

	for text, problem := range map[string]string{
		"orders": "no namespace", "a..b": "empty level", ".b": "empty level", "a.b=": "=3D", "a.b=zz": "=3D",
	} {
		_, _, err := ParseTable(text)
		require.ErrorContains(t, err, problem, text)
	}
}

// One job per table and kind is what a scan wants, so nothing follows the table;
// and every kind of maintenance waits for the same lease.
func TestMaintenanceOfATableIsOneSubjectWhateverItsUUID(t *testing.T) {
	t.Parallel()
	first, second := purgeJob(), purgeJob()
	first.Kind, second.Kind = Expire, Expire
	second.TableUUID, second.MetadataLocation = "", ""
	require.NoError(t, second.Validate())
	require.Equal(t, "jobs.expire.POLARIS.lake.sales/eu.orders", first.Subject())
	require.Equal(t, first.Subject(), second.Subject())
	require.Equal(t, "table.POLARIS.lake.sales/eu.orders", second.LockKey())
	require.Equal(t, 8, Expire.MaxAttempts())

	for _, kind := range []Kind{Orphans, Manifests} {
		other := *first
		other.Kind = kind
		require.Equal(t, "jobs."+string(kind)+".POLARIS.lake.sales/eu.orders", other.Subject())
		require.Equal(t, first.LockKey(), other.LockKey())
		require.Equal(t, 8, kind.MaxAttempts())
		require.False(t, kind.PurgesDropped())
	}
}
