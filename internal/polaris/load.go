package polaris

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"deckhand/internal/table"
)

// LoadOptions of [Client.Load].
type LoadOptions struct {
	// ETag of an earlier load: when the table has not changed since, the answer is
	// NotModified. It is not sent with Vend.
	ETag string
	// Vend asks for credentials of the table's storage.
	Vend bool
	// Raw keeps the metadata as the server sent it.
	Raw bool
}

// Loaded is a table as the catalog has it.
type Loaded struct {
	// NotModified: the table is as it was at LoadOptions.ETag; all else is empty.
	NotModified bool
	// ETag exactly as the server wrote it, with W/ and quotes; "" without one, as
	// after a commit.
	ETag, MetadataLocation string
	Metadata               *table.Metadata
	// RawMetadata is nil unless LoadOptions.Raw was set.
	RawMetadata json.RawMessage
	// Config for the table's storage: endpoint, region and the like, and credentials
	// in servers that have them only here.
	Config map[string]string
	// Credentials by location; none unless LoadOptions.Vend was set and the server
	// vends them.
	Credentials []Credential
}

// Credential is for the locations that begin with Prefix.
type Credential struct {
	Prefix string            `json:"prefix"`
	Config map[string]string `json:"config"`
}

const (
	opConfig = "config"
	opLoad   = "loadTable"
	opCommit = "commitTable"
)

// Load gives the table with all its snapshots. The error wraps those of package
// table for metadata that is damaged, encrypted or too new.
func (c *Client) Load(ctx context.Context, id Identifier, o LoadOptions) (*Loaded, error) {
	s, err := c.settings(ctx)
	if err != nil {
		return nil, err
	}
	if err := id.check(s.separator); err != nil {
		return nil, err
	}
	r := &request{
		op: opLoad, method: http.MethodGet, path: s.table(id), header: http.Header{},
		// Only the heads of refs would be half of what deciding needs.
		query: url.Values{"snapshots": {"all"}},
	}
	switch {
	case o.Vend:
		r.header.Set(delegation, vendedCredentials)
	case o.ETag != "":
		r.header.Set("If-None-Match", o.ETag)
	}
	got, err := c.call(ctx, r)
	if o.Vend && vendsNothing(err) {
		r.header.Del(delegation)
		got, err = c.call(ctx, r)
	}
	if err != nil {
		return nil, c.missing(ctx, s, id, c.about(err))
	}
	if got.status == http.StatusNotModified {
		return &Loaded{NotModified: true}, nil
	}
	return r.loaded(got, o.Raw)
}

func (s *settings) table(id Identifier) string {
	return s.path("", "namespaces", s.namespace(id.Namespace), "tables", id.Name)
}

// loaded reads the answer to a load or a commit.
func (r *request) loaded(got *answer, raw bool) (*Loaded, error) {
	var said struct {
		MetadataLocation string            `json:"metadata-location"`
		Metadata         json.RawMessage   `json:"metadata"`
		Config           map[string]string `json:"config"`
		Credentials      []Credential      `json:"storage-credentials"`
	}
	if err := r.decode(got, &said); err != nil {
		return nil, err
	}
	if len(said.Metadata) == 0 {
		return nil, r.fail(got.status, ErrUnavailable, "the answer has no metadata", nil)
	}
	metadata, err := table.Parse(bytes.NewReader(said.Metadata))
	if err != nil {
		return nil, r.fail(got.status, ErrRejected, "", err)
	}
	if err := r.whole(got.status, metadata, said.Metadata); err != nil {
		return nil, err
	}
	l := &Loaded{
		ETag: got.header.Get("ETag"), MetadataLocation: said.MetadataLocation, Metadata: metadata,
		Config: said.Config, Credentials: said.Credentials,
	}
	if raw {
		l.RawMetadata = said.Metadata
	}
	return l, nil
}

// whole refuses metadata without the snapshots that its log and its refs name: what
// only those reach would seem to be nobody's.
func (r *request) whole(status int, metadata *table.Metadata, raw json.RawMessage) error {
	var log struct {
		Entries []struct {
			ID int64 `json:"snapshot-id"`
		} `json:"snapshot-log"`
	}
	if err := json.Unmarshal(raw, &log); err != nil {
		return r.fail(status, ErrRejected, "", err)
	}
	has := make(map[int64]bool, len(metadata.Snapshots))
	for _, snapshot := range metadata.Snapshots {
		has[snapshot.ID] = true
	}
	missing := 0
	for _, entry := range log.Entries {
		if !has[entry.ID] {
			missing++
		}
	}
	dangling := false
	for _, ref := range metadata.Refs {
		dangling = dangling || !has[ref.SnapshotID]
	}
	// Some writers leave expired snapshots in the log. What is left out is everything
	// but the heads of refs.
	if !dangling && (missing == 0 || !onlyHeads(metadata)) {
		return nil
	}
	return r.fail(status, ErrPartial, "switch the loading mode refs off, at the server or between; nothing can be decided on a part of a table", nil)
}

// onlyHeads: each snapshot is where a ref points to.
func onlyHeads(metadata *table.Metadata) bool {
	heads := make(map[int64]bool, len(metadata.Refs))
	for _, ref := range metadata.Refs {
		heads[ref.SnapshotID] = true
	}
	return !slices.ContainsFunc(metadata.Snapshots, func(s table.Snapshot) bool { return !heads[s.ID] })
}

// missing makes sure that a table which is said to be gone is: the catalog must be
// there, and nothing else of its name.
func (c *Client) missing(ctx context.Context, s *settings, id Identifier, err error) error {
	var e *Error
	if !errors.As(err, &e) || !errors.Is(e.Reason, ErrNotFound) && !errors.Is(e.Reason, ErrNoNamespace) {
		return err
	}
	// An unknown catalog has no tables either, to a server that is asked for one.
	if _, gone := c.askSettings(ctx); gone != nil {
		return gone
	}
	if !errors.Is(e.Reason, ErrNotFound) {
		return err
	}
	endpoints := s.has()
	for _, other := range []struct {
		offered          bool
		root, kind, what string
	}{
		{endpoints.Views, "", "views", "a view"},
		{endpoints.GenericTables, "/polaris", "generic-tables", "a generic table"},
	} {
		if !other.offered {
			continue
		}
		r := &request{op: "load " + other.kind, method: http.MethodGet, path: s.path(other.root, "namespaces", s.namespace(id.Namespace), other.kind, id.Name)}
		_, lookErr := c.attempt(ctx, r)
		// Polaris looks before it refuses; another server may refuse everything.
		if lookErr == nil || endpoints.Policies && errors.Is(lookErr, ErrForbidden) {
			e.Reason, e.Hint = ErrNotATable, id.String()+" is "+other.what+"; only Iceberg tables are maintained"
			return c.about(e)
		}
	}
	return err
}
