package standin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/apache/iceberg-go/table"
)

// update is one change of a commit, as far as it is carried out here: what
// concerns snapshots, refs, statistics and properties goes by the rules of
// Iceberg's Java library (TableMetadata.Builder of 1.11), which iceberg-go's
// builder does not follow (it refuses to remove the current snapshot and to add an
// old one). The rest is left to iceberg-go.
type update struct {
	Action     string            `json:"action"`
	Updates    map[string]string `json:"updates"`
	Removals   []string          `json:"removals"`
	Snapshot   *snapshot         `json:"snapshot"`
	Snapshots  []int64           `json:"snapshot-ids"`
	RefName    string            `json:"ref-name"`
	SnapshotID int64             `json:"snapshot-id"`
	Statistics *statistics       `json:"statistics"`
	Partition  *statistics       `json:"partition-statistics"`
	ref

	raw json.RawMessage
}

var ownUpdates = []string{
	"add-snapshot", "remove-snapshots", "set-snapshot-ref", "remove-snapshot-ref", "set-properties",
	"remove-properties", "set-statistics", "remove-statistics", "set-partition-statistics",
	"remove-partition-statistics",
}

func readUpdates(raw []json.RawMessage) ([]update, error) {
	all := make([]update, len(raw))
	for i, data := range raw {
		u := &all[i]
		u.raw = data
		if json.Unmarshal(data, u) != nil || commitOps[u.Action] == "" {
			return nil, malformed()
		}
		// the embedded ref hides the field, so that it is read once
		u.ref.SnapshotID = u.SnapshotID
	}
	return all, nil
}

// builder changes a document and remembers what changed.
type builder struct {
	*document
	now      int64
	changes  bool
	touched  bool           // last-updated-ms was set
	added    map[int64]bool // snapshots of this commit
	mains    []int64        // snapshots that main was set to in this commit
	removals bool
}

// apply gives the changed metadata, or nil when nothing changed. location is the
// file of base; it goes into the log. base is not changed.
func apply(base *document, location string, updates []update, now int64) (*document, error) {
	next, changed, err := applyLibrary(base, updates)
	if err != nil {
		return nil, err
	}
	b := &builder{document: next, now: now, changes: changed, added: map[int64]bool{}}
	for _, u := range updates {
		if err := b.apply(u); err != nil {
			return nil, err
		}
	}
	if !b.changes {
		return nil, nil
	}
	if !b.touched {
		b.LastUpdated = now
	}
	if err := b.trimSnapshotLog(); err != nil {
		return nil, err
	}
	if location != "" {
		b.logMetadata(metadataEntry{base.LastUpdated, location})
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	b.complete()
	return b.document, nil
}

// applyLibrary leaves schemas, specs, sort orders, format version and location to
// iceberg-go and gives a copy of base, also when there is none of them.
func applyLibrary(base *document, updates []update) (next *document, changed bool, err error) {
	data, err := json.Marshal(base)
	if err != nil {
		return nil, false, err
	}
	var theirs []json.RawMessage
	for _, u := range updates {
		if !isOwn(u.Action) {
			theirs = append(theirs, u.raw)
		}
	}
	if len(theirs) > 0 {
		if data, err = updateWithLibrary(data, theirs, base.FormatVersion); err != nil {
			return nil, false, err
		}
	}
	next, err = readDocument(data)
	return next, len(theirs) > 0, err
}

func updateWithLibrary(data []byte, raw []json.RawMessage, version int) ([]byte, error) {
	updates, err := libraryUpdates(raw)
	if err != nil {
		return nil, err
	}
	for _, r := range raw {
		var upgrade struct {
			Version int `json:"format-version"`
		}
		if json.Unmarshal(r, &upgrade) == nil && upgrade.Version != 0 && upgrade.Version < version {
			return nil, badRequest("Cannot downgrade v%d table to v%d", version, upgrade.Version)
		}
	}
	metadata, err := table.ParseMetadataBytes(data)
	if err != nil {
		return nil, err
	}
	changed, err := table.UpdateTableMetadata(metadata, updates, "")
	if err != nil {
		return nil, badRequest("%v", err)
	}
	return encodeLibrary(changed)
}

func (b *builder) apply(u update) error {
	switch u.Action {
	case "add-snapshot":
		return b.addSnapshot(u.Snapshot)
	case "remove-snapshots":
		b.removeSnapshots(u.Snapshots)
	case "set-snapshot-ref":
		return b.setRef(u.RefName, u.ref)
	case "remove-snapshot-ref":
		b.removeRef(u.RefName)
	case "set-properties":
		for name, value := range u.Updates {
			b.Properties[name] = value
		}
		b.changes = b.changes || len(u.Updates) > 0
	case "remove-properties":
		for _, name := range u.Removals {
			delete(b.Properties, name)
		}
		b.changes = b.changes || len(u.Removals) > 0
	case "set-statistics":
		b.Statistics = append(without(b.Statistics, u.Statistics.snapshotID), *u.Statistics)
		b.changes = true
	case "remove-statistics":
		b.Statistics = b.removed(b.Statistics, u.SnapshotID)
	case "set-partition-statistics":
		b.PartitionStatistics = append(without(b.PartitionStatistics, u.Partition.snapshotID), *u.Partition)
		b.changes = true
	case "remove-partition-statistics":
		b.PartitionStatistics = b.removed(b.PartitionStatistics, u.SnapshotID)
	}
	return nil
}

func without(list []statistics, id int64) []statistics {
	return slices.DeleteFunc(list, func(s statistics) bool { return s.snapshotID == id })
}

func (b *builder) removed(list []statistics, id int64) []statistics {
	before := len(list)
	list = without(list, id)
	b.changes = b.changes || len(list) != before
	return list
}

func invalid(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "ValidationException", format, args...)
}

func retryable(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "RetryableValidationException", format, args...)
}

func (b *builder) addSnapshot(s *snapshot) error {
	if s == nil {
		return malformed()
	}
	f := s.fields
	switch {
	case b.find(f.ID) != nil:
		return invalid("Snapshot already exists for id: %d", f.ID)
	case b.FormatVersion > 1 && f.Sequence <= b.lastSequence() && f.Parent != nil:
		return retryable("Cannot add snapshot with sequence number %d older than last sequence number %d", f.Sequence, b.lastSequence())
	}
	if b.FormatVersion > 1 {
		b.LastSequence = &f.Sequence
	}
	if b.FormatVersion >= 3 {
		if f.FirstRowID == nil {
			return invalid("Cannot add a snapshot: first-row-id is null")
		}
		if *f.FirstRowID < *b.NextRowID {
			return retryable("Cannot add a snapshot, first-row-id is behind table next-row-id: %d < %d", *f.FirstRowID, *b.NextRowID)
		}
		next := *b.NextRowID
		if f.AddedRows != nil {
			next += *f.AddedRows
		}
		b.NextRowID = &next
	}
	b.Snapshots = append(b.Snapshots, *s)
	b.added[f.ID] = true
	b.changes = true
	return nil
}

// removeSnapshots takes unknown ids for removed already, drops the statistics of
// those that go, and every ref that points to one of them, without a word.
func (b *builder) removeSnapshots(ids []int64) {
	b.Snapshots = slices.DeleteFunc(b.Snapshots, func(s snapshot) bool {
		if !slices.Contains(ids, s.fields.ID) {
			return false
		}
		b.Statistics = without(b.Statistics, s.fields.ID)
		b.PartitionStatistics = without(b.PartitionStatistics, s.fields.ID)
		b.changes, b.removals = true, true
		return true
	})
	for name, r := range b.Refs {
		if b.find(r.SnapshotID) == nil {
			b.removeRef(name)
		}
	}
}

// setRef takes retention as SnapshotRef does: positive numbers, and for a tag only
// its own age.
func (b *builder) setRef(name string, r ref) error {
	if err := r.check(); err != nil {
		return err
	}
	if existing, ok := b.Refs[name]; ok && existing.equals(r) {
		return nil
	}
	s := b.find(r.SnapshotID)
	if s == nil {
		return invalid("Cannot set %s to unknown snapshot: %d", name, r.SnapshotID)
	}
	if b.added[r.SnapshotID] {
		b.LastUpdated, b.touched = s.fields.Timestamp, true
	}
	if name == mainBranch {
		b.setCurrent(r.SnapshotID)
		if !b.touched {
			b.LastUpdated, b.touched = b.now, true
		}
		b.SnapshotLog = append(b.SnapshotLog, snapshotEntry{b.LastUpdated, r.SnapshotID})
		b.mains = append(b.mains, r.SnapshotID)
	}
	b.Refs[name] = r
	b.changes = true
	return nil
}

func (r ref) check() error {
	tag := r.Type == "tag"
	switch {
	case tag && r.MinSnapshots != nil:
		return badRequest("Tags do not support setting minSnapshotsToKeep")
	case tag && r.MaxSnapshotAge != nil:
		return badRequest("Tags do not support setting maxSnapshotAgeMs")
	case r.MinSnapshots != nil && *r.MinSnapshots <= 0:
		return badRequest("Min snapshots to keep must be greater than 0")
	case r.MaxSnapshotAge != nil && *r.MaxSnapshotAge <= 0:
		return badRequest("Max snapshot age must be greater than 0 ms")
	case r.MaxRefAge != nil && *r.MaxRefAge <= 0:
		return badRequest("Max reference age must be greater than 0")
	}
	return nil
}

func (b *builder) removeRef(name string) {
	if name == mainBranch {
		b.setCurrent(none)
	}
	if _, ok := b.Refs[name]; ok {
		delete(b.Refs, name)
		b.changes = true
	}
}

// trimSnapshotLog drops snapshots that were current only within this commit, and
// the history before a snapshot that was removed.
func (b *builder) trimSnapshotLog() error {
	intermediate := map[int64]bool{}
	for _, id := range b.mains {
		if b.added[id] && id != b.current() {
			intermediate[id] = true
		}
	}
	if len(intermediate) == 0 && !b.removals {
		return nil
	}
	kept := []snapshotEntry{}
	for _, entry := range b.SnapshotLog {
		switch {
		case b.find(entry.SnapshotID) == nil:
			if b.removals {
				kept = kept[:0]
			}
		case !intermediate[entry.SnapshotID]:
			kept = append(kept, entry)
		}
	}
	b.SnapshotLog = kept
	if b.find(b.current()) != nil && (len(kept) == 0 || kept[len(kept)-1].SnapshotID != b.current()) {
		return invalid("Cannot set invalid snapshot log: latest entry is not the current snapshot")
	}
	return nil
}

func (b *builder) logMetadata(entry metadataEntry) {
	limit := max(1, b.property("write.metadata.previous-versions-max", 100))
	b.MetadataLog = append(b.MetadataLog, entry)
	if extra := len(b.MetadataLog) - limit; extra > 0 {
		b.MetadataLog = b.MetadataLog[extra:]
	}
}

func (d *document) property(name string, otherwise int) int {
	if n, err := strconv.Atoi(d.Properties[name]); err == nil {
		return n
	}
	return otherwise
}

const oneMinute = 60_000

// check is what the constructor of TableMetadata asks of any metadata.
func (b *builder) check() error {
	for _, s := range b.Snapshots {
		if b.FormatVersion > 1 && s.fields.Sequence > b.lastSequence() {
			return invalid("Invalid snapshot with sequence number %d greater than last sequence number %d", s.fields.Sequence, b.lastSequence())
		}
	}
	var last int64
	for _, entry := range b.SnapshotLog {
		if entry.Timestamp-last < -oneMinute {
			return invalid("[BUG] Expected sorted snapshot log entries.")
		}
		last = entry.Timestamp
	}
	if len(b.SnapshotLog) > 0 && b.LastUpdated-last < -oneMinute {
		return invalid("Invalid update timestamp %d: before last snapshot log entry at %d", b.LastUpdated, last)
	}
	if _, isMain := b.Refs[mainBranch]; !isMain && b.current() != none {
		return invalid("Current snapshot is set, but main branch does not exist")
	}
	return nil
}

// nextFile names the metadata file that follows one: its number plus one, a new
// id, in the folder that the table says.
func (d *document) nextFile(previous, id string) string {
	number := 0
	if previous != "" {
		number = fileNumber(previous) + 1
	}
	folder := d.Properties["write.metadata.path"]
	if folder == "" {
		folder = d.Location + "/metadata"
	}
	suffix := ".metadata.json"
	if d.Properties["write.metadata.compression-codec"] == "gzip" {
		suffix = ".gz.metadata.json"
	}
	return fmt.Sprintf("%s/%05d-%s%s", folder, number, id, suffix)
}

func isOwn(action string) bool { return slices.Contains(ownUpdates, action) }
