package icebergtable

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"path"
	"sync"
	"time"

	icebergio "github.com/apache/iceberg-go/io"

	"deckhand/internal/tabletest"
)

// memoryStore is iceberg-go's file system for one table: a map by location, taken
// literally. iceberg-go's own local file system decodes "%20" in a name, and its
// S3 one knows one bucket only.
type memoryStore struct {
	mu    sync.RWMutex
	files tabletest.Objects
}

var (
	_ icebergio.WriteFileIO = (*memoryStore)(nil)
	_ icebergio.ReadFileIO  = (*memoryStore)(nil)
	_ icebergio.StatIO      = (*memoryStore)(nil)
)

func (m *memoryStore) ReadFile(name string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	data, found := m.files[name]
	if !found {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return bytes.Clone(data), nil
}

func (m *memoryStore) Open(name string) (icebergio.File, error) {
	data, err := m.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &memoryFile{Reader: bytes.NewReader(data), name: name}, nil
}

func (m *memoryStore) Stat(name string) (fs.FileInfo, error) {
	file, err := m.Open(name)
	if err != nil {
		return nil, err
	}
	return file.Stat()
}

func (m *memoryStore) WriteFile(name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = bytes.Clone(data)
	return nil
}

func (m *memoryStore) Create(name string) (icebergio.FileWriter, error) {
	return &memoryWriter{store: m, name: name}, nil
}

func (m *memoryStore) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, found := m.files[name]; !found {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.files, name)
	return nil
}

// link gives a file a second name. Both share their bytes.
func (m *memoryStore) link(from, to string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[to] = m.files[from]
}

// keep removes every file that is not named.
func (m *memoryStore) keep(names map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.files, func(name string, _ []byte) bool { return !names[name] })
}

type memoryFile struct {
	*bytes.Reader
	name string
}

func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *memoryFile) Name() string               { return path.Base(f.name) }
func (f *memoryFile) Mode() fs.FileMode          { return 0o600 }
func (f *memoryFile) ModTime() time.Time         { return time.Time{} }
func (f *memoryFile) IsDir() bool                { return false }
func (f *memoryFile) Sys() any                   { return nil }

type memoryWriter struct {
	bytes.Buffer
	store *memoryStore
	name  string
}

func (w *memoryWriter) ReadFrom(r io.Reader) (int64, error) { return w.Buffer.ReadFrom(r) }
func (w *memoryWriter) Close() error                        { return w.store.WriteFile(w.name, w.Bytes()) }
