package polaris_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/jobs"
)

func TestAWrongSecretIsTold(t *testing.T) {
	t.Parallel()
	wrong := recorded(t, "01-oauth", "wrong secret")
	wrong.Request.Body = token(t).Request.Body
	_, err := connect(t, play(t, wrong), "filecat").Endpoints(t.Context())
	require.ErrorIs(t, err, polaris.ErrUnauthorized)
	require.ErrorContains(t, err, "secret")
	require.NotContains(t, err.Error(), secretText)
}

func TestAScopeThatIsNoneIsTold(t *testing.T) {
	t.Parallel()
	c := connect(t, play(t, recorded(t, "01-oauth", "invalid scope catalog")), "filecat", func(cfg *polaris.Config) { cfg.Scope = "catalog" })
	_, err := c.Endpoints(t.Context())
	require.ErrorIs(t, err, polaris.ErrUnauthorized)
	require.ErrorContains(t, err, "PRINCIPAL_ROLE:ALL")
}

func TestAnUnknownRealmIsTold(t *testing.T) {
	t.Parallel()
	c := connect(t, play(t, recorded(t, "01-oauth", "token request with an unknown realm")), "filecat", func(cfg *polaris.Config) { cfg.Realm = "NOWHERE" })
	_, err := c.Endpoints(t.Context())
	require.ErrorIs(t, err, polaris.ErrNoRealm)
	require.ErrorIs(t, err, polaris.ErrUnauthorized)
	require.ErrorContains(t, err, "realm")
}

func TestATokenEndpointThatIsDownIsAnOutage(t *testing.T) {
	t.Parallel()
	_, err := connect(t, play(t, recorded(t, "14-database-down", "token (database down)")), "filecat").Endpoints(t.Context())
	require.ErrorIs(t, err, polaris.ErrUnavailable)
	require.ErrorIs(t, err, jobs.ErrUnavailable)
	require.ErrorContains(t, err, "token endpoint")
}

func TestATokenThatIsNotTakenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	config := configOf(t, "filecat")
	refused := config
	refused.Response = recorded(t, "01-oauth", "call with garbage bearer").Response
	_, err := connect(t, play(t, token(t), refused, token(t), config), "filecat").Endpoints(t.Context())
	require.NoError(t, err)
	_, err = connect(t, play(t, token(t), refused, token(t), refused), "filecat").Endpoints(t.Context())
	require.ErrorIs(t, err, polaris.ErrUnauthorized)
}

func TestACatalogThatWantsATokenSaysSoToAClientWithoutCredential(t *testing.T) {
	t.Parallel()
	refused := configOf(t, "filecat")
	refused.Request.Headers = nil
	refused.Response = recorded(t, "01-oauth", "call with garbage bearer").Response
	c := connect(t, play(t, refused), "filecat", func(cfg *polaris.Config) { cfg.Credential = "" })
	_, err := c.Endpoints(t.Context())
	require.ErrorIs(t, err, polaris.ErrUnauthorized)
	require.ErrorContains(t, err, "credential_file")
}

func TestAnUnknownWarehouseIsNoCatalog(t *testing.T) {
	t.Parallel()
	_, err := connect(t, play(t, token(t), recorded(t, "02-config", "unknown warehouse")), "nosuch").Endpoints(t.Context())
	require.ErrorIs(t, err, polaris.ErrNoCatalog)
}

func TestAnAddressThatIsNoCatalogIsNotTakenForACatalogThatIsGone(t *testing.T) {
	t.Parallel()
	lost := configOf(t, "filecat").answering(404, `{"error":{"message":"Unable to find matching target resource method","type":"NotFoundException","code":404}}`)
	_, err := connect(t, play(t, token(t), lost), "filecat").Endpoints(t.Context())
	require.ErrorContains(t, err, "rest.uri")
	require.NotErrorIs(t, err, polaris.ErrNoCatalog)
}

// looks are the requests that make sure that a table which is not found is gone.
func looks(t testing.TB, warehouse, namespace, name string, viewStatus, genericStatus int) []exchange {
	view := recorded(t, "09-views", "load a view as a table")
	view.Request.Path = "/api/catalog/v1/" + warehouse + "/namespaces/" + namespace + "/views/" + name
	generic := recorded(t, "08-generic-tables", "load")
	generic.Request.Path = "/api/catalog/polaris/v1/" + warehouse + "/namespaces/" + namespace + "/generic-tables/" + name
	all := []exchange{configOf(t, warehouse), status(view, viewStatus)}
	if viewStatus == http.StatusNotFound {
		all = append(all, status(generic, genericStatus))
	}
	return all
}

func status(e exchange, code int) exchange {
	switch code {
	case http.StatusOK:
		return e.answering(code, `{}`)
	case http.StatusForbidden:
		return e.answering(code, `{"error":{"message":"Principal 'p' with activated PrincipalRoles '[r]' and activated grants via '[r]' is not authorized for op LOAD_VIEW","type":"ForbiddenException","code":403}}`)
	}
	return e.answering(code, `{"error":{"message":"does not exist","type":"NoSuchViewException","code":404}}`)
}

func TestATableIsGoneWhenNothingElseHasItsName(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		view, generic int
		want          error
		says          string
	}{
		"gone":                    {view: 404, generic: 404, want: polaris.ErrNotFound},
		"a view":                  {view: 200, want: polaris.ErrNotATable, says: "view"},
		"a view out of our sight": {view: 403, want: polaris.ErrNotATable, says: "view"},
		"a generic table":         {view: 404, generic: 200, want: polaris.ErrNotATable, says: "generic table"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			missing := recorded(t, "04-tables", "load missing table").asking("snapshots=all")
			all := append([]exchange{token(t), configOf(t, "s3cat"), missing}, looks(t, "s3cat", "n", "missing", test.view, test.generic)...)
			_, err := connect(t, play(t, all...), "s3cat").Load(t.Context(), in("missing", "n"), polaris.LoadOptions{})
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestATableOfACatalogThatIsGoneIsNotTakenForGone(t *testing.T) {
	t.Parallel()
	missing := recorded(t, "04-tables", "load missing table").asking("snapshots=all")
	again := recorded(t, "02-config", "unknown warehouse").asking("warehouse=s3cat")
	_, err := connect(t, play(t, token(t), configOf(t, "s3cat"), missing, again), "s3cat").Load(t.Context(), in("missing", "n"), polaris.LoadOptions{})
	require.ErrorIs(t, err, polaris.ErrNoCatalog)
	require.NotErrorIs(t, err, polaris.ErrNotFound)
}

func TestThe404OfAProxyIsAnOutage(t *testing.T) {
	t.Parallel()
	missing := recorded(t, "04-tables", "load missing table").asking("snapshots=all").answering(404, "<html>not here</html>")
	_, err := connect(t, play(t, token(t), configOf(t, "s3cat"), missing), "s3cat").Load(t.Context(), in("missing", "n"), polaris.LoadOptions{})
	require.ErrorIs(t, err, polaris.ErrUnavailable)
	require.NotErrorIs(t, err, polaris.ErrNotFound)
}

func TestAMissingPrivilegeIsNamedWithTheCallThatGrantsIt(t *testing.T) {
	t.Parallel()
	p := play(t, token(t), configOf(t, "s3cat"), recorded(t, "04-tables", "load with vended-credentials as propreader").asking("snapshots=all"))
	_, err := connect(t, p, "s3cat").Load(t.Context(), in("t1", "n"), polaris.LoadOptions{Vend: true})
	require.ErrorIs(t, err, polaris.ErrForbidden)
	var forbidden *polaris.ForbiddenError
	require.ErrorAs(t, err, &forbidden)
	require.Equal(t, "LOAD_TABLE_WITH_READ_DELEGATION", forbidden.Operation)
	require.Equal(t, "TABLE_WRITE_DATA", forbidden.Privilege)
	require.Equal(t, "propreader", forbidden.Principal)
	require.Contains(t, err.Error(), "PUT /api/management/v1/catalogs/s3cat/catalog-roles/")
	require.Contains(t, err.Error(), `{"grant":{"type":"catalog","privilege":"TABLE_WRITE_DATA"}}`)
}

func TestAScopeWithoutRolesShowsAsSuchInTheFirstRefusal(t *testing.T) {
	t.Parallel()
	refused := recorded(t, "07-policies", "as nopriv")
	refused.Response.Body = json.RawMessage(strings.NewReplacer("[nopriv_role]", "[]").Replace(string(refused.Response.Body)))
	_, err := connect(t, play(t, token(t), configOf(t, "polcat"), refused), "polcat").Policies(t.Context(), in("t", "a", "b"))
	require.ErrorIs(t, err, polaris.ErrForbidden)
	require.ErrorContains(t, err, "scope")
}

func TestCommitsAreRefusedByTheTableOfErrors(t *testing.T) {
	t.Parallel()
	of := func(name string) exchange { return recorded(t, "05-commits", name) }
	made := func(status int, kind, message string) exchange {
		return of("stale assert-ref-snapshot-id").answering(status, `{"error":{"message":"`+message+`","type":"`+kind+`"}}`)
	}
	for name, test := range map[string]struct {
		answer exchange
		want   error
	}{
		"a requirement":             {of("stale assert-ref-snapshot-id"), polaris.ErrConflict},
		"a race":                    {made(409, "CommitConflictException", "Concurrent modification"), polaris.ErrConflict},
		"a stale sequence number":   {of("right ref, but stale sequence number"), polaris.ErrConflict},
		"the same, worded plainly":  {made(400, "ValidationException", "Cannot add snapshot with sequence number 8 older than last sequence number 8"), polaris.ErrConflict},
		"malformed":                 {of("malformed JSON"), polaris.ErrRejected},
		"a snapshot that is there":  {of("snapshot id used twice"), polaris.ErrRejected},
		"unknown, up to 1.7":        {made(400, "CommitStateUnknownException", "no answer of the database"), polaris.ErrStateUnknown},
		"a drop meanwhile":          {made(500, "IllegalStateException", "never_registered_key_for_resolved_path"), polaris.ErrStateUnknown},
		"the database is down":      {recorded(t, "14-database-down", "commit (database down)"), polaris.ErrStateUnknown},
		"a proxy without an answer": {of("malformed JSON").answering(504, "<html>"), polaris.ErrStateUnknown},
		"a proxy's time-out":        {of("malformed JSON").answering(408, "<html>"), polaris.ErrStateUnknown},
		"too many":                  {recorded(t, "14-rate-limit", "API request over the limit"), polaris.ErrUnavailable},
		"an answer cut off":         {of("malformed JSON").answering(200, `{"metadata-location":"s3://`), polaris.ErrStateUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := of("stale assert-ref-snapshot-id")
			asked.Request.Body = json.RawMessage(`{"requirements":[],"updates":[]}`)
			asked.Request.Path = "/api/catalog/v1/s3cat/namespaces/c/tables/p"
			asked.Response = test.answer.Response
			_, err := connect(t, play(t, token(t), configOf(t, "s3cat"), asked), "s3cat").
				Commit(t.Context(), in("p", "c"), []iceberg.Requirement{}, []iceberg.Update{})
			require.ErrorIs(t, err, test.want)
			for _, other := range []error{polaris.ErrConflict, polaris.ErrRejected, polaris.ErrStateUnknown, polaris.ErrUnavailable} {
				require.Equal(t, errors.Is(test.want, other), errors.Is(err, other), "%v: %v", other, err)
			}
		})
	}
}
