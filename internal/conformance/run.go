package conformance

import (
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/secret"
)

// suite is a server that is ready: a catalog, and a principal that may maintain its
// tables and nothing else.
type suite struct {
	Target
	root   *caller // makes what the tests need
	maint  *caller // sends plain requests as the principal
	client *polaris.Client
	// credential of the principal; empty: the server asks for none.
	credential string
	suffix     string // of the names of principals and roles
}

// Run goes through the suite.
func Run(t *testing.T, target Target) {
	t.Helper()
	s := prepare(t, target)
	t.Run("commits go by the rules of Iceberg's Java library", s.commits)
	t.Run("namespaces of any depth are found", s.namespaces)
	t.Run("tables are listed, and views are not", s.lists)
	t.Run("a load has all snapshots", s.loads)
	t.Run("commits are refused as conflicts", s.conflicts)
	t.Run("what is gone is told", s.gone)
	if s.ETags {
		t.Run("an unchanged table is not loaded again", s.unchanged)
	}
	if s.Vending {
		t.Run("vended credentials open the store", s.vended)
	}
	if s.Policies {
		t.Run("the nearest policy counts", s.policies)
	}
	if strings.HasPrefix(s.Location, "file://") {
		t.Run("tables are maintained by every kind of job", s.maintained)
	}
	if s.Management != "" {
		t.Run("a missing privilege is named", s.forbidden)
		t.Run("wrong access is told apart", s.access)
	}
}

// prepare makes catalog and principal by the calls of the README, where the server
// has such things.
func prepare(t *testing.T, target Target) *suite {
	t.Helper()
	s := &suite{Target: target, credential: target.Root, suffix: fmt.Sprint(time.Now().UnixNano())}
	s.root = connect(t, target, target.Root)
	if target.Management != "" {
		s.makeCatalog(t)
		s.credential = s.makePrincipal(t, "maint", "TABLE_WRITE_DATA", "NAMESPACE_LIST", "VIEW_READ_PROPERTIES")
	}
	s.root.configure(t)
	s.maint = connect(t, target, s.credential)
	s.maint.configure(t)
	s.client = s.connect(t, func(*polaris.Config) {})
	return s
}

// connect makes a client of the principal; change may alter its configuration.
func (s *suite) connect(t *testing.T, change func(*polaris.Config)) *polaris.Client {
	t.Helper()
	cfg := polaris.Config{
		URI: s.URI, Warehouse: s.Warehouse, Realm: s.Realm, Credential: secret.String(s.credential),
		RequestsPerSecond: 10_000, Logger: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	c, err := polaris.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *suite) makeCatalog(t *testing.T) {
	t.Helper()
	store := object{"storageType": "FILE", "allowedLocations": []string{s.Location}}
	if s.S3.Endpoint != "" {
		store["storageType"], store["endpoint"], store["region"], store["pathStyleAccess"] = "S3", s.S3.Endpoint, s.S3.Region, true
	}
	s.root.must(t, http.StatusCreated, http.MethodPost, s.Management+"/v1/catalogs", object{"catalog": object{
		"name": s.Warehouse, "type": "INTERNAL", "storageConfigInfo": store,
		"properties": object{
			"default-base-location": s.Location,
			// else a view cannot be dropped where purging is switched off
			"polaris.config.purge-view-metadata-on-drop": "false",
		},
	}})
	s.grant(t, "catalog_admin", "CATALOG_MANAGE_CONTENT")
	t.Cleanup(func() { s.clean(t) })
}

func (s *suite) grant(t *testing.T, role, privilege string) {
	t.Helper()
	s.root.must(t, http.StatusCreated, http.MethodPut, s.Management+"/v1/catalogs/"+s.Warehouse+"/catalog-roles/"+role+"/grants",
		object{"grant": object{"type": "catalog", "privilege": privilege}})
}

// makePrincipal makes one that has the privileges on the catalog, and gives its
// credential.
func (s *suite) makePrincipal(t *testing.T, name string, privileges ...string) string {
	t.Helper()
	management := s.Management + "/v1"
	name += "_" + s.suffix
	role, catalogRole := name+"_role", name+"_cr"
	a := s.root.must(t, http.StatusCreated, http.MethodPost, management+"/principals",
		object{"principal": object{"name": name, "properties": object{}}, "credentialRotationRequired": false})
	t.Cleanup(func() { s.root.do(t, http.MethodDelete, management+"/principals/"+name, nil) })
	s.root.must(t, http.StatusCreated, http.MethodPost, management+"/principal-roles", object{"principalRole": object{"name": role}})
	t.Cleanup(func() { s.root.do(t, http.MethodDelete, management+"/principal-roles/"+role, nil) })
	s.root.must(t, http.StatusCreated, http.MethodPut, management+"/principals/"+name+"/principal-roles", object{"principalRole": object{"name": role}})
	s.root.must(t, http.StatusCreated, http.MethodPost, management+"/catalogs/"+s.Warehouse+"/catalog-roles", object{"catalogRole": object{"name": catalogRole}})
	for _, privilege := range privileges {
		s.grant(t, catalogRole, privilege)
	}
	s.root.must(t, http.StatusCreated, http.MethodPut, management+"/principal-roles/"+role+"/catalog-roles/"+s.Warehouse,
		object{"catalogRole": object{"name": catalogRole}})
	credentials, _ := a.body["credentials"].(object)
	return fmt.Sprintf("%v:%v", credentials["clientId"], credentials["clientSecret"])
}

func collect[T any](t *testing.T, all iter.Seq2[T, error]) []T {
	t.Helper()
	var list []T
	for item, err := range all {
		require.NoError(t, err)
		list = append(list, item)
	}
	return list
}
