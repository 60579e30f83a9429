package maintenancetest

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"time"

	icebergio "github.com/apache/iceberg-go/io"

	"deckhand/internal/tabletest"
)

// shelves are the store as iceberg-go sees it: every bucket, and s3a:// like s3://.
type shelves struct{ yard *Yard }

var _ icebergio.IO = shelves{}

func (s shelves) Open(name string) (icebergio.File, error) {
	bucket, key, err := tabletest.SplitS3(name)
	if err != nil {
		return nil, err
	}
	data, found := s.yard.Server.Get(bucket, key)
	if !found {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &volume{Reader: bytes.NewReader(data), name: path.Base(key)}, nil
}

func (shelves) Remove(name string) error {
	return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrPermission}
}

var _ icebergio.WriteFileIO = shelves{}

func (s shelves) WriteFile(name string, data []byte) error {
	s.yard.Put(name, bytes.Clone(data))
	return nil
}

func (s shelves) Create(name string) (icebergio.FileWriter, error) {
	return &pen{shelves: s, name: name}, nil
}

type pen struct {
	bytes.Buffer
	shelves
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
