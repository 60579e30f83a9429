package manifests

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/manifest"
)

// uploadsInFlight is how many manifests are stored while others are written. Each is
// held in memory.
const uploadsInFlight = 3

// maxTargetSize in bytes of a manifest that is written, which is held in memory
// until it is stored.
const maxTargetSize = 64 << 20

// outlet stores the manifests of one rewriting. It is used by one goroutine.
type outlet struct {
	layout      *manifest.Layout
	compression manifest.Compression
	// snapshot that removes files.
	snapshot int64
	// name gives the path of the next manifest, after it was noted where it is found
	// again.
	name func(ctx context.Context) (string, error)
	// store stores a manifest; nil in a dry run.
	store func(ctx context.Context, path string, data []byte) error

	ctx     context.Context
	uploads *errgroup.Group
	open    map[*roller]bool

	// packed is how many bytes are written of one of an entry, about; 0: not known.
	packed float64

	written []*manifest.Written
	entries int64
}

// begin makes the outlet ready. The context is for what is stored.
func (o *outlet) begin(ctx context.Context) {
	o.uploads, o.ctx = errgroup.WithContext(ctx)
	o.uploads.SetLimit(uploadsInFlight)
	o.open = map[*roller]bool{}
}

// end waits until all is stored. err is what went wrong before: then what is stored
// is of no use, and neither is what is written yet.
func (o *outlet) end(err error) error {
	for r := range o.open {
		r.writer.Abort()
		r.buffer.drop()
	}
	if stored := o.uploads.Wait(); stored != nil {
		return stored // the cause of what came after it
	}
	return err
}

// roller writes entries into manifests of the target size, one after the other.
type roller struct {
	*outlet
	target int64
	writer *manifest.Writer
	buffer chunks
	// header of the manifest in bytes, and raw bytes of its entries.
	header, raw int64
}

func (o *outlet) roller(target int64) *roller { return &roller{outlet: o, target: target} }

// add writes an entry; gone: of a file that the snapshot removes.
func (r *roller) add(t *manifest.Transcript, gone bool) error {
	if r.writer != nil && r.size() >= r.target {
		if err := r.end(); err != nil {
			return err
		}
	}
	if r.writer == nil {
		if err := r.begin(); err != nil {
			return err
		}
	}
	write := r.writer.Add
	if gone {
		write = func(t *manifest.Transcript) error { return r.writer.Delete(t, r.snapshot) }
	} else {
		r.entries++
	}
	if err := write(t); err != nil {
		return fmt.Errorf("write a manifest: %w", err)
	}
	r.raw += int64(len(t.Bytes))
	return nil
}

// size of the manifest so far. Until it has a block, its writer does not know how
// well the entries can be packed.
func (r *roller) size() int64 {
	size := r.writer.Size()
	if r.packed == 0 {
		return size
	}
	return min(size, r.header+int64(float64(r.raw)*r.packed*11/10))
}

func (r *roller) begin() error {
	path, err := r.name(r.ctx)
	if err != nil {
		return err
	}
	if r.writer, err = manifest.NewWriter(&r.buffer, path, r.layout, r.compression); err != nil {
		return fmt.Errorf("begin a manifest: %w", err)
	}
	r.open[r], r.header, r.raw = true, r.writer.Size(), 0
	return nil
}

// end ends the manifest that is written, if there is one, and stores it.
func (r *roller) end() error {
	if r.writer == nil {
		return nil
	}
	made, err := r.writer.Close()
	if err != nil {
		return fmt.Errorf("end a manifest: %w", err)
	}
	delete(r.open, r)
	r.writer = nil
	r.written = append(r.written, made)
	if r.store == nil {
		r.buffer.drop()
		return nil
	}
	data := r.buffer.take()
	r.uploads.Go(func() error { return r.store(r.ctx, made.Path, data) })
	return r.ctx.Err()
}

// sampleSize in bytes of entries is what is packed to know how large manifests
// become: some blocks.
const sampleSize = 1 << 20

// sample packs some entries.
func (o *outlet) sample(held []entry) error {
	writer, err := manifest.NewWriter(io.Discard, "a sample", o.layout, o.compression)
	if err != nil {
		return fmt.Errorf("pack a sample: %w", err)
	}
	defer writer.Abort()
	header, raw := writer.Size(), int64(0)
	var t manifest.Transcript
	for i := range held {
		if err := writer.Add(held[i].transcript(o.layout, &t)); err != nil {
			return fmt.Errorf("pack a sample: %w", err)
		}
		if raw += int64(len(held[i].bytes)); raw > sampleSize {
			break
		}
	}
	written, err := writer.Close()
	if err != nil {
		return fmt.Errorf("pack a sample: %w", err)
	}
	o.packed = float64(max(written.Length-header, 1)) / float64(max(raw, 1))
	return nil
}
