package policy

import (
	"fmt"
	"slices"
	"time"

	"deckhand/internal/table"
)

// orphansNeed comes with the clock: what is an orphan only a search tells.
func (r Rules) orphansNeed(o Orphans, t Timing, f Facts, h History, now time.Time) need {
	// Where a budget is short, who waits longest goes first.
	since := f.begun(now)
	if !h.LastSuccess.IsZero() && h.LastSuccess.Before(now) {
		since = h.LastSuccess
	}
	switch {
	case t.Schedule != nil:
		return need{at: since, why: "the schedule says so"}
	case h.LastSuccess.IsZero():
		return need{at: since, why: "no search is known of"}
	case h.Left:
		return need{at: since, why: "the last search left files to the next"}
	}
	cadence := r.cadence(h)
	at := h.LastSuccess.Add(cadence)
	if empties := o.nextEmptying(h); !empties.IsZero() && empties.Before(at) {
		return need{at: empties, why: fmt.Sprintf("files lie in the trash since %s, and are deleted after %s",
			empties.Add(-o.Quarantine).UTC().Format(time.RFC3339), formatDuration(o.Quarantine))}
	}
	if at.After(now) {
		return need{at: at, why: fmt.Sprintf("is searched every %s, as far as the last search tells", formatDuration(cadence.Round(time.Hour)))}
	}
	return need{at: at, why: fmt.Sprintf("the last search was %s ago", formatDuration(now.Sub(h.LastSuccess).Round(time.Hour)))}
}

// nextEmptying is when the oldest files in the trash have lain there for long
// enough; zero where none are known of.
func (o Orphans) nextEmptying(h History) time.Time {
	if o.Quarantine <= 0 || o.Quarantine >= forever {
		return time.Time{}
	}
	for _, moved := range h.Trashed {
		if at := moved.Add(o.Quarantine); at.After(h.LastSuccess) {
			return at
		}
	}
	return time.Time{}
}

// How much a cadence changes at once.
const (
	maxStretch = 2
	maxShrink  = 4
)

// cadence is the time until the next search: the one before, stretched when it
// freed less than the target, shrunk when it freed more.
func (r Rules) cadence(h History) time.Duration {
	if h.PreviousSuccess.IsZero() || !h.PreviousSuccess.Before(h.LastSuccess) {
		return r.scale(r.OrphanCadence, h.FreedBytes)
	}
	before := min(max(h.LastSuccess.Sub(h.PreviousSuccess), r.MinOrphanCadence), r.MaxOrphanCadence)
	return r.scale(before, h.FreedBytes)
}

func (r Rules) scale(before time.Duration, freed int64) time.Duration {
	factor := float64(maxStretch)
	if freed > 0 {
		factor = min(max(float64(r.OrphanTarget)/float64(freed), 1.0/maxShrink), maxStretch)
	}
	return min(max(time.Duration(float64(before)*factor), r.MinOrphanCadence), r.MaxOrphanCadence)
}

// manifestsNeed counts the commits since the last result: each adds a manifest or
// more.
func manifestsNeed(m Manifests, f Facts, h History, now time.Time) need {
	commits := int64(0)
	for _, s := range f.History.Snapshots {
		if s.Timestamp > h.LastSuccess.UnixMilli() {
			commits++
		}
	}
	// Snapshots expire; sequence numbers, where the table has them, do not.
	switch {
	case h.SequenceNumber > 0:
		commits = f.LastSequenceNumber - h.SequenceNumber
	case h.LastSuccess.IsZero():
		commits = max(commits, f.LastSequenceNumber)
	}
	n := need{why: fmt.Sprintf("%s since the last rewrite; %d make it due", count(int(commits), "commit"), m.MinCommits)}
	if commits >= int64(m.MinCommits) {
		n.at, n.score = now, float64(commits)/float64(m.MinCommits)
	}
	return n
}

// compactNeed judges the totals of the current snapshot, and what was added since
// the last result: a table of many partitions may have a small average for ever.
func compactNeed(c Compact, f Facts, h History, now time.Time) need {
	t := f.Totals
	if t.DataFiles < 0 || t.Bytes < 0 {
		return need{why: "the current snapshot does not tell how many files there are and how large they are"}
	}
	if t.DataFiles == 0 {
		return need{why: "there are no data files"}
	}
	n := deletesNeed(c, t, h, now)
	small := smallNeed(c, t, h, now)
	if n.at.IsZero() || small.score > n.score {
		n = small
	}
	if c.RewriteAll && n.at.IsZero() && committed(f, h) {
		return need{at: now, score: 1, why: "rewrite-all, and there was a commit since the last result"}
	}
	return n
}

// otherClocks is how much the clocks of a table's writers may differ from the
// queue's.
const otherClocks = 5 * time.Minute

// committed says that rows were added or removed since the last result. When the
// table was last changed does not tell: expiry and new properties change it too.
func committed(f Facts, h History) bool {
	switch {
	case h.SequenceNumber > 0:
		return f.LastSequenceNumber > h.SequenceNumber
	case h.LastSuccess.IsZero():
		return true
	}
	return slices.ContainsFunc(f.History.Snapshots, func(s table.HistorySnapshot) bool {
		return s.ID == f.History.Current && s.Timestamp > h.LastSuccess.Add(otherClocks).UnixMilli()
	})
}

func smallNeed(c Compact, t Totals, h History, now time.Time) need {
	average, grown := t.Bytes/t.DataFiles, t.DataFiles-h.DataFiles
	if t.DataFiles < h.DataFiles/2 {
		grown = t.DataFiles // so much was dropped that the old count says nothing
	}
	ideal := (t.Bytes + c.TargetFileSizeBytes - 1) / c.TargetFileSizeBytes
	n := need{why: fmt.Sprintf("files have %d bytes on average, less than %d make it due, if there are %s too many and so many were added since the last result (%d)",
		average, *c.MinFileSizeBytes, count(c.MinInputFiles, "file"), grown)}
	if average < *c.MinFileSizeBytes && t.DataFiles-ideal >= int64(c.MinInputFiles) && grown >= int64(c.MinInputFiles) {
		n.at, n.score = now, float64(t.DataFiles)/float64(max(1, ideal))
		n.why = fmt.Sprintf("%s of %d bytes on average, less than %d", count(int(t.DataFiles), "file"), average, *c.MinFileSizeBytes)
	}
	return n
}

func deletesNeed(c Compact, t Totals, h History, now time.Time) need {
	if t.DeleteFiles <= 0 || t.DeleteFiles == h.DeleteFiles {
		return need{}
	}
	if c.DeleteFileThreshold != nil {
		if perFile := float64(t.DeleteFiles) / float64(t.DataFiles); perFile >= float64(*c.DeleteFileThreshold) {
			return need{at: now, score: perFile / float64(*c.DeleteFileThreshold), why: fmt.Sprintf("%.3g delete files per data file, %d make it due", perFile, *c.DeleteFileThreshold)}
		}
	}
	deleted := max(0, t.PositionDeletes) + max(0, t.EqualityDeletes)
	if c.DeleteRatioThreshold == nil || t.Records <= 0 {
		return need{}
	}
	if ratio := float64(deleted) / float64(t.Records); deleted > 0 && ratio >= *c.DeleteRatioThreshold {
		return need{at: now, score: ratio / max(*c.DeleteRatioThreshold, 0.01), why: fmt.Sprintf("%.3g of the rows are deleted, %.3g makes it due", ratio, *c.DeleteRatioThreshold)}
	}
	return need{}
}
