package table

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Table properties that say how long snapshots and refs are kept.
const (
	propertyMaxSnapshotAge = "history.expire.max-snapshot-age-ms"
	propertyMinSnapshots   = "history.expire.min-snapshots-to-keep"
	propertyMaxRefAge      = "history.expire.max-ref-age-ms"
)

// What Iceberg's Java library takes where a table says nothing.
const (
	DefaultMaxSnapshotAge     = 5 * 24 * time.Hour
	DefaultMinSnapshotsToKeep = 1
)

// Retention says what to keep where a branch or tag has no setting of its own.
// What is not set is the table's property history.expire.*, and without one the
// default of Iceberg's Java library: 5 days, 1 snapshot, refs for ever.
type Retention struct {
	// OlderThan is the time before which snapshots expire; zero: MaxSnapshotAge
	// before now.
	OlderThan time.Time
	// MaxSnapshotAge, MaxRefAge and MinSnapshotsToKeep are not set when 0.
	MaxSnapshotAge, MaxRefAge time.Duration
	MinSnapshotsToKeep        int
	// SnapshotIDs expire whatever their age, beside those that the rest of the
	// settings name. One that a ref names which stays is an error.
	SnapshotIDs []int64
}

// Expiry is what a retention leaves no reason to keep.
type Expiry struct {
	// Snapshots are ids in the order of the metadata.
	Snapshots []int64
	// Refs are names, sorted.
	Refs []string
}

// Empty says that nothing expires.
func (e Expiry) Empty() bool { return len(e.Snapshots) == 0 && len(e.Refs) == 0 }

// History is the part of a table's metadata that retention depends on, small
// enough to be kept of many tables.
type History struct {
	// Current snapshot, 0 when there is none.
	Current   int64
	Refs      map[string]Ref
	Snapshots []HistorySnapshot
}

// HistorySnapshot is one snapshot of a [History].
type HistorySnapshot struct {
	// ID, and the parent's, 0 when there is none.
	ID, Parent int64
	// Timestamp in milliseconds since 1970, 0 when it is not known.
	Timestamp int64
}

// History of the table.
func (m *Metadata) History() History {
	h := History{Current: m.CurrentSnapshotID, Refs: m.Refs, Snapshots: make([]HistorySnapshot, len(m.Snapshots))}
	for i, s := range m.Snapshots {
		h.Snapshots[i] = HistorySnapshot{ID: s.ID, Parent: s.ParentID}
		if !s.Timestamp.IsZero() {
			h.Snapshots[i].Timestamp = s.Timestamp.UnixMilli()
		}
	}
	return h
}

// Expired says what expires of the table at the time now. See
// [History.Expired].
func (m *Metadata) Expired(r Retention, now time.Time) (Expiry, error) {
	return m.History().Expired(r, m.Properties, now)
}

// limits are a retention in the units of the files.
type limits struct {
	now, olderThan, maxRefAge int64 // milliseconds
	minKeep                   int64
}

func (r Retention) limits(properties map[string]string, now time.Time) (limits, error) {
	l := limits{now: now.UnixMilli()}
	if r.MinSnapshotsToKeep < 0 || r.MaxSnapshotAge < 0 || r.MaxRefAge < 0 {
		return l, fmt.Errorf("read the retention: an age or a number of snapshots is negative")
	}
	maxAge, err := setting(r.MaxSnapshotAge.Milliseconds(), properties, propertyMaxSnapshotAge, DefaultMaxSnapshotAge.Milliseconds())
	if err != nil {
		return l, err
	}
	l.olderThan = l.now - maxAge
	if !r.OlderThan.IsZero() {
		l.olderThan = r.OlderThan.UnixMilli()
	}
	if l.maxRefAge, err = setting(r.MaxRefAge.Milliseconds(), properties, propertyMaxRefAge, math.MaxInt64); err != nil {
		return l, err
	}
	l.minKeep, err = setting(int64(r.MinSnapshotsToKeep), properties, propertyMinSnapshots, DefaultMinSnapshotsToKeep)
	return l, err
}

// setting is the value, else the property's, else the default.
func setting(value int64, properties map[string]string, property string, otherwise int64) (int64, error) {
	if value != 0 {
		return value, nil
	}
	text, found := properties[property]
	if !found {
		return otherwise, nil
	}
	value, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read table property %s: %q is not a whole number", property, text)
	}
	return value, nil
}

// Expired says what expires at the time now of a table with these properties, by
// the rules of Iceberg's Java library (org.apache.iceberg.RemoveSnapshots, 1.10):
//
//   - main never expires; another ref does when its snapshot is older than the
//     ref's max-ref-age;
//   - a branch that stays keeps its newest min-snapshots-to-keep snapshots, and
//     from there on back those that are not older than max-snapshot-age, up to the
//     first one that is; the branch's own settings win;
//   - a snapshot that no ref which stays descends from is kept until it is older
//     than the retention says, whatever any branch says;
//   - the snapshot of a ref that stays is kept.
//
// An error names an explicit id that a ref needs, a property that is no number,
// or what is wrong with the history itself. Explicit ids that the table does not
// have are ignored.
func (h History) Expired(r Retention, properties map[string]string, now time.Time) (Expiry, error) {
	l, err := r.limits(properties, now)
	if err != nil || len(h.Snapshots) == 0 {
		return Expiry{}, err
	}
	w, err := newLineage(h)
	if err != nil {
		return Expiry{}, err
	}
	var expiry Expiry
	keep, referenced, heads := map[int64]bool{}, map[int64]bool{}, map[int64][]string{}
	for name, ref := range h.Refs {
		if !w.refStays(name, ref, l) {
			expiry.Refs = append(expiry.Refs, name)
			continue
		}
		heads[ref.SnapshotID] = append(heads[ref.SnapshotID], name)
		keep[ref.SnapshotID], referenced[ref.SnapshotID] = true, true
		if ref.Type == Branch {
			w.branch(ref, l, keep, referenced)
		}
	}
	slices.Sort(expiry.Refs)
	explicit := map[int64]bool{}
	for _, id := range r.SnapshotIDs {
		if names := heads[id]; names != nil {
			slices.Sort(names)
			return Expiry{}, fmt.Errorf("snapshot %d cannot expire: it is still needed by %s", id, strings.Join(names, ", "))
		}
		explicit[id] = true
	}
	for _, s := range h.Snapshots {
		unreferenced := !referenced[s.ID] && s.Timestamp >= l.olderThan
		if explicit[s.ID] || !keep[s.ID] && !unreferenced {
			expiry.Snapshots = append(expiry.Snapshots, s.ID)
		}
	}
	return expiry, nil
}

// lineage finds snapshots by their ids.
type lineage map[int64]HistorySnapshot

func newLineage(h History) (lineage, error) {
	w := make(lineage, len(h.Snapshots))
	for _, s := range h.Snapshots {
		if s.Timestamp == 0 || s.ID == 0 {
			return nil, fmt.Errorf("read the table's history: snapshot %d has no id or no timestamp", s.ID)
		}
		if _, twice := w[s.ID]; twice {
			return nil, fmt.Errorf("read the table's history: snapshot %d is there twice", s.ID)
		}
		w[s.ID] = s
	}
	if main, found := h.Refs[MainBranch]; found && main.SnapshotID != h.Current {
		return nil, fmt.Errorf("read the table's history: the current snapshot is %d, but %s is at %d", h.Current, MainBranch, main.SnapshotID)
	}
	return w, nil
}

func (w lineage) refStays(name string, ref Ref, l limits) bool {
	if name == MainBranch {
		return true
	}
	s, found := w[ref.SnapshotID]
	maxAge := l.maxRefAge
	if ref.MaxRefAge != 0 {
		maxAge = ref.MaxRefAge.Milliseconds()
	}
	return found && l.now-s.Timestamp <= maxAge
}

// branch adds what the branch keeps, and all that it descends from.
func (w lineage) branch(ref Ref, l limits, keep, referenced map[int64]bool) {
	olderThan, minKeep := l.olderThan, l.minKeep
	if ref.MaxSnapshotAge != 0 {
		olderThan = l.now - ref.MaxSnapshotAge.Milliseconds()
	}
	if ref.MinSnapshotsToKeep != 0 {
		minKeep = int64(ref.MinSnapshotsToKeep)
	}
	kept, keeping := int64(0), true
	seen := map[int64]bool{} // a damaged history may go in circles
	for s, found := w[ref.SnapshotID]; found && !seen[s.ID]; s, found = w[s.Parent] {
		seen[s.ID], referenced[s.ID] = true, true
		keeping = keeping && (kept < minKeep || s.Timestamp >= olderThan)
		if keeping {
			keep[s.ID] = true
			kept++
		}
	}
}
