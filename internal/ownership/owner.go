package ownership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"deckhand/internal/polaris"
)

// Owner is a live table or view to which the files belong.
type Owner struct {
	Kind Kind
	ID   polaris.Identifier
	// UUID and MetadataLocation that it has.
	UUID, MetadataLocation string
	// Why says what it has in common with the one that was asked about, as "it has
	// the same UUID …".
	Why string
}

// Answer of [Index.Owner].
type Answer struct {
	// Owner is nil when nobody owns the files.
	Owner *Owner
	// Looked is when the looks began that the answer is from, the oldest of them; zero
	// where only the name was asked for. Asked is when that was.
	Looked, Asked time.Time
}

// Since is when the oldest of what the answer rests on was asked for.
func (a *Answer) Since() time.Time {
	if a.Looked.IsZero() || !a.Asked.IsZero() && a.Asked.Before(a.Looked) {
		return a.Asked
	}
	return a.Looked
}

// ErrUnreadable: the catalog has a table, or a view, and cannot read its metadata
// file, so that nobody knows whose the files are. It is no outage: other tables can
// be read, and waiting alone may not help.
var ErrUnreadable = errors.New("the catalog cannot tell what it is")

// UnreadableError names what the catalog has and cannot read. It wraps
// ErrUnreadable and the catalog's error.
type UnreadableError struct {
	Kind Kind
	ID   polaris.Identifier
	Err  error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s %s: %v: %v", e.Kind, e.ID, ErrUnreadable, e.Err)
}

// Unwrap gives both.
func (e *UnreadableError) Unwrap() []error { return []error{ErrUnreadable, e.Err} }

// Owner says which live table, or view, the dropped one lives on as: one that has
// its UUID, its metadata file or one of the earlier ones, or that descends from one
// of these. The errors are those of package polaris, and [*UnreadableError]: then
// nobody knows.
func (x *Index) Owner(ctx context.Context, q Query) (*Answer, error) {
	q = q.withDefaults()
	want, answer := newWanted(q), &Answer{}
	var shelves []*shelf
	var unreadable *UnreadableError
	var err error
	if !q.OnlyName() {
		if shelves, answer.Looked, err = x.fresh(ctx, q, q.Kind); err != nil {
			return nil, err
		}
	}
	for _, s := range shelves {
		suspects, unknown := s.suspects(want, q)
		for _, name := range suspects {
			if answer.Owner, err = s.confirm(ctx, name, want); answer.Owner != nil || err != nil {
				return answer, err
			}
		}
		if unreadable == nil {
			unreadable = unknown
		}
	}
	answer.Asked = x.cfg.Now()
	answer.Owner, err = x.shelf(q.Kind, q.ID.Namespace).confirm(ctx, q.ID.Name, want)
	switch {
	case answer.Owner != nil:
		return answer, nil
	case err != nil:
		return nil, err
	case unreadable != nil:
		return nil, unreadable
	}
	q.Alive()
	return answer, nil
}

// suspects are the names, but the one that is asked for anyway, that may be owners,
// and one that cannot be told.
func (s *shelf) suspects(want wanted, q Query) (names []string, unknown *UnreadableError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, e := range s.entries {
		switch {
		case name == q.ID.Name && slices.Equal(s.namespace, q.ID.Namespace):
		case e.unknown != nil:
			if unknown == nil || strings.Compare(name, unknown.ID.Name) < 0 {
				unknown = &UnreadableError{Kind: s.kind, ID: s.id(name), Err: e.unknown}
			}
		case want.why(e) != "":
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, unknown
}

// confirm asks for the name now.
func (s *shelf) confirm(ctx context.Context, name string, want wanted) (*Owner, error) {
	e, err := s.describe(ctx, name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask for %s %s: %w", s.kind, s.id(name), err)
	case e == nil:
		return nil, nil
	case e.unknown != nil:
		return nil, &UnreadableError{Kind: s.kind, ID: s.id(name), Err: e.unknown}
	}
	why := want.why(e)
	if why == "" {
		return nil, nil
	}
	return &Owner{Kind: s.kind, ID: s.id(name), UUID: e.uuid, MetadataLocation: e.root, Why: why}, nil
}
