package policy

import (
	"cmp"
	"fmt"
	"time"
)

// Rules are how often jobs are tried, whatever the policies say. The zero Rules
// are not valid; see [Rules.WithDefaults].
type Rules struct {
	// Runnable are the kinds that a worker takes. Default: expire, orphans
	// and manifests.
	Runnable []Kind
	// CoolDown after a success where the policy has no min-interval. Default: 1 h.
	CoolDown time.Duration
	// DryRunCoolDown in place of it when the policy is a dry run, which leaves the
	// table as due as before. Default: 24 h.
	DryRunCoolDown time.Duration
	// BackOff after the first failure; it doubles with each. Default: 15 min.
	BackOff time.Duration
	// MaxBackOff after failures, and after jobs that changed nothing. Default: 24 h.
	MaxBackOff time.Duration
	// ScheduleGrace is for how long after an instant of its schedule a table that
	// has not run since is due; longer than scans are apart. Default: 1 h.
	ScheduleGrace time.Duration
	// OrphanCadence between two searches for orphans as long as nothing is known of
	// the table; then it stretches and shrinks between MinOrphanCadence and
	// MaxOrphanCadence, towards one that frees OrphanTarget bytes a search.
	// Defaults: 7, 1 and 90 days, 1 GiB.
	OrphanCadence, MinOrphanCadence, MaxOrphanCadence time.Duration
	OrphanTarget                                      int64
}

const day = 24 * time.Hour

// WithDefaults fills in what is zero.
func (r Rules) WithDefaults() Rules {
	if r.Runnable == nil {
		r.Runnable = []Kind{ExpireKind, OrphansKind, ManifestsKind}
	}
	r.CoolDown = cmp.Or(r.CoolDown, time.Hour)
	r.DryRunCoolDown = cmp.Or(r.DryRunCoolDown, day)
	r.BackOff = cmp.Or(r.BackOff, 15*time.Minute)
	r.MaxBackOff = cmp.Or(r.MaxBackOff, day)
	r.ScheduleGrace = cmp.Or(r.ScheduleGrace, time.Hour)
	r.OrphanCadence = cmp.Or(r.OrphanCadence, 7*day)
	r.MinOrphanCadence = cmp.Or(r.MinOrphanCadence, day)
	r.MaxOrphanCadence = cmp.Or(r.MaxOrphanCadence, 90*day)
	r.OrphanTarget = cmp.Or(r.OrphanTarget, 1<<30)
	return r
}

// Validate says what is wrong with the rules.
func (r Rules) Validate() error {
	for name, d := range map[string]time.Duration{
		"cool-down": r.CoolDown, "cool-down of dry runs": r.DryRunCoolDown, "back-off": r.BackOff, "longest back-off": r.MaxBackOff,
		"grace of schedules": r.ScheduleGrace, "cadence of orphans": r.OrphanCadence,
		"shortest cadence of orphans": r.MinOrphanCadence, "longest cadence of orphans": r.MaxOrphanCadence,
	} {
		if d <= 0 {
			return fmt.Errorf("the %s is %v; it must be more than 0", name, d)
		}
	}
	if r.MaxBackOff < r.BackOff {
		return fmt.Errorf("the longest back-off, %v, is less than the first, %v", r.MaxBackOff, r.BackOff)
	}
	if r.MaxOrphanCadence < r.MinOrphanCadence {
		return fmt.Errorf("the longest cadence of orphans, %v, is less than the shortest, %v", r.MaxOrphanCadence, r.MinOrphanCadence)
	}
	if r.OrphanTarget <= 0 {
		return fmt.Errorf("the target of orphans is %d bytes; it must be more than 0", r.OrphanTarget)
	}
	return nil
}
