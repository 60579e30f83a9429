package polaris_test

import (
	"encoding/json"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

// gather reads a list to its end.
func gather[T any](t testing.TB, list iter.Seq2[T, error]) []T {
	t.Helper()
	var found []T
	for one, err := range list {
		require.NoError(t, err)
		found = append(found, one)
	}
	return found
}

func TestListsAreReadWholeWithPagesOrWithout(t *testing.T) {
	t.Parallel()
	const paged = "pageSize=500&pageToken="
	p := play(t, token(t), configOf(t, "filecat"),
		recorded(t, "03-namespaces", "list top level").asking(paged),
		recorded(t, "03-namespaces", "list parent a%1Fb").asking(paged+"&parent=a%1Fb"),
		recorded(t, "03-pagination", "page 1, pageSize=2").asking(paged),
		recorded(t, "03-pagination", "page 2").asking(paged+"OikKAfqAcMSAdvqAdEBlgGklAUYxK1gUBiNCoPv7"),
		recorded(t, "03-pagination", "page 3").asking(paged+"OikKAfqAcMSAdvqAdEBlgGklAkhtGhY-J0cRsPv7"),
	)
	c := connect(t, p, "filecat")
	require.Equal(t, [][]string{{"dot.ted"}, {"o'clock"}, {"a"}, {"a&b=c"}, {"per%cent"}, {"größe_数据"}}, gather(t, c.Namespaces(t.Context(), nil)))
	require.Equal(t, [][]string{{"a", "b", "c"}}, gather(t, c.Namespaces(t.Context(), []string{"a", "b"})))
	require.Equal(t, [][]string{{"pa"}, {"pc"}, {"pe"}, {"pd"}, {"pb"}}, gather(t, c.Namespaces(t.Context(), nil)))
}

func TestViewsAndGenericTablesAreListed(t *testing.T) {
	t.Parallel()
	const paged = "pageSize=500&pageToken="
	p := play(t, token(t), configOf(t, "s3cat"),
		recorded(t, "09-views", "list").asking(paged), recorded(t, "08-generic-tables", "list").asking(paged))
	c := connect(t, p, "s3cat")
	require.Equal(t, []polaris.Identifier{in("v1", "v")}, gather(t, c.Views(t.Context(), []string{"v"})))
	require.Equal(t, []polaris.Identifier{in("g1", "g"), in("g2", "g"), in("g4", "g")}, gather(t, c.GenericTables(t.Context(), []string{"g"})))
}

func TestAnUnchangedTableCostsOneRequestAndNoBody(t *testing.T) {
	t.Parallel()
	p := play(t, token(t), configOf(t, "s3cat"), recorded(t, "04-tables", "load If-None-Match: same ETag").asking("snapshots=all"))
	loaded, err := connect(t, p, "s3cat").Load(t.Context(), in("t1", "n"),
		polaris.LoadOptions{ETag: `W/"8b3528020f122a39d5ed6a8a8f8fb0426408f77bc23f7fc9424bd8348a40068b"`})
	require.NoError(t, err)
	require.Equal(t, &polaris.Loaded{NotModified: true}, loaded)
}

func TestALoadHasTheTableAndItsETagAsItWasWritten(t *testing.T) {
	t.Parallel()
	p := play(t, token(t), configOf(t, "s3cat"),
		recorded(t, "04-tables", "load of a table with three snapshots (snapshots=all)").asking("snapshots=all"))
	loaded, err := connect(t, p, "s3cat").Load(t.Context(), in("r", "x"), polaris.LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, `W/"c3a0bab5d3ef56237cf9995ec811d681af065ec7906c94b640cfb814ead5b4d7"`, loaded.ETag)
	require.Len(t, loaded.Metadata.Snapshots, 3)
	require.EqualValues(t, 311243121016533426, loaded.Metadata.CurrentSnapshotID, "ids are whole numbers of 63 bits")
	require.Nil(t, loaded.RawMetadata)
}

func TestAnAnswerWithTheHeadsOfRefsAloneIsRefused(t *testing.T) {
	t.Parallel()
	p := play(t, token(t), configOf(t, "s3cat"),
		recorded(t, "04-tables", "load of a table with three snapshots, snapshots=refs").asking("snapshots=all"))
	_, err := connect(t, p, "s3cat").Load(t.Context(), in("r", "x"), polaris.LoadOptions{})
	require.ErrorIs(t, err, polaris.ErrPartial)
	require.ErrorIs(t, err, polaris.ErrRejected)
}

func TestVendedCredentialsComeWithConfigAndWithLocations(t *testing.T) {
	t.Parallel()
	p := play(t, token(t), configOf(t, "s3cat"),
		recorded(t, "04-tables", "load with vended-credentials (S3, STS)").asking("snapshots=all"))
	loaded, err := connect(t, p, "s3cat").Load(t.Context(), in("t1", "n"), polaris.LoadOptions{Vend: true, ETag: `W/"never sent with it"`})
	require.NoError(t, err)
	require.Equal(t, "us-west-2", loaded.Config["client.region"])
	require.Len(t, loaded.Credentials, 1)
	require.Equal(t, "s3://lab/wh/n/t1", loaded.Credentials[0].Prefix)
	require.Equal(t, "1795363944000", loaded.Credentials[0].Config["s3.session-token-expires-at-ms"])
}

func TestWhereNoCredentialsAreVendedTheTableIsLoadedWithoutThem(t *testing.T) {
	t.Parallel()
	without := recorded(t, "04-tables", "load of a table with three snapshots (snapshots=all)").asking("snapshots=all")
	refused := recorded(t, "04-tables", "load with vended-credentials, S3 without STS").asking("snapshots=all")
	without.Request.Path = refused.Request.Path
	p := play(t, token(t), configOf(t, "s3static"), refused, without)
	loaded, err := connect(t, p, "s3static").Load(t.Context(), in("u1", "n"), polaris.LoadOptions{Vend: true})
	require.NoError(t, err)
	require.Empty(t, loaded.Credentials)
	require.Len(t, loaded.Metadata.Snapshots, 3)
}

func TestATableOnFilesComesWithoutCredentials(t *testing.T) {
	t.Parallel()
	p := play(t, token(t), configOf(t, "filecat"), recorded(t, "04-tables", "load with vended-credentials, FILE").asking("snapshots=all"))
	loaded, err := connect(t, p, "filecat").Load(t.Context(), in("f1", "n"), polaris.LoadOptions{Vend: true})
	require.NoError(t, err)
	require.Empty(t, loaded.Credentials)
	require.Empty(t, loaded.Config)
}

func TestPoliciesOfATableComeWithTheirContentAsWritten(t *testing.T) {
	t.Parallel()
	p := play(t, token(t), configOf(t, "polcat"), recorded(t, "07-policies", "applicable at a.b.t: four types from four levels"))
	found, err := connect(t, p, "polcat").Policies(t.Context(), in("t", "a", "b"))
	require.NoError(t, err)
	require.Len(t, found, 4)
	byType := map[string]polaris.Policy{}
	for _, policy := range found {
		byType[policy.Type] = policy
	}
	require.Len(t, byType, 4)
	require.Equal(t, `{"enable": false}`, byType["system.snapshot-expiry"].Content)
	require.False(t, byType["system.snapshot-expiry"].Inherited)
	require.Equal(t, []string{"pol"}, byType["system.snapshot-expiry"].Namespace)
}

func TestAnAnswerWithoutTheListOfPoliciesIsNotTakenForNone(t *testing.T) {
	t.Parallel()
	p := play(t, token(t), configOf(t, "polcat"),
		recorded(t, "07-policies", "applicable at a.b.t: four types from four levels").answering(200, `{}`))
	_, err := connect(t, p, "polcat").Policies(t.Context(), in("t", "a", "b"))
	require.Error(t, err)
}

func TestLevelsAreJoinedByTheUnitSeparatorWhereTheServerNamesNone(t *testing.T) {
	t.Parallel()
	config := configOf(t, "filecat")
	config.Response.Body = json.RawMessage(strings.Replace(string(config.Response.Body), `"namespace-separator": "%1F",`, "", 1))
	require.NotContains(t, string(config.Response.Body), "separator")
	p := play(t, token(t), config, recorded(t, "03-namespaces", "list parent a%1Fb").asking("pageSize=500&pageToken=&parent=a%1Fb"))
	require.Len(t, gather(t, connect(t, p, "filecat").Namespaces(t.Context(), []string{"a", "b"})), 1)
}
