package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"deckhand/internal/tabletest"
)

// deleteOrder is the order in which a purge deletes: leaf first, root last. What
// shares a level has the same rank.
var deleteOrder = []tabletest.FileKind{
	tabletest.KindData, tabletest.KindPositionDeletes, tabletest.KindEqualityDeletes,
	tabletest.KindManifest, tabletest.KindManifestList,
	tabletest.KindStatistics, tabletest.KindPartitionStatistics, tabletest.KindMetadata,
}

var levelNames = []string{"data and delete files", "manifests", "manifest lists", "statistics", "earlier metadata", "root"}

func levelOf(d *dropped, f tabletest.File) int {
	switch f.Kind {
	case tabletest.KindManifest:
		return 1
	case tabletest.KindManifestList:
		return 2
	case tabletest.KindStatistics, tabletest.KindPartitionStatistics:
		return 3
	case tabletest.KindMetadata:
		if f.Path == d.MetadataLocation {
			return 5
		}
		return 4
	default:
		return 0
	}
}

// levels watches a table's files vanish.
type levels struct {
	all  [][]string // by level
	left [][]string
	gone []time.Duration // when a level was first seen empty
	from time.Time
}

func watch(d *dropped) *levels {
	w := &levels{all: make([][]string, len(levelNames)), gone: make([]time.Duration, len(levelNames)), from: time.Now()}
	for _, f := range d.Files {
		level := levelOf(d, f)
		w.all[level] = append(w.all[level], f.Path)
	}
	w.left = make([][]string, len(w.all))
	for i := range w.all {
		w.left[i] = append([]string(nil), w.all[i]...)
	}
	return w
}

// look notes what is gone. It fails when a level had begun before the level
// before it was finished: the later level is looked at first, so a file missing
// there while one is left before it was deleted too early.
func (w *levels) look() error {
	for i := len(w.left) - 1; i >= 0; i-- {
		w.left[i] = remaining(w.left[i])
		if i+1 < len(w.left) && len(w.left[i]) > 0 && len(w.left[i+1]) < len(w.all[i+1]) {
			return fmt.Errorf("wrong order: %s were deleted while %d %s were left", levelNames[i+1], len(w.left[i]), levelNames[i])
		}
		if len(w.left[i]) == 0 && w.gone[i] == 0 {
			w.gone[i] = time.Since(w.from)
		}
	}
	return nil
}

// remaining drops the paths that are gone from the front of a list's files.
func remaining(paths []string) []string {
	kept := paths[:0]
	for _, path := range paths {
		if exists(path) {
			kept = append(kept, path)
		}
	}
	return kept
}

func (w *levels) empty() bool { return len(w.left[len(w.left)-1]) == 0 }

// follow looks again and again until the root is gone.
func (w *levels) follow(ctx context.Context, patience time.Duration) error {
	for looks := 1; ; looks++ {
		if err := w.look(); err != nil {
			return err
		}
		if w.empty() {
			return nil
		}
		if time.Since(w.from) > patience {
			return fmt.Errorf("after %s there are still files: %s", patience, w.counts())
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// timeline tells when each level was gone.
func (w *levels) timeline() string {
	var parts []string
	for i, name := range levelNames {
		if len(w.all[i]) > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", name, w.gone[i].Round(time.Millisecond)))
		}
	}
	return strings.Join(parts, " → ")
}

// counts tells what is left of each level.
func (w *levels) counts() string {
	var parts []string
	for i, name := range levelNames {
		if len(w.all[i]) > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d %s", len(w.left[i]), len(w.all[i]), name))
		}
	}
	return strings.Join(parts, ", ")
}
