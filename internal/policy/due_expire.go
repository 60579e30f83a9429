package policy

import (
	"slices"
	"sort"
	"strings"
	"time"

	"deckhand/internal/table"
)

// expireNeed asks the table's own retention arithmetic what expires now, and
// otherwise when something will. own are the settings that a job gets, effective
// the ages that hold in the end.
func expireNeed(own, effective Expire, f Facts, now time.Time) need {
	expired := func(at time.Time) (table.Expiry, error) {
		return f.History.Expired(own.Retention(at), f.Properties, at)
	}
	expiry, err := expired(now)
	if err != nil {
		return need{err: err}
	}
	// With time alone snapshots and refs only ever grow old: once something expires
	// it goes on to, which is what makes searching by halves right.
	turns := turningPoints(effective, f.History)
	expires := func(ms int64) bool {
		at, err := expired(time.UnixMilli(ms))
		return err == nil && !at.Empty()
	}
	i := sort.Search(len(turns), func(i int) bool { return expires(turns[i]) })
	if !expiry.Empty() {
		since := now
		if i < len(turns) && turns[i] <= now.UnixMilli() && (i > 0 || !expires(turns[0]-1)) {
			since = time.UnixMilli(turns[i])
		} else if !f.LastUpdated.IsZero() && f.LastUpdated.Before(now) {
			since = f.LastUpdated // not by age: explicit ids, a ref without its snapshot
		}
		return need{at: since, why: whatExpires(expiry)}
	}
	if i == len(turns) {
		return need{why: "nothing expires, and nothing will without another commit"}
	}
	return need{at: time.UnixMilli(turns[i]).In(now.Location()), why: "nothing expires yet"}
}

// turningPoints are the instants, in milliseconds since 1970 and sorted, at which
// what expires may change: one millisecond after a snapshot has reached an age
// that the settings or a ref name, since what is exactly as old is kept.
func turningPoints(effective Expire, h table.History) []int64 {
	ages, refAges := map[int64]bool{}, map[int64]bool{effective.MaxRefAge.Milliseconds(): true}
	if a := effective.MaxSnapshotAge; a != nil && a.Before.IsZero() {
		ages[a.Ago.Milliseconds()] = true
	} else {
		ages[0] = true // nothing is older than now
	}
	for _, ref := range h.Refs {
		if ref.MaxSnapshotAge != 0 {
			ages[ref.MaxSnapshotAge.Milliseconds()] = true
		}
		if ref.MaxRefAge != 0 {
			refAges[ref.MaxRefAge.Milliseconds()] = true
		}
	}
	heads := map[int64]bool{}
	for name, ref := range h.Refs {
		heads[ref.SnapshotID] = heads[ref.SnapshotID] || name != table.MainBranch
	}
	delete(ages, forever.Milliseconds())
	delete(refAges, forever.Milliseconds())
	points := make([]int64, 0, len(h.Snapshots)*len(ages))
	for _, s := range h.Snapshots {
		for age := range ages {
			points = append(points, s.Timestamp+age+1)
		}
		if heads[s.ID] {
			for age := range refAges {
				points = append(points, s.Timestamp+age+1)
			}
		}
	}
	slices.Sort(points)
	return slices.Compact(points)
}

// whatExpires counts in words: "2 snapshots and 1 ref expire".
func whatExpires(e table.Expiry) string {
	var parts []string
	if len(e.Snapshots) > 0 {
		parts = append(parts, count(len(e.Snapshots), "snapshot"))
	}
	if len(e.Refs) > 0 {
		parts = append(parts, count(len(e.Refs), "ref"))
	}
	verb := " expire"
	if len(e.Snapshots)+len(e.Refs) == 1 {
		verb = " expires"
	}
	return strings.Join(parts, " and ") + verb
}
