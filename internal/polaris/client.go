package polaris

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// Client talks to one catalog. It is safe for many goroutines.
type Client struct{}

// New makes a client; no request is made.
func New(cfg Config) (*Client, error) { return &Client{}, nil }

// Close gives back the connections.
func (c *Client) Close() error { return nil }

// Endpoints is what a server offers.
type Endpoints struct {
	// Policies, Views and GenericTables can be asked for.
	Policies, Views, GenericTables bool
	// Idempotency is how long the server remembers an Idempotency-Key; 0: it takes
	// none.
	Idempotency time.Duration
}

// Endpoints of the server, which are asked for once.
func (c *Client) Endpoints(ctx context.Context) (Endpoints, error) { return Endpoints{}, nil }

// Namespaces yields those right below parent; nil: the topmost.
func (c *Client) Namespaces(ctx context.Context, parent []string) iter.Seq2[[]string, error] {
	return nil
}

// Tables yields the Iceberg tables of a namespace.
func (c *Client) Tables(ctx context.Context, namespace []string) iter.Seq2[Identifier, error] {
	return nil
}

// Views yields the views of a namespace; none where the server has none.
func (c *Client) Views(ctx context.Context, namespace []string) iter.Seq2[Identifier, error] {
	return nil
}

// GenericTables yields the tables of other formats; none where the server has none.
func (c *Client) GenericTables(ctx context.Context, namespace []string) iter.Seq2[Identifier, error] {
	return nil
}

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

// Load gives the table with all its snapshots.
func (c *Client) Load(ctx context.Context, id Identifier, o LoadOptions) (*Loaded, error) {
	return nil, nil
}

// Credential is for the locations that begin with Prefix.
type Credential struct {
	Prefix string
	Config map[string]string
}

// Credentials asks for fresh ones for a table.
func (c *Client) Credentials(ctx context.Context, id Identifier) ([]Credential, error) {
	return nil, nil
}

// Commit changes the table if it meets the requirements.
func (c *Client) Commit(ctx context.Context, id Identifier, requirements []iceberg.Requirement, updates []iceberg.Update) (*Loaded, error) {
	return nil, nil
}

// Policy as the server answers that it applies to a table.
type Policy struct {
	Type, Name, Description string
	// Content is the policy's JSON, as it was written.
	Content string
	Version int
	// Inherited: it is attached to the catalog or a namespace, not to the table.
	Inherited bool
	// Namespace in which the policy lives, not where it is attached.
	Namespace []string
}

// Policies that apply to a table.
func (c *Client) Policies(ctx context.Context, id Identifier) ([]Policy, error) { return nil, nil }

// Stores opens the table's storage.
func (c *Client) Stores(ctx context.Context, id Identifier, loaded *Loaded, base storage.Config, limiters *storage.Limiters) (*storage.Stores, error) {
	return nil, nil
}
