package maintenancetest

import (
	"fmt"
	"maps"
	"slices"

	"deckhand/internal/polaris"
)

// SetRef is the update of someone who creates or moves a branch or tag.
func SetRef(name, kind string, snapshot int64) Object {
	return Object{"action": "set-snapshot-ref", "ref-name": name, "type": kind, "snapshot-id": snapshot}
}

// check is a requirement of a commit.
func check(m Object, r Object) error {
	conflict := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", polaris.ErrConflict, fmt.Sprintf(format, args...))
	}
	switch r["type"] {
	case "assert-table-uuid":
		if m["table-uuid"] != r["uuid"] {
			return conflict("uuid %v", r["uuid"])
		}
	case "assert-ref-snapshot-id":
		ref, found := m["refs"].(Object)[r["ref"].(string)].(Object)
		if found != (r["snapshot-id"] != nil) || found && text(ref["snapshot-id"]) != text(r["snapshot-id"]) {
			return conflict("ref %v", r["ref"])
		}
	case "assert-default-spec-id":
		if text(m["default-spec-id"]) != text(r["default-spec-id"]) {
			return conflict("default spec")
		}
	case "assert-current-schema-id":
		if text(m["current-schema-id"]) != text(r["current-schema-id"]) {
			return conflict("current schema")
		}
	default:
		return fmt.Errorf("%w: requirement %v", polaris.ErrRejected, r["type"])
	}
	return nil
}

// change carries out one update, as in the REST API; test-current-schema is one that
// only tests have.
func change(m Object, u Object, lenient bool) error {
	refs := m["refs"].(Object)
	switch u["action"] {
	case "remove-snapshot-ref":
		delete(refs, u["ref-name"].(string))
	case "remove-snapshots":
		gone := textSet(u["snapshot-ids"])
		m["snapshots"] = without(m["snapshots"], "snapshot-id", gone)
		m["statistics"] = without(m["statistics"], "snapshot-id", gone)
		m["partition-statistics"] = without(m["partition-statistics"], "snapshot-id", gone)
		maps.DeleteFunc(refs, func(_ string, ref any) bool { return gone[text(ref.(Object)["snapshot-id"])] })
		if gone[text(m["current-snapshot-id"])] {
			m["current-snapshot-id"] = -1
		}
	case "remove-statistics":
		m["statistics"] = without(m["statistics"], "snapshot-id", map[string]bool{text(u["snapshot-id"]): true})
	case "remove-partition-statistics":
		m["partition-statistics"] = without(m["partition-statistics"], "snapshot-id", map[string]bool{text(u["snapshot-id"]): true})
	case "remove-partition-specs":
		m["partition-specs"] = without(m["partition-specs"], "spec-id", textSet(u["spec-ids"]))
	case "remove-schemas":
		m["schemas"] = without(m["schemas"], "schema-id", textSet(u["schema-ids"]))
	case "add-snapshot":
		return addSnapshot(m, u["snapshot"].(Object), lenient)
	case "set-snapshot-ref":
		name := u["ref-name"].(string)
		if !hasSnapshot(m, u["snapshot-id"]) {
			return fmt.Errorf("%w: ref %s on an unknown snapshot %v", polaris.ErrRejected, name, u["snapshot-id"])
		}
		ref := maps.Clone(u)
		delete(ref, "action")
		delete(ref, "ref-name")
		refs[name] = ref
		if name == "main" {
			m["current-snapshot-id"] = u["snapshot-id"]
		}
	case "test-current-schema":
		m["current-schema-id"] = u["schema-id"]
	case "set-properties":
		properties, _ := m["properties"].(Object)
		if properties == nil {
			properties = Object{}
		}
		maps.Copy(properties, u["updates"].(Object))
		m["properties"] = properties
	default:
		return fmt.Errorf("%w: update %v", polaris.ErrRejected, u["action"])
	}
	return nil
}

// addSnapshot refuses what TableMetadata.Builder.addSnapshot refuses, but for the
// clock.
func addSnapshot(m, snapshot Object, lenient bool) error {
	version := number(m["format-version"])
	if version > 1 && !lenient && number(snapshot["sequence-number"]) <= number(m["last-sequence-number"]) {
		return fmt.Errorf("%w: sequence number %v is older than the last", polaris.ErrConflict, snapshot["sequence-number"])
	}
	if version > 2 && !lenient && number(snapshot["first-row-id"]) < number(m["next-row-id"]) {
		return fmt.Errorf("%w: first-row-id %v is behind the table's", polaris.ErrRejected, snapshot["first-row-id"])
	}
	snapshots, _ := m["snapshots"].([]any)
	m["snapshots"] = append(snapshots, snapshot)
	m["last-updated-ms"] = snapshot["timestamp-ms"]
	if version > 1 {
		m["last-sequence-number"] = max(number(m["last-sequence-number"]), number(snapshot["sequence-number"]))
	}
	if version > 2 {
		m["next-row-id"] = max(number(m["next-row-id"]), number(snapshot["first-row-id"])+number(snapshot["added-rows"]))
	}
	return nil
}

func hasSnapshot(m Object, id any) bool {
	snapshots, _ := m["snapshots"].([]any)
	return slices.ContainsFunc(snapshots, func(s any) bool { return text(s.(Object)["snapshot-id"]) == text(id) })
}

func textSet(list any) map[string]bool {
	set := map[string]bool{}
	for _, v := range list.([]any) {
		set[text(v)] = true
	}
	return set
}

func without(list any, key string, gone map[string]bool) []any {
	items, _ := list.([]any)
	return slices.DeleteFunc(slices.Clone(items), func(item any) bool { return gone[text(item.(Object)[key])] })
}
