package storage

import (
	"context"
	"io"
	"iter"
	"log/slog"
	"time"
)

type Limiters struct{}

func NewLimiters() *Limiters { return &Limiters{} }

type Stores struct{}

func NewStores(cfg Config, limiters *Limiters) (*Stores, error) { panic("not yet") }
func (s *Stores) Close() error                                  { panic("not yet") }

// SessionConfig is one job's view of the stores.
type SessionConfig struct {
	// Guard says what may be deleted or written. nil: nothing.
	Guard *Guard
	// ReadGuard says what may be read and listed. nil: the catalog's locations.
	ReadGuard *Guard
	// FolderRoots: local files only. After unlinking, parent folders that
	// became empty are removed, up to and including but never above the root
	// they lie in. None: folders stay.
	FolderRoots []Location
	// OnSuccess is called after every successful request.
	OnSuccess func()
	// Logger defaults to slog.Default().
	Logger *slog.Logger
}

func (s *Stores) Session(cfg SessionConfig) *Session { panic("not yet") }

type Session struct{}

type Info struct {
	Size    int64
	ModTime time.Time
}

func (s *Session) Open(ctx context.Context, l Location) (io.ReadCloser, Info, error) {
	panic("not yet")
}
func (s *Session) OpenRange(ctx context.Context, l Location, offset, length int64) (io.ReadCloser, error) {
	panic("not yet")
}
func (s *Session) ReadAll(ctx context.Context, l Location, limit int64) ([]byte, error) {
	panic("not yet")
}
func (s *Session) Write(ctx context.Context, l Location, data []byte) error { panic("not yet") }

type Object struct {
	Location Location
	Size     int64
	ModTime  time.Time
}

func (s *Session) List(ctx context.Context, prefix Location) iter.Seq2[Object, error] {
	panic("not yet")
}
func (s *Session) ListLimit(ctx context.Context, prefix Location, limit int) iter.Seq2[Object, error] {
	panic("not yet")
}

type Deletion struct {
	Location Location
	Tag      int64
	Err      error
}

func (s *Session) Delete(ctx context.Context, locations []Location) []Deletion { panic("not yet") }

type DeleterConfig struct {
	BatchSize int
	InFlight  int
	OnResult  func(Deletion)
}

func (s *Session) NewDeleter(ctx context.Context, cfg DeleterConfig) *Deleter { panic("not yet") }

type Deleter struct{}

func (d *Deleter) Add(l Location, tag int64) error { panic("not yet") }
func (d *Deleter) Flush(ctx context.Context) error { panic("not yet") }
func (d *Deleter) Close() error                    { panic("not yet") }

type Usage struct {
	Requests  map[string]int64
	Retries   int64
	Throttled int64
	BytesRead int64
}

func (s *Session) Usage() Usage { panic("not yet") }
