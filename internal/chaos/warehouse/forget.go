package warehouse

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"

	"github.com/apache/iceberg-go/table"

	"deckhand/internal/tabletest"
)

// lingers is how long a metadata file stays that the table's log does not name any
// more: a worker may have read an older log.
const lingers = time.Minute

// past are the metadata files that a living table has left behind. Each commit makes
// one, of some hundred kilobytes where snapshots abound: an hour's do not fit into the
// memory that the store is in.
type past struct {
	// named are those in the log when the table was looked at last; left are others, by
	// when they were missed there.
	named map[string]bool
	left  map[string]time.Time
	swept time.Time
}

// metadataLog are the metadata files that a table names, by their keys.
func metadataLog(t *table.Table) (map[string]bool, error) {
	named := map[string]bool{}
	for entry := range t.Metadata().PreviousFiles() {
		_, key, err := tabletest.SplitS3(entry.MetadataFile)
		if err != nil {
			return nil, err
		}
		named[key] = true
	}
	return named, nil
}

// forget takes away metadata files that left the log some time ago, as engines do that
// clean up after commits. Those that the record of an expiry names stay: it is finished
// with them. The log is longer than what is committed from one call to the next.
func (l *Living) forget(named map[string]bool, now time.Time) {
	if l.past.left == nil {
		l.past.left = map[string]time.Time{}
	}
	for key := range l.past.named {
		if !named[key] {
			l.past.left[key] = now
		}
	}
	l.past.named = named
	if now.Sub(l.past.swept) < lingers/4 {
		return
	}
	l.past.swept = now
	records := l.records()
	maps.DeleteFunc(l.past.left, func(key string, at time.Time) bool {
		if now.Sub(at) < lingers || bytes.Contains(records, []byte(path.Base(key))) {
			return false
		}
		l.Store.Remove(bucket, key)
		return true
	})
}

// records are those of the table's expiries that are not finished.
func (l *Living) records() []byte {
	folder := fmt.Sprintf("%s/%s/metadata/deckhand-expire/", livingNamespace, l.name)
	var all []byte
	for _, key := range l.Store.Keys(bucket) {
		if strings.HasPrefix(key, folder) {
			data, _ := l.Store.Get(bucket, key) // one that is gone by now is finished
			all = append(all, data...)
		}
	}
	return all
}
