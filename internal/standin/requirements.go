package standin

import (
	"encoding/json"
	"net/http"
	"slices"
)

// requirement is what a commit asserts.
type requirement struct {
	Type           string `json:"type"`
	UUID           string `json:"uuid"`
	Ref            string `json:"ref"`
	SnapshotID     *int64 `json:"snapshot-id"`
	LastFieldID    int    `json:"last-assigned-field-id"`
	SchemaID       int    `json:"current-schema-id"`
	LastPartition  int    `json:"last-assigned-partition-id"`
	DefaultSpecID  int    `json:"default-spec-id"`
	DefaultOrderID int    `json:"default-sort-order-id"`
}

var requirementTypes = []string{
	"assert-create", "assert-table-uuid", "assert-ref-snapshot-id", "assert-last-assigned-field-id",
	"assert-current-schema-id", "assert-last-assigned-partition-id", "assert-default-spec-id",
	"assert-default-sort-order-id",
}

func readRequirements(raw []json.RawMessage) ([]requirement, error) {
	all := make([]requirement, len(raw))
	for i, data := range raw {
		if json.Unmarshal(data, &all[i]) != nil || !slices.Contains(requirementTypes, all[i].Type) {
			return nil, malformed()
		}
	}
	return all, nil
}

func failed(format string, args ...any) error {
	return refuse(http.StatusConflict, "CommitFailedException", "Requirement failed: "+format, args...)
}

// check refuses with 409 when the table is not as asserted (UpdateRequirement in
// Iceberg's Java library). base is nil for a table that does not exist.
func (r requirement) check(base *document) error {
	if r.Type == "assert-create" {
		if base != nil {
			return failed("table already exists")
		}
		return nil
	}
	if base == nil {
		return failed("table does not exist")
	}
	number := func(what string, expected, got int) error {
		if expected != got {
			return failed("%s: expected id %d != %d", what, expected, got)
		}
		return nil
	}
	switch r.Type {
	case "assert-table-uuid":
		if r.UUID != base.UUID {
			return failed("UUID does not match: expected %s != %s", base.UUID, r.UUID)
		}
	case "assert-ref-snapshot-id":
		return r.checkRef(base)
	case "assert-last-assigned-field-id":
		return number("last assigned field id changed", r.LastFieldID, base.LastColumnID)
	case "assert-current-schema-id":
		return number("current schema changed", r.SchemaID, base.CurrentSchemaID)
	case "assert-last-assigned-partition-id":
		return number("last assigned partition id changed", r.LastPartition, base.LastPartitionID)
	case "assert-default-spec-id":
		return number("default partition spec changed", r.DefaultSpecID, base.DefaultSpecID)
	case "assert-default-sort-order-id":
		return number("default sort order changed", r.DefaultOrderID, base.DefaultSortOrderID)
	}
	return nil
}

func (r requirement) checkRef(base *document) error {
	found, exists := base.Refs[r.Ref]
	switch {
	case exists && r.SnapshotID == nil:
		return failed("%s %s was created concurrently", found.Type, r.Ref)
	case exists && found.SnapshotID != *r.SnapshotID:
		return failed("%s %s has changed: expected id %d != %d", found.Type, r.Ref, *r.SnapshotID, found.SnapshotID)
	case !exists && r.SnapshotID != nil:
		return failed("branch or tag %s is missing, expected %d", r.Ref, *r.SnapshotID)
	}
	return nil
}
