package expire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"deckhand/internal/erase"
	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// recordFolder lies in the table's metadata folder.
const recordFolder = "deckhand-expire"

// maxRecord is the largest record in bytes that is read.
const maxRecord = 256 << 20

// record says what a commit is about to remove. It is written before the commit
// and deleted when all the files are gone, so that whoever works on the table
// next can finish: the removed snapshots are in no metadata any more.
type record struct {
	Version int    `json:"v"`
	ID      string `json:"id"`
	// Job that wrote it.
	Job       string `json:"job"`
	TableUUID string `json:"table_uuid"`
	// Base is the metadata file that the commit was planned on.
	Base      string            `json:"base"`
	Snapshots []removedSnapshot `json:"snapshots"`
	// Statistics files of these snapshots.
	Statistics          []statisticsFile `json:"statistics,omitempty"`
	PartitionStatistics []statisticsFile `json:"partition_statistics,omitempty"`
	Removed             struct {
		Refs    []string `json:"refs,omitempty"`
		Specs   []int    `json:"specs,omitempty"`
		Schemas []int    `json:"schemas,omitempty"`
	} `json:"removed"`
	// Replaced is the metadata file that the commit has replaced, where the catalog
	// has said so; empty: the table's log has to tell.
	Replaced string `json:"replaced,omitempty"`
	// Checked: no ref was lost by the commit, so that files may go.
	Checked bool `json:"checked,omitempty"`

	location storage.Location
}

// committed notes what the commit replaced, which is the newest in the log of what
// it made. When that is what was planned on, nothing came between.
func (rec *record) committed(made *polaris.Loaded) {
	log := made.Metadata.MetadataLog
	if len(log) == 0 {
		return
	}
	rec.Replaced = log[len(log)-1]
	rec.Checked = table.Identity(rec.Replaced) == table.Identity(rec.Base)
}

// removedSnapshot is one that the commit removes.
type removedSnapshot struct {
	ID int64 `json:"id"`
	// ManifestList is empty where Manifests are named inline.
	ManifestList string   `json:"manifest_list,omitempty"`
	Manifests    []string `json:"manifests,omitempty"`
}

// statisticsFile is one of a removed snapshot.
type statisticsFile struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

func newRecord(job *jobs.Job, m *table.Metadata, base string, expiry table.Expiry) *record {
	rec := &record{Version: 1, ID: jobs.NewID(), Job: job.ID, TableUUID: m.UUID, Base: base}
	rec.Removed.Refs = expiry.Refs
	gone := idSet(expiry.Snapshots)
	for _, s := range m.Snapshots {
		if gone[s.ID] {
			rec.Snapshots = append(rec.Snapshots, removedSnapshot{ID: s.ID, ManifestList: s.ManifestList, Manifests: s.Manifests})
		}
	}
	rec.Statistics = statisticsOf(m.Statistics, gone)
	rec.PartitionStatistics = statisticsOf(m.PartitionStatistics, gone)
	return rec
}

func statisticsOf(files []table.StatisticsFile, of map[int64]bool) (found []statisticsFile) {
	seen := map[string]bool{}
	for _, f := range files {
		if id := table.Identity(f.Path); of[f.SnapshotID] && f.Path != "" && !seen[id] {
			seen[id] = true
			found = append(found, statisticsFile{Path: f.Path, Size: f.Size})
		}
	}
	return found
}

func idSet(ids []int64) map[int64]bool {
	set := make(map[int64]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// ids of the snapshots.
func (rec *record) ids() []int64 {
	ids := make([]int64, len(rec.Snapshots))
	for i, s := range rec.Snapshots {
		ids[i] = s.ID
	}
	return ids
}

// missing counts those of its snapshots that the table does not have.
func (rec *record) missing(m *table.Metadata) int {
	missing := idSet(rec.ids())
	for _, s := range m.Snapshots {
		delete(missing, s.ID)
	}
	return len(missing)
}

// What is so when a record cannot be written, for people.
const (
	notCommitted = "nothing was committed"
	notDeleted   = "the commit took place, and no file was deleted yet"
)

// store writes the record in place of what was there. so says what is so if it
// cannot be.
func (r *run) store(ctx context.Context, rec *record, so string) error {
	data, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("encode the record: %w", err)
	}
	rec.location = r.folder.Join(rec.ID + ".json")
	if err := r.table.Eraser.Write(ctx, rec.location, data); err != nil {
		return maintenance.WriteFailure(ctx, fmt.Errorf("write the record of what is about to be removed: %w", err), so)
	}
	return nil
}

// drop deletes the record.
func (r *run) drop(ctx context.Context, rec *record) error {
	var refusal error
	err := erase.Files(ctx, r.table.Eraser, []erase.File{{Location: rec.location}}, func(erase.File) {},
		func(_ erase.File, err error) { refusal = err })
	if err == nil && refusal != nil {
		err = jobs.Permanent(fmt.Errorf("delete the record of an expiry: %w", refusal))
	}
	return err
}

// records are those that lie in the table's folder, oldest first.
func (r *run) records(ctx context.Context) ([]*record, error) {
	var found []*record
	for object, err := range r.table.Reader.List(ctx, r.folder) {
		if errors.Is(err, storage.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, maintenance.StorageFailure(ctx, fmt.Errorf("look for what an earlier expiry left: %w", err))
		}
		if !strings.HasSuffix(object.Location.Key, ".json") {
			continue
		}
		rec, err := r.readRecord(ctx, object.Location)
		if err != nil {
			return nil, err
		}
		if rec != nil {
			found = append(found, rec)
		}
	}
	return found, nil
}

// readRecord is nil for what is no record of this table; it stays where it is.
func (r *run) readRecord(ctx context.Context, l storage.Location) (*record, error) {
	data, err := r.table.Reader.ReadAll(ctx, l, maxRecord)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, maintenance.StorageFailure(ctx, fmt.Errorf("read what an earlier expiry left: %w", err))
	}
	rec := &record{location: l}
	if err := json.Unmarshal(data, rec); err != nil || rec.Version != 1 {
		r.book.Note("%s is no record of an expiry that this version can read; it was left alone", l)
		return nil, nil //nolint:nilerr // said in the note
	}
	if !strings.EqualFold(rec.TableUUID, r.receipt.TableUUID) {
		r.book.Note("%s is the record of an expiry of another table, %s; it was left alone", l, rec.TableUUID)
		return nil, nil
	}
	return rec, nil
}

// applied says whether the table shows all that the record removes as removed.
func (rec *record) applied(loaded *polaris.Loaded) bool {
	m := loaded.Metadata
	for _, name := range rec.Removed.Refs {
		if _, found := m.Refs[name]; found {
			return false
		}
	}
	return rec.missing(m) == len(rec.Snapshots) &&
		!containsAny(m.SpecIDs, rec.Removed.Specs) && !containsAny(m.SchemaIDs, rec.Removed.Schemas)
}

// containsAny says whether one of the ids is among those.
func containsAny(those, ids []int) bool {
	return slices.ContainsFunc(ids, func(id int) bool { return slices.Contains(those, id) })
}
