package standin

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	sqlcatalog "github.com/apache/iceberg-go/catalog/sql"
)

// catalog is a warehouse with what is kept in memory of it. The server's lock
// guards the maps.
type catalog struct {
	Catalog
	tables   *sqlcatalog.Catalog
	files    files
	created  int64
	roles    map[string]*catalogRole
	views    map[string]*view
	generic  map[string]*genericTable
	policies map[string]*policy
	attached map[string][]string // target: names of policies
	replayed map[string]bool     // idempotency keys
	places   map[string]string   // table: its location, for tables made here
}

// CreateCatalog adds a catalog.
func (s *Server) CreateCatalog(c Catalog) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c.Location = strings.TrimSuffix(c.Location, "/")
	tables, err := s.rows.open(c.Name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.catalogs[c.Name] != nil {
		return refuse(http.StatusConflict, "AlreadyExistsException",
			"Cannot create Catalog %s. Catalog already exists or resolution failed", c.Name)
	}
	s.catalogs[c.Name] = &catalog{
		Catalog: c, tables: tables, files: openFiles(c.S3), created: now(),
		roles: map[string]*catalogRole{"catalog_admin": {name: "catalog_admin", created: now()}},
		views: map[string]*view{}, generic: map[string]*genericTable{}, policies: map[string]*policy{},
		attached: map[string][]string{}, replayed: map[string]bool{}, places: map[string]string{},
	}
	return nil
}

// properties are what /v1/config tells as defaults.
func (c *catalog) properties() map[string]string {
	all := maps.Clone(c.Properties)
	if all == nil {
		all = map[string]string{}
	}
	all["default-base-location"] = c.Location
	return all
}

// endpoints are those that the interface serves, without the credentials one: the
// real server serves that and does not tell.
var endpoints = []string{
	"GET /v1/{prefix}/namespaces", "GET /v1/{prefix}/namespaces/{namespace}",
	"HEAD /v1/{prefix}/namespaces/{namespace}", "POST /v1/{prefix}/namespaces",
	"POST /v1/{prefix}/namespaces/{namespace}/properties", "DELETE /v1/{prefix}/namespaces/{namespace}",
	"GET /v1/{prefix}/namespaces/{namespace}/tables", "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
	"HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}", "POST /v1/{prefix}/namespaces/{namespace}/tables",
	"POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
	"DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}", "POST /v1/{prefix}/tables/rename",
	"POST /v1/{prefix}/namespaces/{namespace}/register",
	"POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
	"GET /v1/{prefix}/namespaces/{namespace}/views", "GET /v1/{prefix}/namespaces/{namespace}/views/{view}",
	"HEAD /v1/{prefix}/namespaces/{namespace}/views/{view}", "POST /v1/{prefix}/namespaces/{namespace}/views",
	"DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}",
}

// polarisEndpoints are those that other Iceberg REST catalogs do not have. The ones
// of generic tables lack their first slash, as on the real server.
var polarisEndpoints = []string{
	"GET polaris/v1/{prefix}/namespaces/{namespace}/generic-tables",
	"POST polaris/v1/{prefix}/namespaces/{namespace}/generic-tables",
	"DELETE polaris/v1/{prefix}/namespaces/{namespace}/generic-tables/{generic-table}",
	"GET polaris/v1/{prefix}/namespaces/{namespace}/generic-tables/{generic-table}",
	"GET /polaris/v1/{prefix}/namespaces/{namespace}/policies",
	"POST /polaris/v1/{prefix}/namespaces/{namespace}/policies",
	"GET /polaris/v1/{prefix}/namespaces/{namespace}/policies/{policy-name}",
	"PUT /polaris/v1/{prefix}/namespaces/{namespace}/policies/{policy-name}",
	"DELETE /polaris/v1/{prefix}/namespaces/{namespace}/policies/{policy-name}",
	"PUT /polaris/v1/{prefix}/namespaces/{namespace}/policies/{policy-name}/mappings",
	"POST /polaris/v1/{prefix}/namespaces/{namespace}/policies/{policy-name}/mappings",
	"GET /polaris/v1/{prefix}/applicable-policies",
}

type configBody struct {
	Defaults    map[string]string `json:"defaults"`
	Overrides   map[string]string `json:"overrides"`
	Endpoints   []string          `json:"endpoints"`
	Idempotency string            `json:"idempotency-key-lifetime,omitempty"`
}

// config answers anyone who has a token: it proves nothing about access.
func (s *Server) config(q *request) (*answer, error) {
	name := q.URL.Query().Get("warehouse")
	if name == "" {
		return nil, refuse(http.StatusBadRequest, "BadRequestException", "Please specify a warehouse")
	}
	c := s.catalog(name)
	if c == nil {
		return nil, refuse(http.StatusNotFound, "NotFoundException", "Unable to find warehouse %s", name)
	}
	body := configBody{
		Defaults:  c.properties(),
		Overrides: map[string]string{"namespace-separator": "%1F", "prefix": name},
		Endpoints: slices.Clone(endpoints),
	}
	if !s.opts.Anonymous {
		body.Endpoints = append(body.Endpoints, polarisEndpoints...)
	}
	if s.opts.Idempotency {
		body.Idempotency = "PT5M"
	}
	return ok(body)
}

// catalogBody is a catalog of the management interface.
type catalogBody struct {
	Type       string            `json:"type"`
	Name       string            `json:"name"`
	Properties map[string]string `json:"properties"`
	Created    int64             `json:"createTimestamp"`
	Updated    int64             `json:"lastUpdateTimestamp"`
	Version    int               `json:"entityVersion"`
	Storage    storageInfo       `json:"storageConfigInfo"`
}

type storageInfo struct {
	StorageType      string   `json:"storageType"`
	RoleARN          *string  `json:"roleArn,omitempty"`
	AllowedLocations []string `json:"allowedLocations"`
	Endpoint         string   `json:"endpoint,omitempty"`
	Region           string   `json:"region,omitempty"`
	PathStyle        bool     `json:"pathStyleAccess,omitempty"`
	STSUnavailable   bool     `json:"stsUnavailable,omitempty"`
}

func (c *catalog) body() catalogBody {
	b := catalogBody{
		Type: "INTERNAL", Name: c.Name, Properties: c.properties(), Created: c.created, Version: 1,
		Storage: storageInfo{StorageType: "FILE", AllowedLocations: notNil(c.AllowedLocations)},
	}
	if !slices.Contains(c.AllowedLocations, c.Location) {
		b.Storage.AllowedLocations = append([]string{c.Location}, c.AllowedLocations...)
	}
	if c.S3 != nil {
		b.Storage.StorageType, b.Storage.Endpoint, b.Storage.PathStyle = "S3", c.S3.Endpoint, true
		b.Storage.Region, b.Storage.STSUnavailable = cmp.Or(c.S3.Region, "us-east-1"), c.S3.NoSTS
	}
	return b
}

// postCatalog makes a catalog on FILE, or on the S3 server of [Options.S3].
func (s *Server) postCatalog(q *request) (*answer, error) {
	var body struct {
		Catalog catalogBody `json:"catalog"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	asked := body.Catalog
	c := Catalog{Name: asked.Name, Properties: asked.Properties, Location: asked.Properties["default-base-location"]}
	c.AllowedLocations = asked.Storage.AllowedLocations
	if asked.Storage.StorageType == "S3" {
		if s.opts.S3 == nil {
			return nil, badRequest("Unsupported storage type: S3")
		}
		store := *s.opts.S3
		store.NoSTS = asked.Storage.STSUnavailable
		c.S3 = &store
	}
	if err := c.Validate(); err != nil {
		return nil, badRequest("%v", err)
	}
	if err := s.CreateCatalog(c); err != nil {
		return nil, err
	}
	return created(s.catalog(c.Name).body())
}

func (s *Server) listCatalogs(q *request) (*answer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := []catalogBody{}
	for _, c := range s.catalogs {
		all = append(all, c.body())
	}
	return ok(map[string]any{"catalogs": all})
}

func (s *Server) getCatalog(q *request) (*answer, error) {
	c := s.catalog(q.path[0])
	if c == nil {
		return nil, missing("Catalog", q.path[0])
	}
	if err := q.caller.allowed(c, "GET_CATALOG", nil, ""); err != nil {
		return nil, err
	}
	return ok(c.body())
}

// deleteCatalog removes an empty catalog.
func (s *Server) deleteCatalog(q *request) (*answer, error) {
	c := s.catalog(q.path[0])
	if c == nil {
		return nil, missing("Catalog", q.path[0])
	}
	below, err := c.children(q.ctx(), nil)
	if err != nil {
		return nil, err
	}
	if len(below) > 0 {
		return nil, badRequest("Catalog '%s' cannot be dropped, it is not empty", c.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.catalogs, c.Name)
	for _, r := range s.roles {
		delete(r.catalogRoles, c.Name)
	}
	return noContent()
}
