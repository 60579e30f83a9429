package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// errNoRename says that a file cannot be renamed here without replacing another.
var errNoRename = errors.New("the system cannot rename without replacing")

func (f *fileStore) move(ctx context.Context, m mover, from entry, to string) error {
	return m.try(ctx, func(ctx context.Context) error {
		if ctx.Err() != nil {
			return &Error{Reason: ErrUnavailable, Err: context.Cause(ctx)}
		}
		err := f.moveFile(from, to)
		meterOf(ctx).request("rename", fileCode(err))
		return err
	})
}

// moveFile renames a file, or a symbolic link itself; never a folder.
func (f *fileStore) moveFile(from entry, to string) error {
	if strings.HasSuffix(from.key, "/") || strings.HasSuffix(to, "/") {
		return &Error{Reason: ErrRejected, Err: errors.New("it names a folder, only files are moved")}
	}
	opened := map[string]folder{}
	defer func() {
		for _, in := range opened {
			_ = in.root.Close()
		}
	}()
	in, err := f.openOnce(opened, from.key)
	if err != nil {
		return err
	}
	p := pair{root: in.root, from: in.rel(from.key), to: in.rel(to)}
	p.source, err = p.root.Lstat(p.from)
	switch {
	case errors.Is(fileErrorOrNil(err), ErrNotFound):
		if err := p.movedBefore(from.info, err); err != nil {
			return f.located(err, to)
		}
		return nil
	case err != nil:
		return f.located(err, from.key)
	case p.source.IsDir():
		return &Error{Reason: ErrRejected, Err: errors.New("it is a folder, only files are moved")}
	case !isListed(from.info, fileInfo(p.source), time.Nanosecond):
		return &Error{Reason: ErrChanged}
	}
	if err := p.move(); err != nil {
		return f.located(err, from.key)
	}
	f.removeEmpty(opened, path.Dir(path.Clean(from.key)))
	return nil
}

func fileErrorOrNil(err error) error {
	if err == nil || escapes(err) {
		return err
	}
	return fileError(err)
}

func fileInfo(info fs.FileInfo) Info {
	return Info{Size: info.Size(), ModTime: knownTime(info.ModTime())}
}

// pair is the two names of a move below a root.
type pair struct {
	root     *os.Root
	from, to string
	source   fs.FileInfo
}

// movedBefore is the answer when the file is not there.
func (p pair) movedBefore(listed Info, missing error) error {
	there, err := p.root.Lstat(p.to)
	switch {
	case errors.Is(fileErrorOrNil(err), ErrNotFound):
		return missing
	case err != nil:
		return err
	case there.IsDir() || !isListed(listed, fileInfo(there), time.Nanosecond):
		return errExists("the file itself is not there any more")
	}
	return nil
}

// move renames, in a folder that others may be removing because it is empty.
func (p pair) move() error {
	const attempts = 10
	var folder error
	for range attempts {
		folder = p.root.MkdirAll(path.Dir(p.to), 0o755)
		switch {
		case isInTheWay(folder), errors.Is(folder, fs.ErrNotExist):
			continue
		case folder != nil:
			return folder
		}
		err := p.rename()
		if errors.Is(err, errNoRename) {
			err = p.link()
		}
		switch {
		case errors.Is(err, syscall.EXDEV):
			return &Error{Reason: ErrRejected, Err: errors.New("the new name lies on another file system")}
		case errors.Is(err, fs.ErrExist):
			return p.existing()
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if _, err := p.root.Lstat(p.from); err != nil {
			return err
		}
	}
	if isInTheWay(folder) {
		return errExists("a file stands where its new folder is to be")
	}
	return &Error{Reason: ErrUnavailable, Err: errors.New("its new folder is removed again and again")}
}

// isInTheWay says that something stands where a folder is to be made; it may be a
// folder that somebody just removes.
func isInTheWay(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist)
}

// existing is the answer when the new name is taken: by the file itself, when a
// move by links was cut off.
func (p pair) existing() error {
	there, err := p.root.Lstat(p.to)
	if err != nil {
		return err
	}
	if !os.SameFile(there, p.source) {
		return errExists("it is another file")
	}
	return p.unlink()
}

// rename moves the file in one step, so that whatever stood at the old name is at
// the new one. If that is not what was looked at, it goes back.
func (p pair) rename() error {
	if err := renameNew(p.root, p.from, p.to); err != nil {
		return err
	}
	there, err := p.root.Lstat(p.to)
	if err != nil {
		return err
	}
	if p.unchanged(there) {
		return nil
	}
	changed := &Error{Reason: ErrChanged}
	if err := renameNew(p.root, p.to, p.from); err != nil {
		changed.Hint = "it lies at " + p.to + " now, move it back"
	}
	return changed
}

func (p pair) unchanged(now fs.FileInfo) bool {
	return os.SameFile(now, p.source) && now.Size() == p.source.Size() && now.ModTime().Equal(p.source.ModTime())
}

// link gives the file its new name beside the old one, which goes then.
func (p pair) link() error {
	if err := p.root.Link(p.from, p.to); err != nil {
		return err
	}
	there, err := p.root.Lstat(p.to)
	if err != nil {
		return err
	}
	if !p.unchanged(there) {
		return &Error{Reason: ErrChanged}
	}
	return p.unlink()
}

// unlink takes the old name away while it still is that of the same file.
func (p pair) unlink() error {
	now, err := p.root.Lstat(p.from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !p.unchanged(now):
		return &Error{Reason: ErrChanged}
	}
	if err := p.root.Remove(p.from); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
