package policy

import (
	"fmt"
	"slices"
	"time"

	"deckhand/internal/table"
)

// need is what a table's state says, before anything else has a say.
type need struct {
	// at is when the need is there if nothing is committed: in the past when it is
	// there already. Zero: not before another commit.
	at  time.Time
	why string
	// score is [Verdict].Need when the need does not come from the clock.
	score float64
	err   error
}

// gate holds a table back until a time.
type gate struct {
	until time.Time
	why   string
}

// Due says whether a table needs a job now, from what the policies say, what its
// last load returned and what is known of its jobs.
func (r Rules) Due(a Applied, f Facts, h History, now time.Time) Verdict {
	if why := r.blocked(a, f); why != "" {
		return Verdict{Why: why}
	}
	switch {
	case h.DeadLetter:
		return Verdict{Held: HeldByDeadLetter, Why: "its last job died; look at the dead letter, then requeue or remove it"}
	case h.Queued:
		return Verdict{Held: HeldByJob, Why: "a job is queued already"}
	}
	n := r.need(a, f, h, now)
	if n.err != nil {
		return Verdict{Why: n.err.Error()}
	}
	if n.at.IsZero() {
		return Verdict{Why: n.why}
	}
	ready := gate{until: n.at, why: n.why}
	for _, g := range r.gates(a, h) {
		if g.until.After(now) && g.until.After(ready.until) {
			ready = g
		}
	}
	if ready.until.Before(now) {
		ready.until = now
	}
	next, why := r.open(a.Timing, h, ready)
	v := Verdict{Due: next.Equal(now), Why: why, Next: next}
	if v.Due {
		v.Why, v.Need = n.why, n.score
		if v.Need == 0 {
			v.Need = now.Sub(n.at).Hours() / day.Hours()
		}
	} else if !n.at.After(now) {
		v.Why = n.why + "; " + why
	}
	return v
}

// blocked says why nothing but a change from outside makes the table due.
func (r Rules) blocked(a Applied, f Facts) string {
	switch {
	case a.Problem != nil:
		return a.Problem.Error()
	case a.Policy == nil:
		return fmt.Sprintf("no policy of type %s applies", Type(a.Kind))
	case a.Nothing != "":
		return a.Nothing
	case !a.Enabled:
		return "the policy switches it off"
	case !slices.Contains(r.Runnable, a.Kind):
		return fmt.Sprintf("no worker of this version takes %s jobs", a.Kind)
	case f.FormatVersion > table.MaxFormatVersion:
		return fmt.Sprintf("the table's format version is %d; this version knows up to %d", f.FormatVersion, table.MaxFormatVersion)
	case !f.GCEnabled && (a.Kind == ExpireKind || a.Kind == OrphansKind):
		return "the table says gc.enabled=false: its files are not its own, and none is deleted"
	}
	return ""
}

func (r Rules) need(a Applied, f Facts, h History, now time.Time) need {
	switch settings := a.Effective.(type) {
	case Expire:
		return expireNeed(a.Settings.(Expire), settings, f, now)
	case Orphans:
		return r.orphansNeed(settings, a.Timing, f, h, now)
	case Manifests:
		return manifestsNeed(settings, f, h.of(f), now)
	case Compact:
		return compactNeed(settings, f, h.of(f), now)
	}
	return need{err: fmt.Errorf("nothing is known of the kind %s", a.Kind)}
}

// gates that the jobs of the past leave behind.
func (r Rules) gates(a Applied, h History) []gate {
	var gates []gate
	if !h.LastSuccess.IsZero() {
		// A schedule says how often. So that a back-off of a day from the end of one
		// job does not pass over the same hour of the next day, it gives way a little.
		slack := time.Duration(0)
		if a.Timing.Schedule != nil {
			slack = r.ScheduleGrace
		}
		interval, why := r.CoolDown, "cools down after the last success"
		switch {
		case a.Timing.MinInterval > 0:
			interval, why = a.Timing.MinInterval, "min-interval after the last success"
		case a.DryRun:
			interval, why = max(r.DryRunCoolDown-slack, r.CoolDown), "cools down after the last dry run"
		}
		gates = append(gates, gate{h.LastSuccess.Add(interval), why})
		if h.ZeroChanges > 0 {
			longest := max(r.MaxBackOff, interval)
			gates = append(gates, gate{h.LastSuccess.Add(max(doubled(interval, h.ZeroChanges, longest)-slack, interval)),
				fmt.Sprintf("backs off: the last %s changed nothing", count(h.ZeroChanges, "job"))})
		}
	}
	if h.Failures > 0 && !h.LastFailure.IsZero() {
		gates = append(gates, gate{h.LastFailure.Add(doubled(r.BackOff, h.Failures-1, r.MaxBackOff)),
			fmt.Sprintf("backs off after %s", count(h.Failures, "failure"))})
	}
	return gates
}

// doubled so many times, up to the longest.
func doubled(d time.Duration, times int, longest time.Duration) time.Duration {
	for range times {
		if d >= longest/2 {
			return longest
		}
		d *= 2
	}
	return min(d, longest)
}

// maxInstants of a schedule that are looked at for one that meets the window.
const maxInstants = 400

// open finds the first time from which on the schedule and the window let the
// table through, and what held it back last; zero when they never do.
func (r Rules) open(t Timing, h History, ready gate) (time.Time, string) {
	if t.Schedule == nil {
		if t.Window == nil {
			return ready.until, ready.why
		}
		next := t.Window.Next(ready.until)
		if next.After(ready.until) {
			return next, fmt.Sprintf("waits for the window %s", t.Window)
		}
		return next, ready.why
	}
	// An instant counts for a while, since scans are not always on time, and once.
	after := ready.until.Add(-r.ScheduleGrace)
	if h.LastSuccess.After(after) {
		after = h.LastSuccess
	}
	for range maxInstants {
		instant := t.Schedule.Next(after)
		if instant.IsZero() {
			break
		}
		next := ready.until
		if instant.After(next) {
			next = instant
		}
		why := ready.why
		if next.After(ready.until) {
			why = fmt.Sprintf("waits for the schedule %s", t.Schedule)
		}
		if t.Window != nil {
			opens := t.Window.Next(next)
			if opens.After(next) {
				why = fmt.Sprintf("waits for the schedule %s and the window %s", t.Schedule, t.Window)
			}
			next = opens
		}
		if next.Before(instant.Add(r.ScheduleGrace)) {
			return next, why
		}
		// When the window opens, all instants until then are too long ago.
		after = next.Add(-r.ScheduleGrace)
	}
	return time.Time{}, fmt.Sprintf("the schedule %s never meets the window %s", t.Schedule, t.Window)
}

// count writes "1 job" and "2 jobs".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
