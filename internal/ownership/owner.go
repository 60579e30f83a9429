package ownership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"deckhand/internal/polaris"
	"deckhand/jobs"
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
	owner, unreadable, err := x.elsewhere(ctx, want, q, answer)
	if err != nil {
		return nil, err
	}
	if owner == nil {
		answer.Asked = x.cfg.Now()
		want.name = q.NameTells || q.OnlyName()
		owner, err = x.shelf(q.Kind, q.ID.Namespace).confirm(ctx, q.ID.Name, want)
		if err = cmp.Or(err, unreadable); owner == nil && err != nil {
			return nil, err
		}
		q.Alive()
	}
	answer.Owner = owner
	return answer, nil
}

// maxLooks bounds the looks for one question: what was the owner when it was looked
// at is gone again and again.
const maxLooks = 3

// elsewhere looks for the owner among all that have another name. What is known to
// have been the owner and is not there any more may have another name by now, that
// only a new look can tell. unreadable is of one that cannot be told.
func (x *Index) elsewhere(ctx context.Context, want wanted, q Query, answer *Answer) (owner *Owner, unreadable, err error) {
	if q.OnlyName() {
		return nil, nil, x.cfg.Client.Present(ctx)
	}
	var after time.Time
	for range maxLooks {
		var others []*shelf
		if others, answer.Looked, err = x.fresh(ctx, q, q.Kind, after); err != nil {
			return nil, nil, err
		}
		moved := false
		unreadable = nil
		for _, s := range others {
			owner, left, err := s.owner(ctx, want, q)
			switch {
			case errors.Is(err, ErrUnreadable):
				unreadable = cmp.Or(unreadable, err)
			case err != nil:
				return nil, nil, err
			case owner != nil:
				answer.Asked = x.cfg.Now()
				return owner, nil, nil
			}
			moved = moved || left
		}
		if !moved {
			return nil, unreadable, nil
		}
		after = x.cfg.Now()
	}
	return nil, nil, fmt.Errorf("%w: tables with the same files come and go in %s while it is looked at", jobs.ErrUnavailable, place(q.ID.Namespace))
}

// owner among all on the shelf but the one that has the name. left says that one
// which might have been it is not there any more. The error is [*UnreadableError]
// when one cannot be told and no other is the owner.
func (s *shelf) owner(ctx context.Context, want wanted, q Query) (owner *Owner, left bool, err error) {
	suspects, unknown := s.suspects(want, q)
	for i, name := range append(suspects, unknown...) {
		e, err := s.again(ctx, name)
		if err != nil {
			return nil, left, err
		}
		if owner := s.judge(name, e, want); owner != nil {
			return owner, left, nil
		}
		left = left || e == nil || i < len(suspects)
	}
	return nil, left, nil
}

// suspects are the names that may be owners, and those of which nothing is known.
func (s *shelf) suspects(want wanted, q Query) (names, unknown []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, e := range s.entries {
		switch {
		case name == q.ID.Name && slices.Equal(s.namespace, q.ID.Namespace):
		case e.unknown != nil:
			unknown = append(unknown, name)
		case want.why(e) != "":
			names = append(names, name)
		}
	}
	slices.Sort(names)
	slices.Sort(unknown)
	return names, unknown
}

// confirm asks for the name now.
func (s *shelf) confirm(ctx context.Context, name string, want wanted) (*Owner, error) {
	e, err := s.again(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.judge(name, e, want), nil
}

// judge says whether the entry, nil for none, is the owner.
func (s *shelf) judge(name string, e *entry, want wanted) *Owner {
	if e == nil {
		return nil
	}
	why := want.why(e)
	if why == "" {
		return nil
	}
	return &Owner{Kind: s.kind, ID: s.id(name), UUID: e.uuid, MetadataLocation: e.root, Why: why}
}

// again asks for the name, outside of a look; nil when there is none of that name.
// The error is [*UnreadableError] when it cannot be told what it is.
func (s *shelf) again(ctx context.Context, name string) (*entry, error) {
	s.mu.Lock()
	known := s.entries[name]
	s.mu.Unlock()
	e, err := s.describe(ctx, name)
	if known != nil && known.unknown != nil && ownTrouble(err) { // it goes on
		e, err = known, nil
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask for %s %s: %w", s.kind, s.id(name), err)
	case e == nil || e.unknown == nil:
		return e, nil
	case errors.Is(e.unknown, polaris.ErrForbidden):
		return nil, fmt.Errorf("ask for %s %s: %w", s.kind, s.id(name), e.unknown)
	}
	return nil, &UnreadableError{Kind: s.kind, ID: s.id(name), Err: e.unknown}
}
