package standin

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// change is a commit as it was read.
type change struct {
	requirements []requirement
	updates      []update
}

func (q *request) readChange() (change, error) {
	var body struct {
		Requirements []json.RawMessage `json:"requirements"`
		Updates      []json.RawMessage `json:"updates"`
	}
	if err := q.decode(&body); err != nil {
		return change{}, err
	}
	return newChange(body.Requirements, body.Updates)
}

func newChange(requirements, updates []json.RawMessage) (c change, err error) {
	if c.requirements, err = readRequirements(requirements); err != nil {
		return c, err
	}
	c.updates, err = readUpdates(updates)
	return c, err
}

func (c change) creates() bool {
	for _, r := range c.requirements {
		if r.Type == "assert-create" {
			return true
		}
	}
	return false
}

// allowed asks for the privilege of each update.
func (c change) allowed(q *request, t Table) error {
	for _, u := range c.updates {
		if err := q.caller.allowed(q.catalog, commitOps[u.Action], t.Namespace, t.Name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) commitTable(q *request) (*answer, error) {
	c, err := q.readChange()
	if err != nil {
		return nil, err
	}
	levels, name := namespace(q.path[0]), q.path[1]
	if q.catalog == nil {
		return nil, noTable(levels, name)
	}
	t := &found{Table: Table{Catalog: q.catalog.Name, Namespace: levels, Name: name}}
	if t.location, err = s.rows.location(q.ctx(), t.Table); err != nil {
		return nil, err
	}
	switch {
	case t.location == "" && c.creates():
		if err := q.inNamespace(levels); err != nil {
			return nil, err
		}
	case t.location == "":
		return nil, noTable(levels, name)
	}
	if err := c.allowed(q, t.Table); err != nil {
		return nil, err
	}
	replay, err := s.replay(q, t.Table)
	if err != nil {
		return nil, err
	}
	if replay {
		c = change{}
	}
	metadata, err := s.commit(q.ctx(), q.catalog, t, c)
	if err != nil {
		return nil, err
	}
	return ok(loadBody{MetadataLocation: t.location, Metadata: metadata})
}

// replay is true for a key of Idempotency-Key that this table had already. As on
// the real server, the body is not compared: a second commit under the key is
// answered with the table as it is, and lost.
func (s *Server) replay(q *request, t Table) (bool, error) {
	value := q.Header.Get("Idempotency-Key")
	if value == "" || !s.opts.Idempotency {
		return false, nil
	}
	if _, err := uuid.Parse(value); err != nil {
		return false, refuse(http.StatusBadRequest, "InvalidIdempotencyKey", "Invalid Idempotency-Key header; expected a UUID")
	}
	k := key(append(t.Namespace, t.Name), value)
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := q.catalog.replayed[k]
	q.catalog.replayed[k] = true
	return seen, nil
}

// commit checks and applies a change, writes the next metadata file and points the
// table to it, unless someone else was faster. It sets t.location.
func (s *Server) commit(ctx context.Context, c *catalog, t *found, ch change) (*document, error) {
	var base *document
	if t.location != "" {
		var err error
		if base, err = c.load(ctx, t.location); err != nil {
			return nil, err
		}
	}
	for _, r := range ch.requirements {
		if err := r.check(base); err != nil {
			return nil, err
		}
	}
	if base == nil {
		return s.commitCreate(ctx, c, t, ch)
	}
	next, err := apply(base, t.location, ch.updates, s.opts.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if next == nil {
		return base, nil
	}
	if err := c.allow(ctx, t.Table, base.Location, newLocations(base, next)...); err != nil {
		return nil, err
	}
	location, err := c.save(ctx, next, t.location)
	if err != nil {
		return nil, err
	}
	swapped, err := s.rows.swap(ctx, t.Table, t.location, location)
	if err != nil {
		return nil, err
	}
	if !swapped {
		c.files.remove(ctx, location)
		return nil, s.lost(ctx, t)
	}
	t.location = location
	c.forget(ctx, base, next)
	return next, nil
}

// lost tells a commit that was slower from one whose table was dropped meanwhile.
func (s *Server) lost(ctx context.Context, t *found) error {
	if s.MetadataLocation(ctx, t.Table) == "" {
		return refuse(http.StatusInternalServerError, "IllegalStateException", "never_registered_key_for_resolved_path")
	}
	return refuse(http.StatusConflict, "CommitConflictException",
		"Failed to commit Table or View %s because it was concurrently modified", dotted(t.Namespace, t.Name))
}

// newLocations are places that a commit wants to use and that the table did not
// use before.
func newLocations(base, next *document) []string {
	var all []string
	if next.Location != base.Location {
		all = append(all, next.Location)
	}
	for _, name := range []string{"write.data.path", "write.metadata.path"} {
		if value := next.Properties[name]; value != "" && value != base.Properties[name] {
			all = append(all, value)
		}
	}
	for _, s := range next.Snapshots {
		if s.fields.ManifestList != "" && base.find(s.fields.ID) == nil {
			all = append(all, s.fields.ManifestList)
		}
	}
	return all
}

// forget deletes metadata files that fell off the log, where the table says so.
func (c *catalog) forget(ctx context.Context, base, next *document) {
	if next.Properties["write.metadata.delete-after-commit.enabled"] != "true" {
		return
	}
	kept := map[string]bool{}
	for _, entry := range next.MetadataLog {
		kept[entry.File] = true
	}
	for _, entry := range base.MetadataLog {
		if !kept[entry.File] {
			c.files.remove(ctx, entry.File)
		}
	}
}

// commitCreate ends a staged create: the updates are the whole table.
func (s *Server) commitCreate(ctx context.Context, c *catalog, t *found, ch change) (*document, error) {
	var theirs []json.RawMessage
	var ours []update
	for _, u := range ch.updates {
		if isOwn(u.Action) {
			ours = append(ours, u)
		} else {
			theirs = append(theirs, u.raw)
		}
	}
	base, err := buildWithLibrary(theirs)
	if err != nil {
		return nil, err
	}
	metadata := base
	next, err := apply(base, "", ours, s.opts.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if next != nil {
		metadata = next
	}
	if err := c.allow(ctx, t.Table, "", metadata.Location); err != nil {
		return nil, err
	}
	if t.location, err = s.store(ctx, c, t.Table, "", metadata); err != nil {
		return nil, err
	}
	return metadata, nil
}

// libraryUpdates reads them as iceberg-go has them.
func libraryUpdates(raw []json.RawMessage) (table.Updates, error) {
	list, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	var updates table.Updates
	if err := json.Unmarshal(list, &updates); err != nil {
		return nil, malformed()
	}
	return updates, nil
}

// buildWithLibrary makes metadata from nothing but updates.
func buildWithLibrary(raw []json.RawMessage) (*document, error) {
	updates, err := libraryUpdates(raw)
	if err != nil {
		return nil, err
	}
	version := 2
	for _, r := range raw {
		var upgrade struct {
			Version int `json:"format-version"`
		}
		if json.Unmarshal(r, &upgrade) == nil && upgrade.Version != 0 {
			version = upgrade.Version
		}
	}
	b, err := table.NewMetadataBuilder(version)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	for _, u := range updates {
		if err := u.Apply(b); err != nil {
			return nil, badRequest("%v", err)
		}
	}
	metadata, err := b.Build()
	if err != nil {
		return nil, badRequest("%v", err)
	}
	data, err := encodeLibrary(metadata)
	if err != nil {
		return nil, err
	}
	return readDocument(data)
}

// fileNumber gives 12 for 00012-<id>.metadata.json, and -1 for other names.
func fileNumber(location string) int {
	number, _, _ := strings.Cut(path.Base(location), "-")
	n, err := strconv.Atoi(number)
	if err != nil {
		return -1
	}
	return n
}

func compress(data []byte) ([]byte, error) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
