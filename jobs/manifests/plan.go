package manifests

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/manifest"
	"deckhand/internal/polaris"
	"deckhand/internal/receipt"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// plan is what a commit changes.
type plan struct {
	base    *polaris.Loaded
	facts   *facts
	current *table.Snapshot
	sources []*source
	results []*result
	// dead manifests name no live file and are left out.
	dead []*source

	layouts map[groupKey]*manifest.Layout
	// watched are the data manifests whose files gone has been shown; looked says
	// that all are.
	watched map[*source]bool
	looked  bool
	// gone knows which delete files apply to nothing; nil: none is dropped.
	gone *dangling
	// dropped by manifest, of the group that is worked on.
	dropped map[*source]*dropped
}

// result is what was made of one group.
type result struct {
	group   groupKey
	version int // of the format
	chosen  []*source
	written []*manifest.Written
	entries int64
	dropped dropped
}

// plan says what to commit on the table as it was loaded, and writes the manifests
// for it; nil when there is nothing to gain.
func (r *run) plan(ctx context.Context, base *polaris.Loaded) (*plan, error) {
	p := &plan{base: base, layouts: map[groupKey]*manifest.Layout{}, watched: map[*source]bool{}}
	var err error
	if p.facts, err = factsOf(base); err != nil {
		return nil, jobs.Permanent(err)
	}
	if err := r.readSettings(p); err != nil {
		return nil, err
	}
	p.current, p.sources, err = r.sources(ctx, base.Metadata)
	if errors.Is(err, errNoList) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.receipt.MetadataLocation, r.receipt.Before = base.MetadataLocation, receipt.Count{}
	for _, s := range p.sources {
		r.receipt.Before.Files++
		r.receipt.Before.Bytes += s.bytes()
	}
	groups := r.groups(p)
	earlier := r.takeOver(p)
	r.results, r.lastSources = slices.Collect(maps.Values(earlier)), p.sources
	if err := r.lookAtDeletes(ctx, p, groups); err != nil {
		return nil, err
	}
	for _, key := range slices.SortedFunc(maps.Keys(groups), groupKey.compare) {
		if key.deletes {
			if err := r.lookAtData(ctx, p); err != nil {
				return nil, err
			}
		}
		if earlier[key] != nil {
			p.results = append(p.results, earlier[key])
			continue
		}
		if err := r.rewriteGroup(ctx, p, key, groups[key]); err != nil {
			return nil, err
		}
	}
	r.analysed = true
	if len(p.results) == 0 && !p.gainsByTheDead() {
		return nil, nil
	}
	return p, nil
}

// gainsByTheDead says that there are enough manifests without a live file for a
// commit. Those of the current snapshot say what it has removed, and are there for
// that.
func (p *plan) gainsByTheDead() bool {
	old := 0
	for _, s := range p.dead {
		if s.AddedSnapshotID != p.current.ID {
			old++
		}
	}
	return old > 1
}

// readSettings holds the settings to the table.
func (r *run) readSettings(p *plan) error {
	var err error
	if r.target, err = targetSize(r.settings.TargetSizeBytes, p.base.Metadata); err != nil {
		return jobs.Permanent(err)
	}
	if r.target > maxTargetSize {
		r.book.Note("manifests are made %s large and not %s: they are held in memory until they are stored",
			receipt.FormatBytes(maxTargetSize), receipt.FormatBytes(r.target))
		r.target = maxTargetSize
	}
	r.compression = compression(p.base.Metadata)
	if id := r.settings.SpecID; id != nil && p.facts.specs[int32(*id)] == nil {
		return noSpec(*id)
	}
	for _, name := range r.settings.SortBy {
		if !slices.ContainsFunc(r.clustered(p), func(fields []specField) bool { return fieldIndex(fields, name) >= 0 }) {
			return jobs.Permanentf("sort-by names %q, which is no field of the partition %s; "+
				"name fields of the partition, not columns, and requeue", name, specsText(r.clustered(p)))
		}
	}
	return nil
}

// clustered are the fields of the specs whose manifests may be rewritten.
func (r *run) clustered(p *plan) [][]specField {
	if r.settings.SpecID != nil {
		return [][]specField{p.facts.fields[int32(*r.settings.SpecID)]}
	}
	return slices.Collect(maps.Values(p.facts.fields))
}

func fieldIndex(fields []specField, name string) int {
	return slices.IndexFunc(fields, func(f specField) bool { return f.Name == name })
}

func specsText(specs [][]specField) string {
	var names []string
	for _, fields := range specs {
		for _, f := range fields {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return "spec: the table is not partitioned"
	}
	return "spec (" + strings.Join(names, ", ") + ")"
}

// order of a spec's fields in clustering: those of sort-by that it has, then the
// others.
func (r *run) order(fields []specField) []int {
	var order []int
	for _, name := range r.settings.SortBy {
		if i := fieldIndex(fields, name); i >= 0 && !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	for i := range fields {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	return order
}

// groups sorts the manifests into what may be written together. Those that must
// stay are in none.
func (r *run) groups(p *plan) map[groupKey][]*source {
	groups := map[groupKey][]*source{}
	others := 0
	for _, s := range p.sources {
		switch {
		case s.live() == 0:
			p.dead = append(p.dead, s)
			continue
		case r.settings.SpecID != nil && int(s.SpecID) != *r.settings.SpecID:
			others++
			continue
		case s.HasKeyMetadata:
			s.stays = table.ErrEncrypted
		case r.bad[s.Path] != nil:
			s.stays = r.bad[s.Path]
		}
		if s.stays == nil {
			if err := p.layOut(s.group()); err != nil {
				s.stays = &manifest.NotCarriedError{Name: s.Path, Field: "partition spec", Why: "is not understood: " + err.Error()}
			}
		}
		if s.stays != nil {
			r.stay(s)
			continue
		}
		summaries, _ := s.Partitions() // without them only sizes count
		s.span = spanOf(summaries, p.layouts[s.group()].Partition(), r.order(p.facts.fields[s.SpecID]))
		groups[s.group()] = append(groups[s.group()], s)
	}
	if others > 0 {
		r.book.Note("%d manifests of other partition specs than %d were left alone, as spec-id says", others, *r.settings.SpecID)
	}
	return groups
}

// layOut makes the layout of a group, if there is none yet.
func (p *plan) layOut(key groupKey) error {
	if p.layouts[key] != nil {
		return nil
	}
	made, err := p.facts.layout(p.base.Metadata, key.spec, key.deletes)
	if err == nil {
		p.layouts[key] = made
	}
	return err
}

// stay enters a manifest that stays into the receipt, once.
func (r *run) stay(s *source) {
	if r.stayed[s.Path] {
		return
	}
	r.stayed[s.Path] = true
	reason := receipt.Unreadable
	var no *manifest.NotCarriedError
	if errors.As(s.stays, &no) {
		reason = NotCarried
	}
	r.book.Keep(reason, receipt.Manifests, s.bytes(), s.Path, s.stays.Error())
}

// mark notes that manifests turned out to be such that they must stay.
func (r *run) mark(reading *reading) {
	for i, err := range reading.bad {
		s := reading.sources[i]
		s.stays, r.bad[s.Path] = err, err
		r.stay(s)
	}
}

// maxRestarts is how often a group is begun anew since a manifest turned out to be
// unreadable.
const maxRestarts = 4

// rewriteGroup writes the manifests of a group anew that are worth it.
func (r *run) rewriteGroup(ctx context.Context, p *plan, key groupKey, group []*source) error {
	for range maxRestarts {
		group = slices.DeleteFunc(slices.Clone(group), func(s *source) bool { return s.stays != nil })
		c := choose(group, r.target)
		doomed, err := r.doomed(ctx, p, key, group)
		if err != nil {
			return err
		}
		for _, s := range doomed {
			if !slices.Contains(c.chosen, s) {
				c.chosen = append(slices.Clone(c.chosen), s)
			}
		}
		if len(c.chosen) == 0 {
			return nil
		}
		made, err := r.rewrite(ctx, p, key, c.chosen)
		if errors.Is(err, errBad) {
			continue
		}
		if err != nil {
			return err
		}
		if !gained(c, made, group, p.layouts[key], r.order(p.facts.fields[key.spec])) {
			r.out.forget(made.written)
			return nil
		}
		p.results, r.results = append(p.results, made), append(r.results, made)
		return nil
	}
	return nil // what is left of it is said in the receipt
}

// rewrite writes the chosen manifests anew. The error is errBad when some of them
// must stay; they are marked then.
func (r *run) rewrite(ctx context.Context, p *plan, key groupKey, chosen []*source) (*result, error) {
	reading := &reading{from: r.table.Reader, layout: p.layouts[key], sources: chosen, order: r.order(p.facts.fields[key.spec])}
	made := &result{group: key, version: reading.layout.FormatVersion(), chosen: chosen}
	if p.gone != nil {
		if key.deletes {
			reading.fate = p.gone.fate
		} else {
			reading.watch = p.gone.data
		}
	}
	out := &outlet{layout: reading.layout, snapshot: r.snapshotID, compression: r.compression, name: r.out.name}
	if !r.dryRun {
		out.store = r.out.store
	}
	out.begin(ctx)
	w := &rewriting{reading: reading, limit: r.cfg.Memory, target: r.target, out: out}
	err := out.end(w.run(ctx))
	r.mark(reading)
	if err != nil {
		r.out.forget(out.written)
		return nil, err
	}
	made.written, made.entries = out.written, out.entries
	for _, s := range chosen {
		p.watched[s] = true
		if found := p.dropped[s]; found != nil && reading.fate != nil {
			made.dropped.addAll(found)
		}
	}
	return made, nil
}

// gained says that what was made is better than what it stands for.
func gained(c choice, made *result, group []*source, layout *manifest.Layout, order []int) bool {
	switch {
	case made.dropped.files() > 0:
		return true
	case len(made.written) < len(made.chosen), c.split && len(made.written) > len(made.chosen):
		return true
	case !c.cluster:
		return false
	}
	var after []*source
	for _, w := range made.written {
		after = append(after, &source{Kept: &manifest.Kept{}, span: spanOf(w.Partitions, layout.Partition(), order)})
	}
	return len(after)-chain(after) < len(group)-chain(group)
}

// eachEntry reads manifests for the sake of their entries alone.
func eachEntry(ctx context.Context, reading *reading) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(manifestsInFlight)
	for i := range reading.sources {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error { return reading.read(inner, i, nobody{}) })
	}
	err := group.Wait()
	if ctx.Err() != nil { // what was not read then is no error of its own
		return context.Cause(ctx)
	}
	return err
}

// nobody takes nothing.
type nobody struct{}

func (nobody) entry(*manifest.Transcript, []byte, int32, bool) error { return nil }
func (nobody) end() error                                            { return nil }
