package orphans

import (
	"slices"
	"strings"
	"sync"

	"deckhand/internal/receipt"
	"deckhand/internal/storage"
)

// foreign knows the folders that are somebody else's: of other tables and views, as
// the catalog or the listing tells. It is safe for many goroutines.
type foreign struct {
	// own are the folders in which the table keeps metadata files.
	own map[storage.Location]bool

	mu      sync.RWMutex
	folders map[storage.Location]string // what makes them somebody's
}

// newForeign takes the folders in which the table keeps metadata files.
func newForeign(own []storage.Location) *foreign {
	f := &foreign{own: map[storage.Location]bool{}, folders: map[storage.Location]string{}}
	for _, l := range own {
		f.own[folderOf(l)] = true
	}
	return f
}

// folderOf is the one spelling of a folder, with its slash.
func folderOf(l storage.Location) storage.Location {
	if l.Key != "" && !strings.HasSuffix(l.Key, "/") {
		l.Key += "/"
	}
	return l
}

// add leaves a folder alone from now on, and says whether that is new.
func (f *foreign) add(folder storage.Location, why string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	folder = folderOf(folder)
	if _, found := f.folders[folder]; found {
		return false
	}
	folder.Key = strings.Clone(folder.Key)
	f.folders[folder] = why
	return true
}

func (f *foreign) len() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.folders)
}

// all are the folders and why each is left alone.
func (f *foreign) all(yield func(storage.Location, string) bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for folder, why := range f.folders {
		if !yield(folder, why) {
			return
		}
	}
}

// holds says whether a file lies in such a folder.
func (f *foreign) holds(l storage.Location) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.folders) == 0 {
		return false
	}
	for folder := range parents(l) {
		if _, found := f.folders[folder]; found {
			return true
		}
	}
	return false
}

// parents yields the folders above a file, the bucket first.
func parents(l storage.Location) func(func(storage.Location) bool) {
	return func(yield func(storage.Location) bool) {
		folder := l
		folder.Key = ""
		if l.Scheme != "file" && !yield(folder) {
			return
		}
		for i := 0; i < len(l.Key); i++ {
			if l.Key[i] != '/' {
				continue
			}
			if folder.Key = l.Key[:i+1]; !yield(folder) {
				return
			}
		}
	}
}

// Folders that other formats keep their logs in.
const (
	deltaLog = "_delta_log"
	hudi     = ".hoodie"
)

// sign is what a file is for whose folder it lies in.
type sign uint8

const (
	// noSign, or none that is to be read.
	noSign sign = iota
	// ownMetadata: a metadata file in a folder of this table.
	ownMetadata
	// othersMetadata: the first metadata file in a folder of somebody else.
	othersMetadata
)

// look takes note of a file that shows its folder to be a table's. from is how
// many bytes of its key are the listed location's.
func (f *foreign) look(l storage.Location, from int) sign {
	key := l.Key
	for _, log := range [...]string{deltaLog, hudi} {
		for at := from; ; {
			found := strings.Index(key[at:], log+"/")
			if found < 0 {
				break
			}
			if at += found; at == from || key[at-1] == '/' {
				folder := l
				folder.Key = key[:at]
				f.add(folder, "it has "+log+"/")
				break
			}
			at += len(log)
		}
	}
	slash := strings.LastIndexByte(key, '/')
	if !isMetadataFile(key[slash+1:]) {
		return noSign
	}
	folder := l
	folder.Key = key[:slash+1]
	if f.own[folder] {
		return ownMetadata
	}
	// The folder above is the table's, but never one above where was looked.
	above := strings.LastIndexByte(folder.Key[:max(slash, 0)], '/') + 1
	if above > from || above == from && folder.Key[above:] == "metadata/" {
		folder.Key = folder.Key[:above]
	}
	if f.add(folder, "it has "+strings.Clone(key[len(folder.Key):])) {
		return othersMetadata
	}
	return noSign
}

// texts are the folders for the receipt, in order.
func (f *foreign) texts() []string {
	var texts []string
	for folder, why := range f.all {
		texts = append(texts, receipt.Shorten(folder.String()+": "+why))
	}
	slices.Sort(texts)
	return receipt.CutPaths(texts, receipt.MaxPaths)
}
