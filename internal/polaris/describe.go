package polaris

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Description is what tells a table or a view from others, and where its files lie,
// as far as the catalog tells. It is read leniently: the table may be of a format
// that this version does not know, or encrypted.
type Description struct {
	// NotModified: it is as it was at the ETag that was given; all else is empty.
	NotModified bool
	// ETag exactly as the server wrote it, "" without one, as for views and generic
	// tables.
	ETag string
	// UUID of the table or view; "" in some tables of format 1, and in generic ones.
	UUID string
	// MetadataLocation is the metadata file; "" of a generic table.
	MetadataLocation string
	// MetadataLog names the earlier metadata files of a table, oldest first.
	MetadataLog []string
	// Locations are where it keeps its files: its location, what its properties say
	// of data and metadata, and the folder of its metadata file. As the catalog
	// writes them, without repeats; a generic table need not have any.
	Locations []string
}

const (
	opLoadView    = "loadView"
	opLoadGeneric = "loadGenericTable"
)

// loads read a metadata file for their answer.
var loads = []string{opLoad, opLoadView}

// locationProperties are those of a table or view that name a folder of its own.
// The last two are older names of write.data.path.
var locationProperties = []string{
	"write.data.path", "write.metadata.path", "write.object-storage.path", "write.folder-storage.path",
}

// DescribeTable describes an Iceberg table; etag is that of an earlier description,
// or "". A 404 of the catalog is taken at its word ([ErrNotFound],
// [ErrNoNamespace]): unlike Load it is not asked what else has the name, nor whether
// the catalog itself is there; see [Client.Present].
func (c *Client) DescribeTable(ctx context.Context, id Identifier, etag string) (*Description, error) {
	// Its history is not needed. Polaris cannot leave it out of tables that have
	// statistics of a snapshot without a ref.
	d, err := c.describe(ctx, opLoad, "", "tables", id, etag, url.Values{"snapshots": {"refs"}})
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusBadRequest && e.Type != "NotFoundException" {
		d, err = c.describe(ctx, opLoad, "", "tables", id, etag, url.Values{"snapshots": {"all"}})
	}
	return d, err
}

// DescribeView describes a view, as DescribeTable does.
func (c *Client) DescribeView(ctx context.Context, id Identifier, etag string) (*Description, error) {
	return c.describe(ctx, opLoadView, "", "views", id, etag, nil)
}

// DescribeGenericTable describes a table of another format, as DescribeTable does.
func (c *Client) DescribeGenericTable(ctx context.Context, id Identifier, etag string) (*Description, error) {
	return c.describe(ctx, opLoadGeneric, "/polaris", "generic-tables", id, etag, nil)
}

// Present asks whether the catalog is there: the error wraps ErrNoCatalog when it is
// not. To a server that is asked for one, an unknown catalog has no namespaces
// either.
func (c *Client) Present(ctx context.Context) error {
	_, err := c.askSettings(ctx)
	return err
}

func (c *Client) describe(ctx context.Context, op, root, kind string, id Identifier, etag string, query url.Values) (*Description, error) {
	s, err := c.settings(ctx)
	if err != nil {
		return nil, err
	}
	if err := id.check(s.separator); err != nil {
		return nil, err
	}
	r := &request{
		op: op, method: http.MethodGet, header: http.Header{}, query: query,
		path: s.path(root, "namespaces", s.namespace(id.Namespace), kind, id.Name),
	}
	if etag != "" {
		r.header.Set("If-None-Match", etag)
	}
	got, err := c.call(ctx, r)
	if err != nil {
		return nil, c.about(err)
	}
	if got.status == http.StatusNotModified {
		return &Description{NotModified: true}, nil
	}
	d, err := r.description(got)
	if err != nil {
		return nil, c.about(err)
	}
	return d, nil
}

// description reads the answer to a load of any kind. An answer that does not tell
// what it is about is no answer.
func (r *request) description(got *answer) (*Description, error) {
	var said struct {
		MetadataLocation string `json:"metadata-location"`
		Metadata         *struct {
			TableUUID  string            `json:"table-uuid"`
			ViewUUID   string            `json:"view-uuid"`
			Location   string            `json:"location"`
			Properties map[string]string `json:"properties"`
			Log        []struct {
				File string `json:"metadata-file"`
			} `json:"metadata-log"`
		} `json:"metadata"`
		Generic *struct {
			Location   string            `json:"base-location"`
			Properties map[string]string `json:"properties"`
		} `json:"table"`
	}
	if err := json.Unmarshal(got.body, &said); err != nil {
		return nil, r.fail(got.status, ErrUnavailable, hintNoCatalog, err)
	}
	d := &Description{ETag: got.header.Get("ETag"), MetadataLocation: said.MetadataLocation}
	switch m := said.Metadata; {
	case m != nil && m.Location != "":
		d.UUID = m.TableUUID + m.ViewUUID
		d.locate(m.Location, m.Properties)
		for _, entry := range m.Log {
			d.MetadataLog = append(d.MetadataLog, entry.File)
		}
	case said.Generic != nil:
		d.locate(said.Generic.Location, said.Generic.Properties)
	default:
		return nil, r.fail(got.status, ErrUnavailable, "the answer has no metadata", nil)
	}
	return d, nil
}

// locate gathers the locations.
func (d *Description) locate(location string, properties map[string]string) {
	add := func(l string) {
		for _, have := range d.Locations {
			if have == l || strings.HasPrefix(l, strings.TrimSuffix(have, "/")+"/") && have != "" {
				return
			}
		}
		if l != "" {
			d.Locations = append(d.Locations, l)
		}
	}
	add(location)
	for _, property := range locationProperties {
		add(properties[property])
	}
	if folder, name := path.Split(d.MetadataLocation); name != "" {
		add(strings.TrimSuffix(folder, "/"))
	}
}
