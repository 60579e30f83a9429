package storetest

import (
	"net/http"

	"deckhand/internal/storage"
)

// Store is one store under test.
type Store struct {
	// Root is a folder, or a whole bucket, that is empty: "s3://warehouse/". Each
	// case works in a folder of its own below it. The bucket exists. Required.
	Root string
	// Endpoint is the address of the server, "" for a store without one.
	Endpoint string
	// Config says how the store is reached at an endpoint, which is that of the
	// server or of the proxy before it. Name and Locations are filled in. Required.
	Config func(endpoint string) storage.Config
	// Wrong is Config with credentials that the store refuses; nil: it takes any.
	Wrong func(endpoint string) storage.Config
	// Secrets are those of Config and Wrong; no error may hold one.
	Secrets []string
	// Throttled are the answers by which the store asks to slow down; none for a
	// store without an endpoint.
	Throttled []Answer
	// Fate says what becomes of a key that ends with an odd name, which may hold
	// slashes and be of any length; nil: the store holds every one.
	Fate func(name string) Fate
	// Put makes an object as another program would; nil: by [storage.Session.Write].
	Put func(key string, data []byte) error
	// Objects are so many that a listing of them takes more than two answers.
	// Default: 2,100.
	Objects int
	// Batch is how many keys one request deletes, 1 without batches; Odd how many
	// requests more it may take to find that out.
	Batch, Odd int
	// NoBucket is the address of a bucket that does not exist, "" for a store that
	// has none or cannot tell.
	NoBucket string
}

// Fate is what becomes of a key.
type Fate int

const (
	// Held: the store holds an object of exactly that name.
	Held Fate = iota
	// Refused: writing it is refused in words ([storage.ErrRejected]), and deleting
	// it either is too, or leaves everything else alone.
	Refused
	// Untold: this server is wrong about it, in a way that the store it stands for
	// is not; nothing is tried.
	Untold
)

// Answer is what a server answers in place of doing what it was asked.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}
