package ownership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"deckhand/internal/polaris"
)

// Relation is how the location of a neighbour lies to the table's own.
type Relation string

// The relations.
const (
	// Within: inside one of the table's locations.
	Within Relation = "inside"
	// Same: it is one of the table's locations.
	Same Relation = "the same as"
	// Around: one of the table's locations lies inside.
	Around Relation = "around"
)

// Neighbour is another table or view whose files lie where the table's do.
type Neighbour struct {
	Kind Kind
	ID   polaris.Identifier
	// Location of the neighbour, as the catalog writes it, and Own, the one of Query
	// that it touches.
	Location, Own string
	Relation      Relation
}

// Surroundings is the answer of [Index.Inside].
type Surroundings struct {
	// Neighbours by name; one for each pair of locations that touch.
	Neighbours []Neighbour
	// Unasked says what the catalog does not let this principal see, with the grant
	// that would help: views and tables of other formats only, since a missing right
	// to list Iceberg tables is an error.
	Unasked []string
	// Looked is when the looks began that the answer is from, the oldest of them.
	Looked time.Time
}

// Inside says which other Iceberg tables, tables of other formats and views have a
// location that lies inside one of the query's, is the same, or contains it. The
// errors are those of package polaris, and [*UnreadableError]: then nobody knows.
func (x *Index) Inside(ctx context.Context, q Query) (*Surroundings, error) {
	q = q.withDefaults()
	var own []spot
	for _, location := range q.Locations {
		own = append(own, newSpot(location))
	}
	found := &Surroundings{}
	for _, kind := range []Kind{Table, Generic, View} {
		err := x.inside(ctx, found, kind, q, own)
		switch {
		case kind != Table && errors.Is(err, polaris.ErrForbidden):
			found.Unasked = append(found.Unasked, fmt.Sprintf("the %ss: %v", kind, err))
		case err != nil:
			return nil, err
		}
		q.Alive()
	}
	slices.SortFunc(found.Neighbours, func(a, b Neighbour) int {
		return cmp.Or(cmp.Compare(a.ID.String(), b.ID.String()), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Location, b.Location), cmp.Compare(a.Own, b.Own))
	})
	return found, nil
}

// inside adds those of a kind.
func (x *Index) inside(ctx context.Context, found *Surroundings, kind Kind, q Query, own []spot) error {
	shelves, looked, err := x.fresh(ctx, q, kind, time.Time{})
	if err != nil {
		return err
	}
	if found.Looked.IsZero() || looked.Before(found.Looked) {
		found.Looked = looked
	}
	var forbidden error
	for _, s := range shelves {
		err := s.surround(ctx, found, q, own)
		switch {
		case errors.Is(err, polaris.ErrForbidden):
			forbidden = cmp.Or(forbidden, err)
		case err != nil:
			return err
		}
	}
	return forbidden
}

// surround adds what the shelf has. The error is of what could not be looked at; what
// may not be is no reason to leave out the rest.
func (s *shelf) surround(ctx context.Context, found *Surroundings, q Query, own []spot) error {
	_, unknown := s.suspects(wanted{}, q)
	var forbidden error
	for _, name := range unknown {
		_, err := s.again(ctx, name)
		switch {
		case errors.Is(err, polaris.ErrForbidden):
			forbidden = cmp.Or(forbidden, err)
		case err != nil:
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, e := range s.entries {
		if s.kind == Table && name == q.ID.Name && slices.Equal(s.namespace, q.ID.Namespace) {
			continue
		}
		for _, touching := range e.touching(own) {
			touching.Kind, touching.ID = s.kind, s.id(name)
			found.Neighbours = append(found.Neighbours, touching)
		}
	}
	return forbidden
}
