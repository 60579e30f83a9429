package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// Stores are the object stores of one catalog. They keep one client per bucket
// and are safe for many goroutines.
type Stores struct {
	cfg      Config
	limiters *Limiters
	readable *Guard
	// roles is nil where no role is assumed.
	roles *roles

	mu      sync.Mutex
	closed  bool
	clients map[storeID]client
	ofJobs  map[JobStore]*Stores
}

// NewStores checks the configuration. Buckets are opened when they are first
// used, so that it makes no request.
func NewStores(cfg Config, limiters *Limiters) (*Stores, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("storage of catalog %q: %w", cfg.Name, err)
	}
	readable, err := NewGuard(cfg.Locations...)
	if err != nil {
		return nil, fmt.Errorf("storage of catalog %q: %w", cfg.Name, err)
	}
	if limiters == nil {
		limiters = NewLimiters()
	}
	stores := &Stores{cfg: cfg, limiters: limiters, readable: readable, clients: map[storeID]client{}}
	if cfg.Vended == nil && cfg.S3.Role.ARN != "" {
		stores.roles = newRoles(cfg.S3)
	}
	return stores, nil
}

// Guard allows the catalog's locations.
func (s *Stores) Guard() *Guard { return s.readable }

// Close gives back the connections. Sessions must be done with.
func (s *Stores) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, c := range s.clients {
		errs = append(errs, c.close())
	}
	clear(s.clients)
	for _, derived := range s.ofJobs {
		errs = append(errs, derived.Close())
	}
	clear(s.ofJobs)
	if s.roles != nil {
		s.roles.close()
	}
	return errors.Join(errs...)
}

// client opens a bucket the first time.
func (s *Stores) client(id storeID, open func(Config) (client, error)) (client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &Error{Reason: ErrUnavailable, Err: errors.New("the stores were closed")}
	}
	if c, ok := s.clients[id]; ok {
		return c, nil
	}
	c, err := open(s.cfg)
	if err != nil {
		return nil, err
	}
	s.clients[id] = c
	return c, nil
}

// SessionConfig is what one job may do.
type SessionConfig struct {
	// Guard says what may be deleted or written. nil: nothing.
	Guard *Guard
	// ReadGuard says what may be read and listed. nil: the catalog's locations.
	ReadGuard *Guard
	// FolderRoots concerns local files only. After a delete, parent folders that
	// are empty are removed, up to and including the root they lie in, never
	// above it, and never a location of the catalog's configuration. None:
	// empty folders stay.
	FolderRoots []Location
	// Writes says that the session writes or moves too, and does not only delete.
	// It concerns only what the keys of a role may do; see [S3Role].
	Writes bool
	// Versions deletes all versions of an object, and the markers that hide them, by
	// their ids: also of one that was deleted before. It concerns S3 buckets that keep
	// versions; a listing of them is asked for by each batch. A locked version stays,
	// and its object gets [ErrLocked]. Default: a delete leaves versions.
	Versions bool
	// OnSuccess is called after every successful request and while a long
	// object is being read. It must be safe for many goroutines. May be nil.
	OnSuccess func()
	// Logger gets retries at level debug and refused batch deletes at level
	// warn. Default: slog.Default().
	Logger *slog.Logger
}

// Session is one job's view of the stores. It is safe for many goroutines and
// needs no closing.
type Session struct {
	stores      *Stores
	guard       *Guard
	readGuard   *Guard
	folderRoots []Location
	log         *slog.Logger
	meter       *meter

	writes, versions bool

	roleMu   sync.Mutex
	roleKeys map[string]bucketKeys // by bucket
}

// Session makes a view that cannot write or delete outside cfg.Guard.
func (s *Stores) Session(cfg SessionConfig) *Session {
	session := &Session{
		stores: s, guard: cfg.Guard, readGuard: cfg.ReadGuard, folderRoots: cfg.FolderRoots, log: cfg.Logger, writes: cfg.Writes, versions: cfg.Versions,
		meter: &meter{onSuccess: cfg.OnSuccess, onRequest: s.cfg.OnRequest, onThrottle: s.cfg.OnThrottle},
	}
	if session.readGuard == nil {
		session.readGuard = s.readable
	}
	if session.log == nil {
		session.log = slog.Default()
	}
	return session
}

// Usage gives the counts so far.
func (s *Session) Usage() Usage { return s.meter.usage() }

// target gives the store for a location that the guard allows.
func (s *Session) target(ctx context.Context, op string, l Location, g *Guard) (target, error) {
	reached, err := openingOf(l)
	if err != nil {
		return target{}, err
	}
	t, err := reached.open(ctx, s, l, g)
	if err != nil {
		return target{}, locate(err, op, l)
	}
	return t, nil
}

func openingOf(l Location) (opening, error) {
	found, ok := backends[l.Scheme]
	if !ok {
		return opening{}, &LocationError{URI: l.String(), Detail: "no store is known for it", Reason: ErrUnsupportedScheme}
	}
	return found, nil
}

// storeIDOf tells which locations share a client.
func (s *Stores) storeIDOf(l Location) (storeID, error) {
	reached, err := openingOf(l)
	if err != nil {
		return storeID{}, err
	}
	name, err := reached.name(s, l)
	return storeID{l.Scheme, name}, err
}
