package maintenancetest

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"time"

	icebergio "github.com/apache/iceberg-go/io"

	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
)

// Shelves are the store as iceberg-go sees it: every bucket, and s3a:// like s3://. It
// goes past the server's faults, and deletes nothing.
type Shelves struct {
	Server *s3test.Server
	opened *openings // nil: nobody asks
}

var _ icebergio.IO = Shelves{}

// Open implements [icebergio.IO].
func (s Shelves) Open(name string) (icebergio.File, error) {
	bucket, key, err := tabletest.SplitS3(name)
	if err != nil {
		return nil, err
	}
	data, found := s.Server.Get(bucket, key)
	if !found {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if s.opened != nil {
		s.opened.add(name, data)
	}
	return &volume{Reader: bytes.NewReader(data), name: path.Base(key)}, nil
}

// Remove refuses.
func (Shelves) Remove(name string) error {
	return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrPermission}
}

var _ icebergio.WriteFileIO = Shelves{}

// WriteFile implements [icebergio.WriteFileIO].
func (s Shelves) WriteFile(name string, data []byte) error {
	bucket, key, err := tabletest.SplitS3(name)
	if err != nil {
		return err
	}
	s.Server.Put(bucket, key, bytes.Clone(data))
	return nil
}

// Create implements [icebergio.WriteFileIO].
func (s Shelves) Create(name string) (icebergio.FileWriter, error) {
	return &pen{Shelves: s, name: name}, nil
}

type pen struct {
	bytes.Buffer
	Shelves
	name string
}

func (p *pen) ReadFrom(r io.Reader) (int64, error) { return p.Buffer.ReadFrom(r) }
func (p *pen) Close() error                        { return p.WriteFile(p.name, p.Bytes()) }

type volume struct {
	*bytes.Reader
	name string
}

func (*volume) Close() error                 { return nil }
func (v *volume) Stat() (fs.FileInfo, error) { return v, nil }
func (v *volume) Name() string               { return v.name }
func (*volume) Mode() fs.FileMode            { return 0o400 }
func (*volume) ModTime() time.Time           { return time.Time{} }
func (*volume) IsDir() bool                  { return false }
func (*volume) Sys() any                     { return nil }
