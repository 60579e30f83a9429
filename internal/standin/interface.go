package standin

import "net/http"

// prefixed serves a request whose first open segment is the catalog's name.
func prefixed(handle func(*Server, *request) (*answer, error)) func(*Server, *request) (*answer, error) {
	return func(s *Server, q *request) (*answer, error) {
		q.catalog = s.catalog(q.path[0])
		q.path = q.path[1:]
		return handle(s, q)
	}
}

var catalogPatterns = []pattern{
	{http.MethodPost, "api/catalog/v1/oauth/tokens", Token, (*Server).issueToken},
	{http.MethodGet, "api/catalog/v1/config", Config, (*Server).config},

	{http.MethodGet, "api/catalog/v1/*/namespaces", ListNamespaces, prefixed((*Server).listNamespaces)},
	{http.MethodPost, "api/catalog/v1/*/namespaces", Namespace, prefixed((*Server).createNamespace)},
	{http.MethodGet, "api/catalog/v1/*/namespaces/*", Namespace, prefixed((*Server).loadNamespace)},
	{http.MethodHead, "api/catalog/v1/*/namespaces/*", Namespace, prefixed((*Server).namespaceExists)},
	{http.MethodDelete, "api/catalog/v1/*/namespaces/*", Namespace, prefixed((*Server).dropNamespace)},
	{http.MethodPost, "api/catalog/v1/*/namespaces/*/properties", Namespace, prefixed((*Server).updateNamespace)},

	{http.MethodGet, "api/catalog/v1/*/namespaces/*/tables", ListTables, prefixed((*Server).listTables)},
	{http.MethodPost, "api/catalog/v1/*/namespaces/*/tables", CreateTable, prefixed((*Server).createTable)},
	{http.MethodGet, "api/catalog/v1/*/namespaces/*/tables/*", LoadTable, prefixed((*Server).loadTable)},
	{http.MethodHead, "api/catalog/v1/*/namespaces/*/tables/*", TableExists, prefixed((*Server).tableExists)},
	{http.MethodPost, "api/catalog/v1/*/namespaces/*/tables/*", CommitTable, prefixed((*Server).commitTable)},
	{http.MethodDelete, "api/catalog/v1/*/namespaces/*/tables/*", DropTable, prefixed((*Server).dropTable)},
	{http.MethodPost, "api/catalog/v1/*/tables/rename", RenameTable, prefixed((*Server).renameTable)},
	{http.MethodPost, "api/catalog/v1/*/namespaces/*/register", RegisterTable, prefixed((*Server).registerTable)},
	{http.MethodGet, "api/catalog/v1/*/namespaces/*/tables/*/credentials", LoadCredentials, prefixed((*Server).loadCredentials)},
	{http.MethodPost, "api/catalog/v1/*/namespaces/*/tables/*/metrics", ReportMetrics, prefixed((*Server).reportMetrics)},

	{http.MethodGet, "api/catalog/v1/*/namespaces/*/views", View, prefixed((*Server).listViews)},
	{http.MethodPost, "api/catalog/v1/*/namespaces/*/views", View, prefixed((*Server).createView)},
	{http.MethodGet, "api/catalog/v1/*/namespaces/*/views/*", View, prefixed((*Server).loadView)},
	{http.MethodHead, "api/catalog/v1/*/namespaces/*/views/*", View, prefixed((*Server).loadView)},
	{http.MethodDelete, "api/catalog/v1/*/namespaces/*/views/*", View, prefixed((*Server).dropView)},

	{http.MethodGet, "api/catalog/polaris/v1/*/namespaces/*/generic-tables", GenericTable, prefixed((*Server).listGenericTables)},
	{http.MethodPost, "api/catalog/polaris/v1/*/namespaces/*/generic-tables", GenericTable, prefixed((*Server).createGenericTable)},
	{http.MethodGet, "api/catalog/polaris/v1/*/namespaces/*/generic-tables/*", GenericTable, prefixed((*Server).loadGenericTable)},
	{http.MethodDelete, "api/catalog/polaris/v1/*/namespaces/*/generic-tables/*", GenericTable, prefixed((*Server).dropGenericTable)},
}

var policyPatterns = []pattern{
	{http.MethodGet, "api/catalog/polaris/v1/*/namespaces/*/policies", PolicyRequest, prefixed((*Server).listPolicies)},
	{http.MethodPost, "api/catalog/polaris/v1/*/namespaces/*/policies", PolicyRequest, prefixed((*Server).createPolicy)},
	{http.MethodGet, "api/catalog/polaris/v1/*/namespaces/*/policies/*", PolicyRequest, prefixed((*Server).loadPolicy)},
	{http.MethodPut, "api/catalog/polaris/v1/*/namespaces/*/policies/*", PolicyRequest, prefixed((*Server).updatePolicy)},
	{http.MethodDelete, "api/catalog/polaris/v1/*/namespaces/*/policies/*", PolicyRequest, prefixed((*Server).dropPolicy)},
	{http.MethodPut, "api/catalog/polaris/v1/*/namespaces/*/policies/*/mappings", PolicyRequest, prefixed((*Server).attachPolicy)},
	{http.MethodPost, "api/catalog/polaris/v1/*/namespaces/*/policies/*/mappings", PolicyRequest, prefixed((*Server).detachPolicy)},
	{http.MethodGet, "api/catalog/polaris/v1/*/applicable-policies", ApplicablePolicies, prefixed((*Server).applicablePolicies)},
}

var managementPatterns = []pattern{
	{http.MethodGet, "api/management/v1/catalogs", Management, adminOnly("LIST_CATALOGS", (*Server).listCatalogs)},
	{http.MethodPost, "api/management/v1/catalogs", Management, adminOnly("CREATE_CATALOG", (*Server).postCatalog)},
	{http.MethodGet, "api/management/v1/catalogs/*", Management, (*Server).getCatalog},
	{http.MethodDelete, "api/management/v1/catalogs/*", Management, adminOnly("DELETE_CATALOG", (*Server).deleteCatalog)},
	{http.MethodPost, "api/management/v1/principals", Management, adminOnly("CREATE_PRINCIPAL", (*Server).postPrincipal)},
	{http.MethodGet, "api/management/v1/principals", Management, adminOnly("LIST_PRINCIPALS", (*Server).listPrincipals)},
	{http.MethodGet, "api/management/v1/principals/*", Management, adminOnly("GET_PRINCIPAL", (*Server).getPrincipal)},
	{http.MethodDelete, "api/management/v1/principals/*", Management, adminOnly("DROP_PRINCIPAL", (*Server).deletePrincipal)},
	{http.MethodGet, "api/management/v1/principals/*/principal-roles", Management, adminOnly("LIST_PRINCIPAL_ROLES_ASSIGNED", (*Server).rolesOfPrincipal)},
	{http.MethodPut, "api/management/v1/principals/*/principal-roles", Management, adminOnly("ASSIGN_PRINCIPAL_ROLE", (*Server).assignPrincipalRole)},
	{http.MethodPost, "api/management/v1/principal-roles", Management, adminOnly("CREATE_PRINCIPAL_ROLE", (*Server).postPrincipalRole)},
	{http.MethodDelete, "api/management/v1/principal-roles/*", Management, adminOnly("DROP_PRINCIPAL_ROLE", (*Server).deletePrincipalRole)},
	{http.MethodGet, "api/management/v1/principal-roles/*/catalog-roles/*", Management, adminOnly("LIST_CATALOG_ROLES_FOR_PRINCIPAL_ROLE", (*Server).catalogRolesOfRole)},
	{http.MethodPut, "api/management/v1/principal-roles/*/catalog-roles/*", Management, adminOnly("ASSIGN_CATALOG_ROLE_TO_PRINCIPAL_ROLE", (*Server).assignCatalogRole)},
	{http.MethodPost, "api/management/v1/catalogs/*/catalog-roles", Management, adminOnly("CREATE_CATALOG_ROLE", (*Server).postCatalogRole)},
	{http.MethodDelete, "api/management/v1/catalogs/*/catalog-roles/*", Management, adminOnly("DROP_CATALOG_ROLE", (*Server).deleteCatalogRole)},
	{http.MethodGet, "api/management/v1/catalogs/*/catalog-roles/*/grants", Management, adminOnly("LIST_GRANTS_FOR_CATALOG_ROLE", (*Server).listGrants)},
	{http.MethodPut, "api/management/v1/catalogs/*/catalog-roles/*/grants", Management, adminOnly("ADD_CATALOG_GRANT_TO_CATALOG_ROLE", (*Server).addGrant)},
	{http.MethodPost, "api/management/v1/catalogs/*/catalog-roles/*/grants", Management, adminOnly("REVOKE_CATALOG_GRANT_FROM_CATALOG_ROLE", (*Server).revokeGrant)},
}
