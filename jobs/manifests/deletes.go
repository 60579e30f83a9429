package manifests

import (
	"context"
	"maps"
	"slices"
	"sync"

	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
)

// dropped are delete files that are left out.
type dropped struct {
	counts receipt.Counts
	// positions and equalities are the rows of the files, bytes their sizes.
	positions, equalities, bytes int64
	// newest is the highest data sequence number among them.
	newest int64
}

func (d *dropped) files() int64 { return d.counts.Total().Files }

func (d *dropped) add(t *manifest.Transcript) {
	if d.counts == nil {
		d.counts = receipt.Counts{}
	}
	d.counts.Add(receipt.KindOfEntry(&t.Entry).Kind(), 1, sizeOf(t))
	d.bytes += sizeOf(t)
	d.newest = max(d.newest, t.SequenceNumber)
	if t.Content == manifest.ContentEqualityDeletes {
		d.equalities += t.RecordCount
	} else {
		d.positions += t.RecordCount
	}
}

func (d *dropped) addAll(o *dropped) {
	if d.counts == nil {
		d.counts = receipt.Counts{}
	}
	d.counts.AddAll(o.counts)
	d.bytes += o.bytes
	d.positions += o.positions
	d.equalities += o.equalities
	d.newest = max(d.newest, o.newest)
}

// sizeOf a delete file as summaries of snapshots count it: of a deletion vector only
// its part of the file (Iceberg's ScanTaskUtil.contentSizeInBytes).
func sizeOf(t *manifest.Transcript) int64 {
	if isVector(t) && t.ContentSize >= 0 {
		return t.ContentSize
	}
	return t.FileSize
}

// dropsDeletes says whether the settings ask for it.
func (r *run) dropsDeletes() bool {
	return r.settings.RemoveDanglingDeletes == nil || *r.settings.RemoveDanglingDeletes
}

// lookAtDeletes reads the delete manifests, to know of which data files and
// partitions it must be told whether they are live.
func (r *run) lookAtDeletes(ctx context.Context, p *plan, groups map[groupKey][]*source) error {
	any := false
	for key := range groups {
		any = any || key.deletes
	}
	if !any || !r.dropsDeletes() || r.analysed {
		return nil
	}
	p.gone = newDangling(p.facts)
	for _, key := range slices.SortedFunc(maps.Keys(groups), groupKey.compare) {
		if !key.deletes {
			continue
		}
		reading := &reading{from: r.table.Reader, layout: p.layouts[key], sources: groups[key], watch: p.gone.deletes}
		if err := eachEntry(ctx, reading); err != nil {
			return err
		}
		r.mark(reading)
	}
	for _, s := range p.sources {
		p.gone.unseen = p.gone.unseen || s.Deletes && s.live() != 0 && (s.stays != nil || !slices.Contains(groups[s.group()], s))
	}
	if p.gone.full {
		p.gone = nil
		r.book.Note("there are more than %d data files and partitions with deletes: no delete file was dropped", maxDeletes)
	}
	return nil
}

// lookAtData reads the data manifests that were not read yet, all of them: unless
// every live data file is known, no delete file is dropped.
func (r *run) lookAtData(ctx context.Context, p *plan) error {
	if p.gone == nil || p.looked {
		return nil
	}
	p.looked = true
	rest := map[groupKey][]*source{}
	for _, s := range p.sources {
		switch {
		case s.Deletes || s.live() == 0 || p.watched[s]:
		case s.stays != nil:
			r.keepDeletes(p, s)
			return nil
		default:
			if p.layOut(s.group()) != nil {
				r.keepDeletes(p, s)
				return nil
			}
			rest[s.group()] = append(rest[s.group()], s)
		}
	}
	for key, sources := range rest {
		reading := &reading{from: r.table.Reader, layout: p.layouts[key], sources: sources, watch: p.gone.data}
		if err := eachEntry(ctx, reading); err != nil {
			return err
		}
		r.mark(reading)
		for i := range reading.bad {
			r.keepDeletes(p, reading.sources[i])
			return nil
		}
	}
	return nil
}

func (r *run) keepDeletes(p *plan, s *source) {
	p.gone = nil
	r.book.Note("no delete file was dropped: manifest %s cannot be read, and it may name data files that they apply to", receipt.Shorten(s.Path))
}

// doomed are the manifests of a group that hold delete files which apply to
// nothing.
func (r *run) doomed(ctx context.Context, p *plan, key groupKey, group []*source) ([]*source, error) {
	if !key.deletes || p.gone == nil {
		return nil, nil
	}
	var mu sync.Mutex
	found := map[*source]*dropped{}
	reading := &reading{from: r.table.Reader, layout: p.layouts[key], sources: group}
	reading.watch = func(s *source, t *manifest.Transcript) error {
		if p.gone.fate(t) == stays {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if found[s] == nil {
			found[s] = &dropped{}
		}
		found[s].add(t)
		return nil
	}
	if err := eachEntry(ctx, reading); err != nil {
		return nil, err
	}
	r.mark(reading)
	var doomed []*source
	p.dropped = found
	for _, s := range group {
		if found[s] != nil && s.stays == nil {
			doomed = append(doomed, s)
		}
	}
	return doomed, nil
}

// takeOver gives what an earlier plan of this run has written and still serves, by
// group: the manifests that it stands for are all there as they were. Where delete
// files were dropped, whatever came since must be too new for them to apply to it.
// The rest is not needed.
func (r *run) takeOver(p *plan) map[groupKey]*result {
	now := map[string]*source{}
	for _, s := range p.sources {
		now[s.Path] = s
	}
	known := map[string]bool{}
	for _, s := range r.lastSources {
		known[s.Path] = true
	}
	served := map[groupKey]*result{}
	for _, made := range r.results {
		ok := made.version == p.base.Metadata.FormatVersion // an upgrade may have come
		for _, s := range made.chosen {
			ok = ok && now[s.Path] != nil && now[s.Path].same(s)
		}
		for _, s := range p.sources {
			if made.dropped.files() > 0 && !s.Deletes && !known[s.Path] && s.MinSequenceNumber <= made.dropped.newest {
				ok = false
			}
		}
		if !ok {
			r.out.forget(made.written)
			r.analysed = r.analysed && made.dropped.files() == 0
			continue
		}
		taken := *made
		taken.chosen = nil
		for _, s := range made.chosen {
			taken.chosen = append(taken.chosen, now[s.Path])
		}
		served[made.group] = &taken
		r.receipt.Reused += int64(len(made.written))
	}
	return served
}
