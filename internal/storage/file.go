package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
)

// fileBatchLimit keeps a batch short, so that batches unlink in parallel.
const fileBatchLimit = 64

// fileStore is the local file system below the locations of a guard. Paths are
// literal: a percent sign is a percent sign.
//
// Every operation opens the guard's location through os.Root, which refuses
// symbolic links that leave it. It is opened anew each time, so that no file
// descriptor outlives a job.
type fileStore struct {
	guard *Guard
	// roots are the folders up to which empty parents are removed.
	roots []Location
}

var _ backend = (*fileStore)(nil)

// folder is an opened location of the guard.
type folder struct {
	root    *os.Root
	allowed allowedLocation
}

// open opens the guard's location in which the path lies.
func (f *fileStore) open(key string) (folder, error) {
	l := Location{Scheme: "file", Key: key}
	allowed, ok := f.guard.findFolder(l)
	if !ok {
		return folder{}, f.guard.outside(l)
	}
	root, err := openFolder(allowed)
	if outside, ok := errors.AsType[*OutsideError](err); ok {
		outside.Location, outside.Allowed = l, f.guard.Locations()
	}
	return folder{root: root, allowed: allowed}, err
}

// openFolder opens the configured location and then the narrower one below it,
// where nothing on the way may be a symbolic link: one that leads to another
// table's folder would stay inside the configured location. A narrower folder
// that does not exist is ErrNotFound; a configured one is ErrUnavailable, for it
// is probably not mounted.
func openFolder(allowed allowedLocation) (*os.Root, error) {
	anchor, err := os.OpenRoot(allowed.anchor.Key)
	if err != nil {
		e := fileError(err)
		if errors.Is(e, ErrNotFound) {
			e.Reason, e.Hint = ErrUnavailable, "the catalog's location does not exist here, is it mounted?"
		}
		return nil, e
	}
	rel := relative(allowed.location.Key, allowed.anchor.Key)
	if rel == "." {
		return anchor, nil
	}
	defer anchor.Close()
	if err := refuseLinks(anchor, rel); err != nil {
		return nil, err
	}
	root, err := anchor.OpenRoot(rel)
	if err != nil {
		return nil, fileError(err)
	}
	return root, nil
}

// refuseLinks gives an error when a segment of the path is a symbolic link.
func refuseLinks(root *os.Root, rel string) error {
	for i := 0; i <= len(rel); i++ {
		if i < len(rel) && rel[i] != '/' {
			continue
		}
		info, err := root.Lstat(rel[:i])
		if err != nil {
			return fileError(err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return &OutsideError{Detail: "a folder on its path is a symbolic link"}
		}
	}
	return nil
}

// relative gives the path below a folder, "." for the folder itself.
func relative(key, folder string) string {
	return path.Clean(strings.TrimLeft(key[len(trimSlashes(folder)):], "/"))
}

func trimSlashes(key string) string { return strings.TrimRight(key, "/") }

func (f folder) rel(key string) string { return relative(key, f.allowed.location.Key) }

func (f *fileStore) read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error) {
	body, info, err := f.readFile(ctx, key, offset, length)
	meterOf(ctx).request("read", fileCode(err))
	return body, info, err
}

func (f *fileStore) readFile(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error) {
	in, err := f.open(key)
	if err != nil {
		return nil, Info{}, err
	}
	defer in.root.Close()
	// Not blocking: opening a named pipe would wait for its writer.
	file, err := in.root.OpenFile(in.rel(key), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, Info{}, f.located(err, key)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = &Error{Reason: ErrRejected, Err: errors.New("it is not a regular file")}
	case offset > 0 && offset >= info.Size():
		err = &Error{Reason: ErrRejected, Err: errors.New("the range begins behind the end of the file")}
	case offset > 0:
		_, err = file.Seek(offset, io.SeekStart)
	}
	if err != nil {
		_ = file.Close()
		return nil, Info{}, f.located(err, key)
	}
	var body io.Reader = file
	if length >= 0 {
		body = io.LimitReader(file, length)
	}
	return &fileReader{ctx: ctx, Reader: body, Closer: file}, Info{Size: info.Size(), ModTime: knownTime(info.ModTime())}, nil
}

// fileReader stops when its context ends.
type fileReader struct {
	ctx context.Context // a reader's context is its opener's
	io.Reader
	io.Closer
}

func (r *fileReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

func (f *fileStore) write(ctx context.Context, key string, data []byte) error {
	err := f.writeFile(key, data)
	meterOf(ctx).request("write", fileCode(err))
	return err
}

// writeFile writes beside the file and renames, so that no reader sees a part.
func (f *fileStore) writeFile(key string, data []byte) error {
	in, err := f.open(key)
	if errors.Is(err, ErrNotFound) {
		if err = f.makeFolder(key); err == nil {
			in, err = f.open(key)
		}
	}
	if err != nil {
		return err
	}
	defer in.root.Close()
	rel := in.rel(key)
	if rel == "." || strings.HasSuffix(key, "/") {
		return &Error{Reason: ErrRejected, Err: errors.New("it names a folder")}
	}
	if err := in.root.MkdirAll(path.Dir(rel), 0o755); err != nil {
		return f.located(err, key)
	}
	temporary := path.Join(path.Dir(rel), ".deckhand-"+ulid.Make().String())
	if err := in.root.WriteFile(temporary, data, 0o644); err != nil {
		_ = in.root.Remove(temporary)
		return f.located(err, key)
	}
	if err := in.root.Rename(temporary, rel); err != nil {
		_ = in.root.Remove(temporary)
		return f.located(err, key)
	}
	return nil
}

// makeFolder makes the guard's location below the configured one.
func (f *fileStore) makeFolder(key string) error {
	allowed, _ := f.guard.findFolder(Location{Scheme: "file", Key: key})
	anchor, err := os.OpenRoot(allowed.anchor.Key)
	if err != nil {
		return fileError(err)
	}
	defer anchor.Close()
	if err := anchor.MkdirAll(relative(allowed.location.Key, allowed.anchor.Key), 0o755); err != nil {
		return f.located(err, key)
	}
	return nil
}

// clock is the system's: local files get their times from it.
func (f *fileStore) clock(context.Context, string) (time.Time, error) { return time.Now(), nil }
