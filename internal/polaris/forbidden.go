package polaris

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Error says who lacks what.
func (e *ForbiddenError) Error() string {
	who := "the principal"
	if e.Principal != "" {
		who += " " + e.Principal
	}
	switch {
	case e.Privilege != "":
		return fmt.Sprintf("%s lacks the privilege %s for %s", who, e.Privilege, e.Operation)
	case e.Operation != "":
		return fmt.Sprintf("%s may not do %s", who, e.Operation)
	}
	return who + " may not do this"
}

// refusedOp is how Polaris 1.x words a missing privilege.
var refusedOp = regexp.MustCompile(`^Principal '([^']*)' with activated PrincipalRoles '\[([^\]]*)\]' and activated grants via '\[([^\]]*)\]' is not authorized for op ([A-Z_]+)`)

// privilegeOf are the privileges that allow what this client does. The widest that
// maintenance needs is named where several would do, so that one grant is enough.
// Source: PolarisAuthorizableOperation of Polaris 1.7.
var privilegeOf = map[string]string{
	"LIST_NAMESPACES":                           "NAMESPACE_LIST",
	"LIST_TABLES":                               "TABLE_WRITE_DATA",
	"LIST_VIEWS":                                "VIEW_READ_PROPERTIES",
	"LOAD_TABLE":                                "TABLE_WRITE_DATA",
	"LOAD_TABLE_WITH_READ_DELEGATION":           "TABLE_WRITE_DATA",
	"LOAD_TABLE_WITH_WRITE_DELEGATION":          "TABLE_WRITE_DATA",
	"LOAD_VIEW":                                 "VIEW_READ_PROPERTIES",
	"UPDATE_TABLE":                              "TABLE_WRITE_DATA",
	"GET_APPLICABLE_POLICIES_ON_TABLE":          "TABLE_WRITE_DATA",
	"GET_APPLICABLE_POLICIES_ON_NAMESPACE":      "NAMESPACE_READ_PROPERTIES",
	"GET_APPLICABLE_POLICIES_ON_CATALOG":        "CATALOG_READ_PROPERTIES",
	"REMOVE_TABLE_SNAPSHOTS":                    "TABLE_WRITE_DATA",
	"REMOVE_TABLE_SNAPSHOT_REF":                 "TABLE_WRITE_DATA",
	"SET_TABLE_SNAPSHOT_REF":                    "TABLE_WRITE_DATA",
	"ADD_TABLE_SNAPSHOT":                        "TABLE_WRITE_DATA",
	"SET_TABLE_PROPERTIES":                      "TABLE_WRITE_DATA",
	"REMOVE_TABLE_PROPERTIES":                   "TABLE_WRITE_DATA",
	"SET_TABLE_STATISTICS":                      "TABLE_WRITE_DATA",
	"REMOVE_TABLE_STATISTICS":                   "TABLE_WRITE_DATA",
	"REMOVE_TABLE_PARTITION_SPECS":              "TABLE_WRITE_DATA",
	"LIST_GENERIC_TABLES":                       "TABLE_WRITE_DATA",
	"LOAD_GENERIC_TABLE":                        "TABLE_READ_PROPERTIES",
	"CREATE_TABLE_DIRECT_WITH_WRITE_DELEGATION": "TABLE_CREATE",
}

// catalogRole is the one among those that gave grants which is no principal role;
// a stand-in where there is none, or no telling which.
func catalogRole(via string, principalRoles []string) string {
	role := ""
	for one := range strings.SplitSeq(via, ",") {
		one = strings.TrimSpace(one)
		switch {
		case one == "" || slices.Contains(principalRoles, one):
		case role != "":
			return "<catalog role>"
		default:
			role = one
		}
	}
	return cmp.Or(role, "<catalog role>")
}

// forbidden reads what a 403 says is missing.
func (e *Error) forbidden() {
	e.Reason = ErrForbidden
	missing := &ForbiddenError{}
	e.Err = missing
	found := refusedOp.FindStringSubmatch(e.Message)
	if found == nil {
		e.Hint = "the server forbids it for another reason than a privilege: see its message"
		return
	}
	missing.Principal, missing.Operation = found[1], found[4]
	for role := range strings.SplitSeq(found[2], ",") {
		if role = strings.TrimSpace(role); role != "" {
			missing.Roles = append(missing.Roles, role)
		}
	}
	missing.Privilege = privilegeOf[missing.Operation]
	if len(missing.Roles) == 0 {
		e.Hint = "the token has no role: rest.scope names none that the principal has; write PRINCIPAL_ROLE:ALL, or the name of a role it was given"
		return
	}
	if missing.Privilege == "" {
		e.Hint = "grant the catalog role of the principal what the operation needs"
		return
	}
	missing.Grant = fmt.Sprintf(`PUT /api/management/v1/catalogs/%s/catalog-roles/%s/grants {"grant":{"type":"catalog","privilege":%q}}`,
		e.catalog, catalogRole(found[3], missing.Roles), missing.Privilege)
	e.Hint = "grant it: " + missing.Grant
}
