package ownership

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/polaris"
)

// shelf is what is known of one kind in one namespace.
type shelf struct {
	cfg       Config
	kind      Kind
	namespace []string
	sharing   *sharing
	renewals  *sharing
	// asked is when somebody asked last; the index's lock guards it.
	asked time.Time

	mu      sync.Mutex
	entries map[string]*entry
}

func newShelf(cfg Config, kind Kind, namespace []string) *shelf {
	return &shelf{cfg: cfg, kind: kind, namespace: namespace, sharing: newSharing(), renewals: newSharing(), entries: map[string]*entry{}}
}

// fresh looks through the namespace unless that was done lately.
func (s *shelf) fresh(ctx context.Context, alive func()) (began time.Time, err error) {
	return s.sharing.do(ctx, s.cfg, alive, time.Time{}, func(ctx context.Context, alive func()) (time.Time, error) {
		return time.Time{}, s.look(ctx, alive)
	})
}

// renew asks for the names that are new since some time. The others are not described
// anew: a table that is renamed and dropped under its new name, as tools do that build
// it anew beside the old one, would else cost a look each time.
func (s *shelf) renew(ctx context.Context, alive func(), after time.Time) error {
	_, err := s.renewals.do(ctx, s.cfg, alive, after, func(ctx context.Context, alive func()) (time.Time, error) {
		s.mu.Lock()
		known := make(map[string]bool, len(s.entries))
		for name := range s.entries {
			known[name] = true
		}
		s.mu.Unlock()
		seen := newSight()
		err := s.see(ctx, alive, seen, known)
		s.add(seen)
		return time.Time{}, err
	})
	return err
}

const (
	// giveUp is how many tables, one after another, a server may fail on that answers
	// otherwise; then it is the server.
	giveUp = 3
	// relists is how often a look lists the namespace anew since names were gone before
	// they were asked for: somebody who is at it all the time is not waited for.
	relists = 3
)

// look lists the namespace and describes everything in it. A namespace that is gone
// is empty. What was renamed meanwhile is looked for under its new name. What was
// known before answers until the look has ended: half of it would have lost the old
// name of a table that was renamed, and not have the new one yet.
func (s *shelf) look(ctx context.Context, alive func()) error {
	seen := newSight()
	if err := s.see(ctx, alive, seen, nil); err != nil {
		s.add(seen) // so that the ETags are known next time
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = seen.entries
	return nil
}

// add what was not known.
func (s *shelf) add(seen *sight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, e := range seen.entries {
		if s.entries[name] == nil {
			s.entries[name] = e
		}
	}
}

// see describes all that are listed but those that are known.
func (s *shelf) see(ctx context.Context, alive func(), seen *sight, known map[string]bool) error {
	names, err := s.list(ctx, alive)
	if err != nil {
		return err
	}
	todo := map[string]bool{}
	for name := range names {
		if !known[name] {
			todo[name] = true
		}
	}
	for round := 0; ; round++ {
		gone, err := s.describeAll(ctx, todo, alive, seen)
		if err != nil || !gone || round == relists {
			return err
		}
		listed, err := s.list(ctx, alive)
		if err != nil {
			return err
		}
		todo = map[string]bool{}
		for name := range listed {
			if !names[name] {
				todo[name], names[name] = true, true
			}
		}
	}
}

// describeAll says whether one of them is gone.
func (s *shelf) describeAll(ctx context.Context, names map[string]bool, alive func(), seen *sight) (bool, error) {
	var failing atomic.Int64
	var gone atomic.Bool
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(s.cfg.Parallel)
	for name := range names {
		if within.Err() != nil {
			break
		}
		group.Go(func() error {
			e, err := s.ask(within, name)
			switch {
			case err == nil && e == nil:
				failing.Store(0)
				gone.Store(true)
			case err == nil:
				failing.Store(0)
				seen.put(name, e)
			case ownTrouble(err) && failing.Add(1) < giveUp:
				// Only its text: an outage it is not.
				seen.put(name, &entry{unknown: errors.New(err.Error())})
			default:
				return fmt.Errorf("ask for %s %s: %w", s.kind, s.id(name), err)
			}
			alive()
			return nil
		})
	}
	err := group.Wait()
	return gone.Load(), err
}

func (s *shelf) list(ctx context.Context, alive func()) (map[string]bool, error) {
	names := map[string]bool{}
	for id, err := range s.lister()(ctx, s.namespace) {
		switch {
		case errors.Is(err, polaris.ErrNoNamespace):
			return nil, s.unlisted(s.cfg.Client.Present(ctx))
		case err != nil:
			return nil, s.unlisted(err)
		}
		if names[id.Name] {
			continue // a list that goes round in circles is no sign of life
		}
		names[id.Name] = true
		if len(names)%500 == 0 {
			alive()
		}
	}
	return names, nil
}

func (s *shelf) unlisted(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("list the %ss of %s: %w", s.kind, place(s.namespace), err)
}

func (s *shelf) lister() func(context.Context, []string) iter.Seq2[polaris.Identifier, error] {
	switch s.kind {
	case View:
		return s.cfg.Client.Views
	case Generic:
		return s.cfg.Client.GenericTables
	}
	return s.cfg.Client.Tables
}

func (s *shelf) describer() func(context.Context, polaris.Identifier, string) (*polaris.Description, error) {
	switch s.kind {
	case View:
		return s.cfg.Client.DescribeView
	case Generic:
		return s.cfg.Client.DescribeGenericTable
	}
	return s.cfg.Client.DescribeTable
}

func (s *shelf) id(name string) polaris.Identifier {
	return polaris.Identifier{Namespace: s.namespace, Name: name}
}

// describe asks for one name and remembers the answer; see ask.
func (s *shelf) describe(ctx context.Context, name string) (*entry, error) {
	e, err := s.ask(ctx, name)
	if err == nil {
		s.put(name, e)
	}
	return e, err
}

// ask asks for one name; nil when there is none of that name. The entry may be of
// something that the catalog cannot read. An error says nothing about the name.
func (s *shelf) ask(ctx context.Context, name string) (*entry, error) {
	s.mu.Lock()
	known := s.entries[name]
	s.mu.Unlock()
	etag := ""
	if known != nil {
		etag = known.etag
	}
	d, err := s.describer()(ctx, s.id(name), etag)
	switch {
	case errors.Is(err, polaris.ErrNotFound), errors.Is(err, polaris.ErrNoNamespace):
		return nil, nil
	case unreadable(err):
		return &entry{unknown: err}, nil
	case err != nil:
		return nil, err
	case d.NotModified:
		return known, nil
	}
	return newEntry(d), nil
}

// unreadable errors are about the one table. The others are looked at all the same,
// so that the look is not begun anew by each question.
func unreadable(err error) bool {
	return errors.Is(err, polaris.ErrDamaged) || errors.Is(err, polaris.ErrRejected) || errors.Is(err, polaris.ErrForbidden)
}

// ownTrouble says that the error may be the table's own: a server can fail on one, or
// take too long for it, and answer for all others. A server, or a store, that is away
// looks the same for each table, see giveUp.
func ownTrouble(err error) bool {
	var e *polaris.Error
	return errors.As(err, &e) && errors.Is(e.Reason, polaris.ErrUnavailable) && e.Status != http.StatusTooManyRequests
}

func (s *shelf) put(name string, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e == nil {
		delete(s.entries, name)
		return
	}
	s.entries[name] = e
}

// size is how much the shelf remembers; an empty one counts too.
func (s *shelf) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 1 + len(s.entries)
}
