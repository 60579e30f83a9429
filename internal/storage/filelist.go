package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"syscall"
)

// folderChunk is how many names of a folder are read at once.
const folderChunk = 1024

// list walks folders as it comes to them. Symbolic links are listed as what
// they are and not followed.
func (f *fileStore) list(ctx context.Context, try tryFunc, key string, _ int) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		w, err := f.walk(try, key)
		if err != nil || w == nil {
			if err != nil {
				yield(entry{}, err)
			}
			return
		}
		defer w.close()
		for pending := []string{""}; len(pending) > 0; {
			below := pending[len(pending)-1]
			pending = pending[:len(pending)-1]
			stopped := false
			err := w.read(ctx, below, func(files []entry, folders []string) error {
				pending = append(pending, folders...)
				if stopped = !yieldAll(files, yield); stopped {
					return errStopped
				}
				return nil
			})
			if stopped {
				return
			}
			if err != nil {
				yield(entry{}, err)
				return
			}
		}
	}
}

// errStopped ends the reading of a folder; it never leaves the package.
var errStopped = errors.New("no more is wanted")

// fileWalk reads the folders below one folder.
type fileWalk struct {
	store *fileStore
	try   tryFunc
	in    folder
	// key is that of the folder, without a slash at its end; start is its path in
	// the opened location.
	key, start string
}

// walk gives nil for a folder that does not exist.
func (f *fileStore) walk(try tryFunc, key string) (*fileWalk, error) {
	in, err := f.open(key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil //nolint:nilnil // no folder: nothing to walk
	}
	if err != nil {
		return nil, err
	}
	return &fileWalk{store: f, try: try, in: in, key: trimSlashes(key), start: in.rel(key)}, nil
}

func (w *fileWalk) close() { _ = w.in.root.Close() }

// read reads the folder of that path below the walk's, and gives its files and the
// paths of its folders chunk by chunk. What is gone meanwhile is left out; what
// cannot be read is an error that names the folder.
func (w *fileWalk) read(ctx context.Context, below string, found func(files []entry, folders []string) error) error {
	dir, err := openDir(ctx, w.try, w.in.root, path.Join(w.start, below))
	if err != nil {
		return w.failed(err, below)
	}
	defer dir.Close()
	for {
		if ctx.Err() != nil {
			return canceled(ctx)
		}
		names, readErr := dir.ReadDir(folderChunk)
		files, folders, err := w.sort(below, names)
		if err != nil {
			return w.failed(err, below)
		}
		if len(names) > 0 {
			if err := found(files, folders); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return nil
		case readErr != nil:
			return w.failed(readErr, below)
		}
	}
}

// sort tells files from folders.
func (w *fileWalk) sort(below string, names []fs.DirEntry) (files []entry, folders []string, err error) {
	for _, d := range names {
		name := path.Join(below, d.Name())
		if d.IsDir() {
			folders = append(folders, name)
			continue
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		e := entry{key: w.key + "/" + name, info: Info{Size: info.Size()}}
		if info.Mode().IsRegular() { // how old a link or pipe is says nothing
			e.info.ModTime = knownTime(info.ModTime())
		}
		files = append(files, e)
	}
	return files, folders, nil
}

// failed gives the error its folder; nil for a folder that is gone.
func (w *fileWalk) failed(err error, below string) error {
	key := w.key
	if below != "" {
		key += "/" + below
	}
	err = w.store.located(err, key)
	e, ok := err.(*Error) //nolint:errorlint // its own error, as fileError makes it
	if !ok {
		return err
	}
	if errors.Is(e, ErrNotFound) {
		return nil
	}
	e.folder = key
	return e
}

func openDir(ctx context.Context, try tryFunc, root *os.Root, name string) (*os.File, error) {
	var dir *os.File
	err := try(ctx, func(ctx context.Context) error {
		var err error
		dir, err = root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY, 0)
		if err == nil {
			meterOf(ctx).request("list", codeOK)
			return nil
		}
		meterOf(ctx).request("list", fileCode(err))
		if escapes(err) {
			return err
		}
		return fileError(err)
	})
	return dir, err
}
