package expire

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// plan is a commit, and what its files will be judged by.
type plan struct {
	base  *polaris.Loaded
	rec   *record
	sieve *sieve
}

// plan says what to commit on the table as it was loaded; nil when there is
// nothing. It fails while something that stays cannot be read.
func (r *run) plan(ctx context.Context, base *polaris.Loaded) (*plan, error) {
	m := base.Metadata
	now := r.cfg.Now()
	expiry, err := m.Expired(r.settings.Retention(now), now)
	if err != nil {
		return nil, jobs.Permanent(err)
	}
	r.noteUnknown(m)
	p := &plan{base: base, rec: newRecord(r.job, m, base.MetadataLocation, expiry), sieve: newSieve(r.table.Reader, r.largeTable)}
	if expiry.Empty() && !r.settings.CleanExpiredMetadata {
		return nil, nil
	}
	if len(expiry.Snapshots) > 0 || r.settings.CleanExpiredMetadata {
		if err := r.planFiles(ctx, p, m); err != nil {
			return nil, err
		}
	}
	if expiry.Empty() && len(p.rec.Removed.Specs) == 0 && len(p.rec.Removed.Schemas) == 0 {
		return nil, nil
	}
	return p, nil
}

// noteUnknown names explicit ids that the table does not have.
func (r *run) noteUnknown(m *table.Metadata) {
	for _, id := range r.settings.SnapshotIDs {
		if !slices.ContainsFunc(m.Snapshots, func(s table.Snapshot) bool { return s.ID == id }) {
			r.book.Note("the table has no snapshot %d", id)
		}
	}
}

// planFiles reads what stays, where something goes.
func (r *run) planFiles(ctx context.Context, p *plan, m *table.Metadata) error {
	goes := idSet(p.rec.ids())
	stay, going, err := r.read(ctx, m, p.rec)
	if err != nil {
		return err
	}
	if err := readable(stay); err != nil {
		return err
	}
	if err := r.fill(ctx, p.sieve, going.Without(stay), stay); err != nil {
		return err
	}
	if r.settings.CleanExpiredMetadata {
		p.rec.Removed.Schemas = unusedSchemas(m, goes)
		p.rec.Removed.Specs = r.unusedSpecs(m, stay)
	}
	return nil
}

// readable is an error when a list of a snapshot that stays was not read.
func readable(stay *table.Tree) error {
	unread := stay.Unread()
	if len(unread) == 0 {
		return nil
	}
	return jobs.Permanentf("manifest list %s of a snapshot that stays cannot be read, so it cannot be told which files it needs: "+
		"nothing was removed or deleted by this; mend it or roll the table back, and requeue: %w", unread[0].Path, unread[0].Err)
}

// fill makes the sieve know what stays of the files that going name.
func (r *run) fill(ctx context.Context, s *sieve, going []*table.Manifest, stay *table.Tree) error {
	if len(going) == 0 {
		return nil
	}
	err := s.prepare(ctx, going, stay.Manifests)
	if err == nil {
		err = s.add(ctx, stay.Manifests)
	}
	var unreadable *staysError
	if errors.As(err, &unreadable) {
		return jobs.Permanent(fmt.Errorf("%w: nothing was removed or deleted by this; mend it or roll the table back, and requeue", unreadable))
	}
	return err
}

// unusedSchemas are those of no snapshot that stays. A snapshot that does not tell
// its schema is read with the current one.
func unusedSchemas(m *table.Metadata, goes map[int64]bool) []int {
	if m.CurrentSchemaID < 0 {
		return nil
	}
	used := map[int]bool{m.CurrentSchemaID: true}
	for _, s := range m.Snapshots {
		if !goes[s.ID] {
			used[s.SchemaID] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(m.SchemaIDs), func(id int) bool { return used[id] })
}

// unusedSpecs are those of no manifest that stays.
func (r *run) unusedSpecs(m *table.Metadata, stay *table.Tree) []int {
	if m.DefaultSpecID < 0 {
		return nil
	}
	used := map[int]bool{m.DefaultSpecID: true}
	for _, manifest := range stay.Manifests {
		if manifest.SpecID < 0 {
			r.book.Note("partition specs stay: a snapshot without a manifest list does not tell which it uses")
			return nil
		}
		used[int(manifest.SpecID)] = true
	}
	return slices.DeleteFunc(slices.Clone(m.SpecIDs), func(id int) bool { return used[id] })
}

// requirements assert all that the plan relies on. Every ref is among them, since
// the catalog drops those of a removed snapshot without a word.
func (p *plan) requirements() ([]iceberg.Requirement, error) {
	m := p.base.Metadata
	asserted, err := maintenance.AssertUUID(m)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Refs)) {
		id := m.Refs[name].SnapshotID
		asserted = append(asserted, iceberg.AssertRefSnapshotID(name, &id))
	}
	if len(p.rec.Removed.Specs) > 0 {
		asserted = append(asserted, iceberg.AssertDefaultSpecID(m.DefaultSpecID))
	}
	if len(p.rec.Removed.Schemas) > 0 {
		asserted = append(asserted, iceberg.AssertCurrentSchemaID(m.CurrentSchemaID))
	}
	return asserted, nil
}

// updates come one snapshot at a time: servers of before Iceberg 1.9 take no
// more.
func (p *plan) updates() []iceberg.Update {
	var updates []iceberg.Update
	for _, name := range p.rec.Removed.Refs {
		updates = append(updates, iceberg.NewRemoveSnapshotRefUpdate(name))
	}
	m, goes := p.base.Metadata, idSet(p.rec.ids())
	for _, s := range p.rec.Snapshots {
		updates = append(updates, iceberg.NewRemoveSnapshotsUpdate([]int64{s.ID}, false))
	}
	for _, f := range m.Statistics {
		if goes[f.SnapshotID] {
			updates = append(updates, iceberg.NewRemoveStatisticsUpdate(f.SnapshotID))
		}
	}
	for _, f := range m.PartitionStatistics {
		if goes[f.SnapshotID] {
			updates = append(updates, iceberg.NewRemovePartitionStatisticsUpdate(f.SnapshotID))
		}
	}
	if len(p.rec.Removed.Specs) > 0 {
		updates = append(updates, iceberg.NewRemoveSpecUpdate(p.rec.Removed.Specs))
	}
	if len(p.rec.Removed.Schemas) > 0 {
		updates = append(updates, iceberg.NewRemoveSchemasUpdate(p.rec.Removed.Schemas))
	}
	return updates
}
