package standin

import "slices"

// needs gives the privileges of each operation, as the texts of a 403 name it:
// all of them are needed. Found by trying (10-privileges-matrix of the recorded
// exchanges), not read from a specification.
var needs = map[string][]string{
	"LIST_NAMESPACES":             {"NAMESPACE_LIST"},
	"LOAD_NAMESPACE_METADATA":     {"NAMESPACE_READ_PROPERTIES"},
	"NAMESPACE_EXISTS":            {"NAMESPACE_LIST"},
	"CREATE_NAMESPACE":            {"NAMESPACE_CREATE"},
	"DROP_NAMESPACE":              {"NAMESPACE_DROP"},
	"UPDATE_NAMESPACE_PROPERTIES": {"NAMESPACE_WRITE_PROPERTIES"},

	"LIST_TABLES":                               {"TABLE_LIST"},
	"LOAD_TABLE":                                {"TABLE_READ_PROPERTIES"},
	"TABLE_EXISTS":                              {"TABLE_LIST"},
	"LOAD_TABLE_WITH_READ_DELEGATION":           {"TABLE_READ_DATA"},
	"LOAD_TABLE_WITH_WRITE_DELEGATION":          {"TABLE_WRITE_DATA"},
	"CREATE_TABLE_DIRECT":                       {"TABLE_CREATE"},
	"CREATE_TABLE_STAGED":                       {"TABLE_CREATE"},
	"CREATE_TABLE_DIRECT_WITH_WRITE_DELEGATION": {"TABLE_CREATE", "TABLE_WRITE_DATA"},
	"CREATE_TABLE_STAGED_WITH_WRITE_DELEGATION": {"TABLE_CREATE", "TABLE_WRITE_DATA"},
	"REGISTER_TABLE":                            {"TABLE_CREATE"},
	"DROP_TABLE_WITHOUT_PURGE":                  {"TABLE_DROP"},
	"DROP_TABLE_WITH_PURGE":                     {"TABLE_DROP", "TABLE_WRITE_DATA"},
	"RENAME_TABLE":                              {"TABLE_DROP", "TABLE_CREATE"},
	"COMMIT_TRANSACTION":                        {"TABLE_CREATE", "TABLE_WRITE_PROPERTIES"},
	"REPORT_WRITE_METRICS":                      {"TABLE_WRITE_DATA"},
	"REPORT_READ_METRICS":                       {"TABLE_READ_DATA"},

	"LIST_VIEWS":  {"VIEW_LIST"},
	"LOAD_VIEW":   {"VIEW_READ_PROPERTIES"},
	"CREATE_VIEW": {"VIEW_CREATE"},
	"DROP_VIEW":   {"VIEW_DROP"},

	"LIST_POLICY":                          {"POLICY_LIST"},
	"LOAD_POLICY":                          {"POLICY_READ"},
	"CREATE_POLICY":                        {"POLICY_CREATE"},
	"UPDATE_POLICY":                        {"POLICY_WRITE"},
	"DROP_POLICY":                          {"POLICY_DROP"},
	"ATTACH_POLICY_TO_CATALOG":             {"POLICY_ATTACH", "CATALOG_ATTACH_POLICY"},
	"ATTACH_POLICY_TO_NAMESPACE":           {"POLICY_ATTACH", "NAMESPACE_ATTACH_POLICY"},
	"ATTACH_POLICY_TO_TABLE":               {"POLICY_ATTACH", "TABLE_ATTACH_POLICY"},
	"DETACH_POLICY_FROM_CATALOG":           {"POLICY_DETACH", "CATALOG_DETACH_POLICY"},
	"DETACH_POLICY_FROM_NAMESPACE":         {"POLICY_DETACH", "NAMESPACE_DETACH_POLICY"},
	"DETACH_POLICY_FROM_TABLE":             {"POLICY_DETACH", "TABLE_DETACH_POLICY"},
	"GET_APPLICABLE_POLICIES_ON_CATALOG":   {"CATALOG_READ_PROPERTIES"},
	"GET_APPLICABLE_POLICIES_ON_NAMESPACE": {"NAMESPACE_READ_PROPERTIES"},
	"GET_APPLICABLE_POLICIES_ON_TABLE":     {"TABLE_READ_PROPERTIES"},

	"GET_CATALOG": {"CATALOG_READ_PROPERTIES"},
}

// commitOps gives the operation of each update of a commit. All of them need
// TABLE_WRITE_PROPERTIES here; the fine-grained privileges of 1.7 exist too.
var commitOps = map[string]string{
	"assign-uuid":                 "ASSIGN_TABLE_UUID",
	"upgrade-format-version":      "UPGRADE_TABLE_FORMAT_VERSION",
	"add-schema":                  "ADD_TABLE_SCHEMA",
	"set-current-schema":          "SET_TABLE_CURRENT_SCHEMA",
	"add-spec":                    "ADD_TABLE_PARTITION_SPEC",
	"set-default-spec":            "SET_TABLE_DEFAULT_PARTITION_SPEC",
	"add-sort-order":              "ADD_TABLE_SORT_ORDER",
	"set-default-sort-order":      "SET_TABLE_DEFAULT_SORT_ORDER",
	"add-snapshot":                "ADD_TABLE_SNAPSHOT",
	"set-snapshot-ref":            "SET_TABLE_SNAPSHOT_REF",
	"remove-snapshots":            "REMOVE_TABLE_SNAPSHOTS",
	"remove-snapshot-ref":         "REMOVE_TABLE_SNAPSHOT_REF",
	"set-location":                "SET_TABLE_LOCATION",
	"set-properties":              "SET_TABLE_PROPERTIES",
	"remove-properties":           "REMOVE_TABLE_PROPERTIES",
	"set-statistics":              "SET_TABLE_STATISTICS",
	"remove-statistics":           "REMOVE_TABLE_STATISTICS",
	"remove-partition-specs":      "REMOVE_TABLE_PARTITION_SPECS",
	"remove-schemas":              "UPDATE_TABLE",
	"set-partition-statistics":    "UPDATE_TABLE",
	"remove-partition-statistics": "UPDATE_TABLE",
	"add-encryption-key":          "UPDATE_TABLE",
	"remove-encryption-key":       "UPDATE_TABLE",
}

// implies gives what a privilege contains besides itself, one step deep.
var implies = map[string][]string{
	"CATALOG_MANAGE_CONTENT": {"CATALOG_MANAGE_METADATA", "TABLE_WRITE_DATA"},
	"CATALOG_MANAGE_METADATA": {
		"TABLE_FULL_METADATA", "VIEW_FULL_METADATA", "NAMESPACE_FULL_METADATA", "POLICY_READ", "POLICY_CREATE",
		"POLICY_WRITE", "POLICY_DROP", "POLICY_ATTACH", "POLICY_DETACH", "CATALOG_READ_PROPERTIES",
		"CATALOG_ATTACH_POLICY", "CATALOG_DETACH_POLICY", "NAMESPACE_ATTACH_POLICY", "NAMESPACE_DETACH_POLICY",
		"TABLE_ATTACH_POLICY", "TABLE_DETACH_POLICY",
	},
	"TABLE_FULL_METADATA":        {"TABLE_CREATE", "TABLE_DROP", "TABLE_WRITE_PROPERTIES"},
	"TABLE_WRITE_DATA":           {"TABLE_READ_DATA", "TABLE_WRITE_PROPERTIES"},
	"TABLE_READ_DATA":            {"TABLE_READ_PROPERTIES"},
	"TABLE_WRITE_PROPERTIES":     {"TABLE_READ_PROPERTIES"},
	"TABLE_READ_PROPERTIES":      {"TABLE_LIST"},
	"TABLE_CREATE":               {"TABLE_LIST"},
	"VIEW_FULL_METADATA":         {"VIEW_CREATE", "VIEW_DROP", "VIEW_WRITE_PROPERTIES"},
	"VIEW_WRITE_PROPERTIES":      {"VIEW_READ_PROPERTIES"},
	"VIEW_READ_PROPERTIES":       {"VIEW_LIST"},
	"VIEW_CREATE":                {"VIEW_LIST"},
	"NAMESPACE_FULL_METADATA":    {"NAMESPACE_CREATE", "NAMESPACE_DROP", "NAMESPACE_WRITE_PROPERTIES"},
	"NAMESPACE_WRITE_PROPERTIES": {"NAMESPACE_READ_PROPERTIES"},
	"NAMESPACE_READ_PROPERTIES":  {"NAMESPACE_LIST"},
	"NAMESPACE_CREATE":           {"NAMESPACE_LIST"},
	"POLICY_READ":                {"POLICY_LIST"},
	"POLICY_CREATE":              {"POLICY_LIST"},
	"POLICY_WRITE":               {"POLICY_READ"},
}

// known are privileges that may be granted and contain nothing.
var known = []string{
	"CATALOG_READ_PROPERTIES", "CATALOG_WRITE_PROPERTIES", "CATALOG_MANAGE_ACCESS", "CATALOG_ATTACH_POLICY",
	"CATALOG_DETACH_POLICY", "NAMESPACE_LIST", "NAMESPACE_DROP", "NAMESPACE_ATTACH_POLICY",
	"NAMESPACE_DETACH_POLICY", "TABLE_LIST", "TABLE_DROP", "TABLE_ATTACH_POLICY", "TABLE_DETACH_POLICY",
	"VIEW_LIST", "VIEW_DROP", "POLICY_LIST", "POLICY_DROP", "POLICY_ATTACH", "POLICY_DETACH",
}

func privilegeExists(name string) bool {
	_, containing := implies[name]
	return containing || slices.Contains(known, name)
}

// sufficient tells whether the privileges held, and all that they contain, are
// what the operation needs.
func sufficient(op string, held []string) bool {
	needed, ok := needs[op]
	if !ok {
		needed = []string{"TABLE_WRITE_PROPERTIES"} // an update of a commit
		if !isCommitOp(op) {
			return false
		}
	}
	all := map[string]bool{}
	var add func(string)
	add = func(privilege string) {
		if all[privilege] {
			return
		}
		all[privilege] = true
		for _, contained := range implies[privilege] {
			add(contained)
		}
	}
	for _, privilege := range held {
		add(privilege)
	}
	return !slices.ContainsFunc(needed, func(p string) bool { return !all[p] })
}

func isCommitOp(op string) bool {
	for _, known := range commitOps {
		if op == known {
			return true
		}
	}
	return false
}
