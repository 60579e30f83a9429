package conformance

import "deckhand/internal/storage"

// Target is a server to test and what it can do.
type Target struct {
	// URI of the catalog interface: http://127.0.0.1:8181/api/catalog.
	URI string
	// Management is the address of Polaris' management interface,
	// http://127.0.0.1:8181/api/management; with it, catalog and principal are made
	// by the suite. Empty: there is none, Warehouse is used as it is.
	Management string
	// Root is "client_id:client_secret" of who may do everything; empty: the server
	// asks for no token.
	Root string
	// Realm is sent along; empty: none. With a realm, a wrong one is tried too.
	Realm string
	// Warehouse is the catalog's name. With Management it must not exist yet.
	Warehouse string
	// Location below which the catalog is made: "file:///folder" or
	// "s3://bucket/folder".
	Location string
	// S3 opens the store of an s3:// Location from outside; its endpoint and region
	// are told to the server.
	S3 storage.S3Config
	// Policies, generic tables and everything else of Polaris' own interface.
	Policies bool
	// Vending is true where an s3:// catalog hands out credentials.
	Vending bool
	// ETags is true where a load tells one and honours it.
	ETags bool
}
