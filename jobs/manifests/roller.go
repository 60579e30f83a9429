package manifests

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/manifest"
)

// uploadsInFlight is how many manifests are stored while the next is written. Each
// is held in memory.
const uploadsInFlight = 3

// maxTargetSize in bytes of a manifest that is written, which is held in memory
// until it is stored.
const maxTargetSize = 64 << 20

// roller writes entries into manifests of the target size, one after the other, and
// stores them. It is used by one goroutine.
type roller struct {
	layout      *manifest.Layout
	compression manifest.Compression
	target      int64
	// name gives the path of the next manifest, after it was noted where it is found
	// again.
	name func(ctx context.Context) (string, error)
	// store stores a manifest; nil in a dry run.
	store func(ctx context.Context, path string, data []byte) error

	ctx     context.Context
	uploads *errgroup.Group
	buffers sync.Pool

	writer  *manifest.Writer
	buffer  *bytes.Buffer
	written []*manifest.Written
	entries int64
	rows    int64
}

// begin makes the roller ready. The context is for what is stored.
func (r *roller) begin(ctx context.Context) {
	r.uploads, r.ctx = errgroup.WithContext(ctx)
	r.uploads.SetLimit(uploadsInFlight)
	r.buffers.New = func() any { return &bytes.Buffer{} }
}

func (r *roller) add(t *manifest.Transcript) error {
	if r.writer != nil && r.writer.Size() >= r.target {
		if err := r.roll(); err != nil {
			return err
		}
	}
	if r.writer == nil {
		path, err := r.name(r.ctx)
		if err != nil {
			return err
		}
		buffer, isBuffer := r.buffers.Get().(*bytes.Buffer)
		if !isBuffer {
			buffer = &bytes.Buffer{}
		}
		buffer.Reset()
		r.buffer = buffer
		if r.writer, err = manifest.NewWriter(r.buffer, path, r.layout, r.compression); err != nil {
			return fmt.Errorf("begin a manifest: %w", err)
		}
	}
	if err := r.writer.Add(t); err != nil {
		return fmt.Errorf("write a manifest: %w", err)
	}
	r.entries++
	r.rows += t.RecordCount
	return nil
}

// roll ends the manifest that is written.
func (r *roller) roll() error {
	written, err := r.writer.Close()
	if err != nil {
		return fmt.Errorf("end a manifest: %w", err)
	}
	r.writer = nil
	r.written = append(r.written, written)
	if r.store == nil {
		r.buffers.Put(r.buffer)
		return nil
	}
	buffer := r.buffer
	r.uploads.Go(func() error {
		defer r.buffers.Put(buffer)
		return r.store(r.ctx, written.Path, buffer.Bytes())
	})
	return r.ctx.Err()
}

// end ends the last manifest and waits until all are stored. err is what went wrong
// before: then what is stored is of no use.
func (r *roller) end(err error) error {
	if r.writer != nil {
		if err == nil {
			err = r.roll()
		} else {
			r.writer.Abort()
			r.writer = nil
		}
	}
	if stored := r.uploads.Wait(); stored != nil {
		return stored // the cause of what came after it
	}
	return err
}
