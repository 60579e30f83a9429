package expire_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
)

// ledger is a catalog of one table that changes its metadata as JSON, so that also
// tables can be in it that no library writes. What it takes and refuses follows
// Iceberg's Java library (TableMetadata.Builder), refs of removed snapshots
// included, which it drops without a word.
type ledger struct {
	yard *yard

	mu       sync.Mutex
	location string // of the current metadata file; "" when the table is gone
	version  int
	requests int
	// fault is asked before each request; see [catalogFault].
	fault func(n int, op string) catalogFault
	// race runs once, between the load of a commit and its check.
	race func()
	// commits are the actions of each commit that was asked for.
	commits [][]string
	// lenient takes old snapshots back, as catalogs may that are none of Java's.
	lenient bool
}

var _ maintenance.Client = (*ledger)(nil)

// catalogFault spoils one request: err is the answer, after the request was
// carried out when served.
type catalogFault struct {
	err    error
	served bool
}

func (l *ledger) begin(op string) catalogFault {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if l.fault == nil {
		return catalogFault{}
	}
	return l.fault(l.requests, op)
}

func (l *ledger) Load(ctx context.Context, _ polaris.Identifier, _ polaris.LoadOptions) (*polaris.Loaded, error) {
	if f := l.begin("load"); f.err != nil {
		return nil, f.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loaded()
}

func (l *ledger) loaded() (*polaris.Loaded, error) {
	if l.location == "" {
		return nil, fmt.Errorf("load: %w", polaris.ErrNotFound)
	}
	m, err := table.Parse(bytes.NewReader(l.read(l.location)))
	if err != nil {
		return nil, err
	}
	return &polaris.Loaded{MetadataLocation: l.location, Metadata: m}, nil
}

// read gives a metadata file, inflated.
func (l *ledger) read(location string) []byte {
	data := l.yard.get(location)
	if len(data) > 2 && data[0] == 0x1f {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err == nil {
			data, err = io.ReadAll(r)
		}
		if err != nil {
			panic(err)
		}
	}
	return data
}

func (l *ledger) Stores(_ context.Context, _ polaris.Identifier, _ *polaris.Loaded, base storage.Config, limiters *storage.Limiters) (*storage.Stores, error) {
	return storage.NewStores(base, limiters)
}

func (l *ledger) Commit(ctx context.Context, _ polaris.Identifier, requirements []iceberg.Requirement, updates []iceberg.Update) (*polaris.Loaded, error) {
	fault := l.begin("commit")
	if fault.err != nil && !fault.served {
		return nil, fault.err
	}
	if fault.err == nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if race := l.race; race != nil {
		l.race = nil
		race()
	}
	var actions []string
	for _, u := range updates {
		actions = append(actions, u.Action())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commits = append(l.commits, actions)
	if err := l.apply(mustJSON(requirements), mustJSON(updates)); err != nil {
		return nil, err
	}
	if fault.err != nil {
		return nil, fault.err
	}
	return l.loaded()
}

// change commits as another writer.
func (l *ledger) change(updates ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.apply([]byte("[]"), mustJSON(updates)); err != nil {
		panic(err)
	}
}

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

type object = map[string]any

// metadata decodes numbers as they are written: snapshot ids have 64 bits.
func decode(data []byte, into any) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		panic(err)
	}
}

func text(v any) string { return fmt.Sprint(v) }

func (l *ledger) apply(rawRequirements, rawUpdates []byte) error {
	if l.location == "" {
		return fmt.Errorf("commit: %w", polaris.ErrNotFound)
	}
	var m object
	var requirements, updates []object
	decode(l.read(l.location), &m)
	decode(rawRequirements, &requirements)
	decode(rawUpdates, &updates)
	if m["refs"] == nil {
		refs := object{}
		if id := m["current-snapshot-id"]; id != nil && text(id) != "-1" {
			refs["main"] = object{"snapshot-id": id, "type": "branch"}
		}
		m["refs"] = refs
	}
	for _, r := range requirements {
		if err := check(m, r); err != nil {
			return err
		}
	}
	for _, u := range updates {
		if err := change(m, u, l.lenient); err != nil {
			return err
		}
	}
	log, _ := m["metadata-log"].([]any)
	m["metadata-log"] = append(log, object{"metadata-file": l.location, "timestamp-ms": m["last-updated-ms"]})
	l.version++
	parsed, err := storage.Parse(l.location)
	if err != nil {
		return err
	}
	next := parsed.Parent().Join(fmt.Sprintf("ledger-%05d.metadata.json", l.version)).String()
	l.yard.load(tabletest.Objects{next: mustJSON(m)})
	l.location = next
	return nil
}

func check(m object, r object) error {
	conflict := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", polaris.ErrConflict, fmt.Sprintf(format, args...))
	}
	switch r["type"] {
	case "assert-table-uuid":
		if m["table-uuid"] != r["uuid"] {
			return conflict("uuid %v", r["uuid"])
		}
	case "assert-ref-snapshot-id":
		ref, found := m["refs"].(object)[r["ref"].(string)].(object)
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

func change(m object, u object, lenient bool) error {
	refs := m["refs"].(object)
	switch u["action"] {
	case "remove-snapshot-ref":
		delete(refs, u["ref-name"].(string))
	case "remove-snapshots":
		gone := textSet(u["snapshot-ids"])
		m["snapshots"] = without(m["snapshots"], "snapshot-id", gone)
		m["statistics"] = without(m["statistics"], "snapshot-id", gone)
		m["partition-statistics"] = without(m["partition-statistics"], "snapshot-id", gone)
		maps.DeleteFunc(refs, func(_ string, ref any) bool { return gone[text(ref.(object)["snapshot-id"])] })
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
		return addSnapshot(m, u["snapshot"].(object), lenient)
	case "set-snapshot-ref":
		name := u["ref-name"].(string)
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
		properties, _ := m["properties"].(object)
		if properties == nil {
			properties = object{}
		}
		maps.Copy(properties, u["updates"].(object))
		m["properties"] = properties
	default:
		return fmt.Errorf("%w: update %v", polaris.ErrRejected, u["action"])
	}
	return nil
}

// addSnapshot refuses what TableMetadata.Builder.addSnapshot refuses, but for the
// clock.
func addSnapshot(m, snapshot object, lenient bool) error {
	number := func(v any) int64 {
		var n int64
		if v != nil {
			_, _ = fmt.Sscan(text(v), &n)
		}
		return n
	}
	version := number(m["format-version"])
	if version > 1 && !lenient && number(snapshot["sequence-number"]) <= number(m["last-sequence-number"]) {
		return fmt.Errorf("%w: sequence number %v is older than the last", polaris.ErrConflict, snapshot["sequence-number"])
	}
	if version > 2 && !lenient && number(snapshot["first-row-id"]) < number(m["next-row-id"]) {
		return fmt.Errorf("%w: first-row-id %v is behind the table's", polaris.ErrRejected, snapshot["first-row-id"])
	}
	snapshots, _ := m["snapshots"].([]any)
	m["snapshots"] = append(snapshots, snapshot)
	return nil
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
	return slices.DeleteFunc(slices.Clone(items), func(item any) bool { return gone[text(item.(object)[key])] })
}

var errUnknown = errors.Join(polaris.ErrStateUnknown, errors.New("the answer was lost"))
