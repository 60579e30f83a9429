package warehouse

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"deckhand/internal/tabletest"
)

// most is how many files a list names.
const most = 5

// Violations compares what is there with what ought to be: every object of dropped
// tables is gone, every neighbour is as it was, every living table reads the rows that
// its writer committed.
func (w *Warehouse) Violations(ctx context.Context) []string {
	w.mu.Lock()
	keep, dropped := maps.Clone(w.keep), slices.SortedFunc(maps.Values(w.dropped), func(a, b *Dropped) int {
		return strings.Compare(a.Location, b.Location)
	})
	w.mu.Unlock()
	var found []string
	for _, d := range dropped {
		var left []string
		for _, key := range d.keys.all() {
			if w.Store.Has(bucket, key) {
				left = append(left, key)
			}
		}
		switch {
		case len(left) > 0 && d.Accepted.Load():
			found = append(found, fmt.Sprintf("of dropped table %s (job %s) %d of %d files are left: %s", d.Location, d.Job.ID, len(left), d.Files, list(left)))
		case len(left) < d.Files && !d.Accepted.Load():
			found = append(found, fmt.Sprintf("of table %s, whose job %s was never accepted, %d of %d files are gone", d.Location, d.Job.ID, d.Files-len(left), d.Files))
		}
	}
	var missing []string
	for _, location := range slices.Sorted(maps.Keys(keep)) {
		_, key, err := tabletest.SplitS3(location)
		if err != nil {
			return append(found, err.Error())
		}
		if data, has := w.Store.Get(bucket, key); !has || !bytes.Equal(data, keep[location]) {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		found = append(found, fmt.Sprintf("%d files outside of the dropped tables are gone or changed: %s", len(missing), list(missing)))
	}
	for _, l := range w.living {
		found = append(found, l.Differences(ctx)...)
	}
	return found
}

func list(keys []string) string {
	text := strings.Join(keys[:min(len(keys), most)], ", ")
	if len(keys) > most {
		text += ", …"
	}
	return text
}

// Has says whether an object is there.
func (w *Warehouse) Has(key string) bool { return w.Store.Has(bucket, key) }
