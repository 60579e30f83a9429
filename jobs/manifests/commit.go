package manifests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/maintenance"
	"deckhand/internal/manifest"
	"deckhand/internal/polaris"
	"deckhand/internal/receipt"
	"deckhand/internal/table"
)

// attempt is a commit that is ready to be sent. It may be sent again, since it can
// take place only once: it is for one snapshot of main.
type attempt struct {
	plan         *plan
	snapshot     *iceberg.Snapshot
	requirements []iceberg.Requirement
	updates      []iceberg.Update
	listSize     int64
}

// planAndCommit plans and commits, and plans anew after a conflict.
func (r *run) planAndCommit(ctx context.Context, loaded *polaris.Loaded) error {
	waits := maintenance.NewWaits(r.cfg.RetryWait)
	var sent, unknown []*attempt // unknown may take place yet, oldest first
	for try := 1; ; try++ {
		a, err := r.next(ctx, loaded, unknown)
		if err != nil || a == nil {
			return r.giveUp(ctx, unknown, err)
		}
		if r.dryRun {
			r.account(a, loaded.Metadata.LastSequenceNumber)
			return nil
		}
		sent = append(sent, a)
		made, err := r.send(ctx, a)
		if err == nil {
			return r.done(ctx, a, made, unknown)
		}
		switch definite := maintenance.IsDefinite(err); {
		case !errors.Is(err, polaris.ErrStateUnknown) && !errors.Is(err, polaris.ErrConflict), try == maintenance.MaxCommits:
			if errors.Is(err, polaris.ErrConflict) {
				loaded, loadErr := r.table.Load(ctx)
				if came := firstToCome(sent, loaded); loadErr == nil && came != nil {
					return r.done(ctx, came, loaded, unknown)
				}
				definite = loadErr == nil
			}
			if definite {
				r.out.drop(a.list())
			} else if !slices.Contains(unknown, a) {
				unknown = append(unknown, a)
			}
			return r.giveUp(ctx, unknown, commitFailure(ctx, err))
		case definite:
			r.receipt.Conflicts++
			if !slices.Contains(unknown, a) {
				r.out.drop(a.list())
			}
		case !slices.Contains(unknown, a):
			unknown = append(unknown, a)
		}
		if err := waits.Wait(ctx); err != nil {
			return err
		}
		if loaded, err = r.table.Load(ctx); err != nil {
			return r.giveUp(ctx, unknown, err)
		}
		if came := firstToCome(sent, loaded); came != nil {
			return r.done(ctx, came, loaded, unknown)
		}
	}
}

func commitFailure(ctx context.Context, err error) error {
	return maintenance.CatalogFailure(ctx, fmt.Errorf("commit the rewritten manifests: %w", err))
}

// firstToCome is the attempt that took place, or nil: the attempts of a run are all
// for one snapshot id, and each has its own list. Those that were answered with a
// conflict are looked for too: a proxy between may have sent a commit twice, and
// handed on the second answer.
func firstToCome(sent []*attempt, loaded *polaris.Loaded) *attempt {
	if loaded == nil {
		return nil
	}
	for _, s := range loaded.Metadata.Snapshots {
		for _, a := range sent {
			if s.ID == a.snapshot.SnapshotID && table.Identity(s.ManifestList) == table.Identity(a.snapshot.ManifestList) {
				return a
			}
		}
	}
	return nil
}

func hasSnapshot(m *table.Metadata, id int64) bool {
	return slices.ContainsFunc(m.Snapshots, func(s table.Snapshot) bool { return s.ID == id })
}

// next is the attempt for the table as it was loaded; nil when there is nothing to
// gain. Where nothing has changed since one without an answer, it is that one.
func (r *run) next(ctx context.Context, loaded *polaris.Loaded, unknown []*attempt) (*attempt, error) {
	if last := len(unknown) - 1; last >= 0 && table.Identity(unknown[last].plan.base.MetadataLocation) == table.Identity(loaded.MetadataLocation) {
		return unknown[last], nil
	}
	p, err := r.plan(ctx, loaded)
	if err != nil || p == nil {
		return nil, err
	}
	return r.prepare(ctx, p)
}

// prepare writes the manifest list.
func (r *run) prepare(ctx context.Context, p *plan) (*attempt, error) {
	m, id := p.base.Metadata, r.snapshotID
	sequence := int64(0)
	if m.FormatVersion > 1 {
		sequence = m.LastSequenceNumber + 1
	}
	r.ck.Lists++
	path := r.out.list(idText(id), r.ck.Lists)
	var buffer bytes.Buffer
	written, err := p.writeList(&buffer, path, manifest.ListConfig{
		FormatVersion: m.FormatVersion, SnapshotID: id, ParentSnapshotID: p.current.ID, SequenceNumber: sequence,
		FirstRowID: p.facts.nextRowID, Compression: r.compression,
	})
	if err != nil {
		return nil, fmt.Errorf("write the manifest list: %w", err)
	}
	a := &attempt{plan: p, listSize: written.Length}
	a.snapshot = &iceberg.Snapshot{
		SnapshotID: id, ParentSnapshotID: &p.current.ID, SequenceNumber: sequence,
		TimestampMs: max(r.cfg.Now().UnixMilli(), m.LastUpdated.UnixMilli()), ManifestList: path, Summary: p.summary(r.job.ID),
	}
	if m.CurrentSchemaID >= 0 {
		a.snapshot.SchemaID = &m.CurrentSchemaID
	}
	if m.FormatVersion > 2 {
		a.snapshot.FirstRowID, a.snapshot.AddedRows = &p.facts.nextRowID, &written.AddedRows
	}
	if a.requirements, err = maintenance.AssertUUID(m); err != nil {
		return nil, err
	}
	a.requirements = append(a.requirements, iceberg.AssertRefSnapshotID(table.MainBranch, &p.current.ID))
	a.updates = []iceberg.Update{iceberg.NewAddSnapshotUpdate(a.snapshot), p.facts.setMain(id)}
	if r.dryRun {
		return a, nil
	}
	if err := r.save(ctx, "commit"); err != nil { // so that the list is found again
		return nil, err
	}
	return a, r.out.store(ctx, path, buffer.Bytes())
}

// writeList writes the list of the new snapshot: what is new, and then all others in
// their order.
func (p *plan) writeList(buffer *bytes.Buffer, path string, c manifest.ListConfig) (*manifest.WrittenList, error) {
	w, err := manifest.NewListWriter(buffer, path, c)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	for _, made := range p.results {
		for _, m := range made.written {
			if err := w.Add(m); err != nil {
				return nil, err
			}
		}
	}
	replaced := p.replaced()
	for _, s := range p.sources {
		if !replaced[s] {
			if err := w.Keep(s.Kept); err != nil {
				return nil, err
			}
		}
	}
	return w.Close()
}

// send makes sure that the job is still ours, and commits.
func (r *run) send(ctx context.Context, a *attempt) (*polaris.Loaded, error) {
	r.ck.Sent = true
	if err := r.save(ctx, "commit"); err != nil {
		return nil, err
	}
	return r.table.Commit(ctx, a.requirements, a.updates)
}

// done ends a job whose commit took place. What other attempts have written is
// deleted where they cannot take place any more.
func (r *run) done(ctx context.Context, a *attempt, made *polaris.Loaded, unknown []*attempt) error {
	r.account(a, made.Metadata.LastSequenceNumber)
	r.receipt.SnapshotID = idText(a.snapshot.SnapshotID)
	r.forgetResults() // it may be another attempt than the last
	r.keep(slices.DeleteFunc(slices.Clone(unknown), func(u *attempt) bool { return u == a }), a)
	return r.out.clean(ctx)
}

// giveUp ends a job that has nothing to commit any more, or may not; err says why,
// and is nil when there is nothing to gain. What a commit may still need stays.
func (r *run) giveUp(ctx context.Context, unknown []*attempt, err error) error {
	r.forgetResults()
	r.keep(unknown, nil)
	if cleanErr := r.out.clean(ctx); cleanErr != nil {
		if err == nil {
			return cleanErr
		}
		r.book.Note("what the job has written stays, which does no harm: %v", cleanErr)
	}
	return err
}

// forgetResults says that the results of the last plan are not needed, other than by
// the attempts that keep is told of.
func (r *run) forgetResults() {
	for _, made := range r.results {
		r.out.forget(made.written)
	}
}

// keep takes what the attempts need out of what is not needed, and enters it into
// the receipt where it is not of the one that took place.
func (r *run) keep(unknown []*attempt, took *attempt) {
	needed := map[string]bool{}
	if took != nil {
		for _, f := range took.files() {
			needed[f.path] = true
		}
	}
	for _, a := range unknown {
		for _, f := range a.files() {
			if !needed[f.path] {
				needed[f.path] = true
				r.book.Keep(MayBeNeeded, f.kind, f.size, f.path, "")
			}
		}
	}
	r.out.unneeded = slices.DeleteFunc(r.out.unneeded, func(f output) bool { return needed[f.path] })
}

func (a *attempt) list() output {
	return output{path: a.snapshot.ManifestList, kind: receipt.ManifestLists, size: a.listSize}
}

// files that the attempt's snapshot names and the job has written.
func (a *attempt) files() []output {
	files := []output{a.list()}
	for _, made := range a.plan.results {
		for _, m := range made.written {
			files = append(files, output{path: m.Path, kind: receipt.Manifests, size: m.Length})
		}
	}
	return files
}

// account enters what the attempt does into the receipt.
func (r *run) account(a *attempt, lastSequenceNumber int64) {
	rc := r.receipt
	rc.LastSequenceNumber = lastSequenceNumber
	rc.Written, rc.Replaced, rc.Entries, rc.Dropped = receipt.Count{}, receipt.Count{}, 0, nil
	var gone dropped
	for _, made := range a.plan.results {
		for _, m := range made.written {
			rc.Written.Files++
			rc.Written.Bytes += m.Length
		}
		rc.Entries += made.entries
		gone.addAll(&made.dropped)
	}
	if gone.files() > 0 {
		rc.Dropped = gone.counts
	}
	rc.After = rc.Written
	replaced := a.plan.replaced()
	for _, s := range a.plan.sources {
		if replaced[s] {
			rc.Replaced.Files++
			rc.Replaced.Bytes += s.bytes()
			continue
		}
		rc.After.Files++
		rc.After.Bytes += s.bytes()
	}
}
