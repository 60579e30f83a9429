package ownership

import "deckhand/internal/polaris"

// Kind is a kind of inhabitant of a namespace.
type Kind string

// The kinds.
const (
	Table   Kind = "table"
	View    Kind = "view"
	Generic Kind = "generic table"
)

// Query is about one table or view: the one that was dropped, for [Index.Owner], or
// one that lives, for [Index.Inside].
type Query struct {
	// Kind is Table or View; only Owner looks at it. Default Table.
	Kind Kind
	// ID is the name that it has or had.
	ID polaris.Identifier
	// Mode is Namespace or Catalog. Default Namespace.
	Mode Mode
	// UUID, "" where it is not known.
	UUID string
	// MetadataLocation is its metadata file, "" where it is not known, and
	// MetadataLog names the earlier ones.
	MetadataLocation string
	MetadataLog      []string
	// Locations are where it keeps its files. Inside needs them. Owner compares them
	// only where one of two UUIDs is not known: then whoever has a location that is one
	// of them, lies inside or contains one, is an owner.
	Locations []string
	// NameTells: what is known of the dropped table is so little that whoever has its
	// name is taken for the owner, whatever else it has.
	NameTells bool
	// Alive is called again and again while the catalog answers, by several
	// goroutines. May be nil.
	Alive func()
}

// OnlyName says that nothing but the name of what was dropped is known: then Owner
// asks for that alone, and takes whoever has it for the owner.
func (q Query) OnlyName() bool {
	return q.UUID == "" && q.MetadataLocation == "" && len(q.MetadataLog)+len(q.Locations) == 0
}

func (q Query) withDefaults() Query {
	if q.Kind == "" {
		q.Kind = Table
	}
	if q.Mode == "" {
		q.Mode = Namespace
	}
	if q.Alive == nil {
		q.Alive = func() {}
	}
	return q
}
