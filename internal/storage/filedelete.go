package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
)

func (f *fileStore) deletable(string) bool { return true }

func (f *fileStore) batchLimit() int { return fileBatchLimit }

func (f *fileStore) deleteOne(ctx context.Context, key string) error {
	results, err := f.deleteBatch(ctx, []string{key})
	if err != nil {
		return err
	}
	return results[0]
}

// deleteBatch unlinks one file after the other and then removes the parent
// folders that it emptied.
func (f *fileStore) deleteBatch(ctx context.Context, keys []string) ([]error, error) {
	results := make([]error, len(keys))
	opened := map[string]folder{}
	defer func() {
		for _, in := range opened {
			_ = in.root.Close()
		}
	}()
	parents := map[string]bool{}
	for i, key := range keys {
		if ctx.Err() != nil {
			results[i] = &Error{Reason: ErrUnavailable, Err: context.Cause(ctx)}
			continue
		}
		err := f.unlink(opened, key)
		meterOf(ctx).request("unlink", fileCode(err))
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		results[i] = err
		if err == nil {
			parents[path.Dir(path.Clean(key))] = true
		}
	}
	for parent := range parents {
		f.removeEmpty(opened, parent)
	}
	return results, nil
}

// unlink removes a file, or a symbolic link itself; never a folder.
func (f *fileStore) unlink(opened map[string]folder, key string) error {
	if strings.HasSuffix(key, "/") {
		return &Error{Reason: ErrRejected, Err: errors.New("it names a folder, only files are deleted")}
	}
	in, err := f.openOnce(opened, key)
	if err != nil {
		return err
	}
	rel := in.rel(key)
	info, err := in.root.Lstat(rel)
	if err != nil {
		return f.located(err, key)
	}
	if info.IsDir() {
		return &Error{Reason: ErrRejected, Err: errors.New("it is a folder, only files are deleted")}
	}
	if err := in.root.Remove(rel); err != nil {
		return f.located(err, key)
	}
	return nil
}

// openOnce opens each location of the guard once per batch.
func (f *fileStore) openOnce(opened map[string]folder, key string) (folder, error) {
	allowed, ok := f.guard.find(Location{Scheme: "file", Key: key})
	if in, found := opened[allowed.location.Key]; ok && found {
		return in, nil
	}
	in, err := f.open(key)
	if err != nil {
		return folder{}, err
	}
	opened[in.allowed.location.Key] = in
	return in, nil
}

// removeEmpty removes a folder and its parents as long as they are empty, up to
// and including the root they lie in. It stops at whatever is in its way: a
// folder that stays does no harm.
func (f *fileStore) removeEmpty(opened map[string]folder, dir string) {
	root, ok := f.rootOf(dir)
	if !ok {
		return
	}
	for {
		l := Location{Scheme: "file", Key: dir}
		if !f.removeFolder(opened, l) || l.Same(root) {
			return
		}
		dir = path.Dir(dir)
	}
}

// rootOf gives the widest of the roots that hold the folder.
func (f *fileStore) rootOf(dir string) (Location, bool) {
	var found Location
	ok := false
	l := Location{Scheme: "file", Key: dir}
	for _, root := range f.roots {
		if (l.Same(root) || l.Within(root)) && (!ok || len(root.Key) < len(found.Key)) {
			found, ok = root, true
		}
	}
	return found, ok
}

// removeFolder says whether the folder is gone. A location of the catalog's
// configuration stays.
func (f *fileStore) removeFolder(opened map[string]folder, l Location) bool {
	allowed, ok := f.guard.findFolder(l)
	switch {
	case !ok || f.guard.configured(l):
		return false
	case l.Same(allowed.location):
		return removeLocation(allowed)
	}
	in, err := f.openOnce(opened, l.Key)
	if err != nil {
		return errors.Is(err, ErrNotFound)
	}
	return removeIfFolder(in.root, in.rel(l.Key))
}

// removeLocation removes the guard's own folder, seen from the configured one.
func removeLocation(allowed allowedLocation) bool {
	anchor, err := os.OpenRoot(allowed.anchor.Key)
	if err != nil {
		return false
	}
	defer anchor.Close()
	rel := relative(allowed.location.Key, allowed.anchor.Key)
	if err := refuseLinks(anchor, rel); err != nil {
		return errors.Is(err, ErrNotFound)
	}
	return removeIfFolder(anchor, rel)
}

func removeIfFolder(root *os.Root, rel string) bool {
	info, err := root.Lstat(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil || !info.IsDir() {
		return false
	}
	err = root.Remove(rel)
	return err == nil || errors.Is(err, fs.ErrNotExist)
}
