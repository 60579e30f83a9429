package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"deckhand/internal/polaris"
	"deckhand/jobs"
)

// Evaluate what the policies that apply to a table say about a kind, for a table
// of these facts. Polaris answers at most one policy per type, the nearest; two are
// a problem, and so is a policy that is not understood: no other takes its place.
func Evaluate(kind Kind, policies []polaris.Policy, facts Facts) Applied {
	a := Applied{Kind: kind}
	var found []polaris.Policy
	for _, p := range policies {
		if p.Type == Type(kind) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return a
	case 1:
		a.Policy = &found[0]
	default:
		names := make([]string, len(found))
		for i, p := range found {
			names[i] = jobs.FormatTable(p.Namespace, p.Name)
		}
		slices.Sort(names)
		a.Problem = fmt.Errorf("%d policies of type %s apply at once: %s; detach all but one", len(found), Type(kind), strings.Join(names, ", "))
		return a
	}
	c, err := readContent(kind, a.Policy.Content)
	a.Notes = append(a.Notes, c.reading.notes...)
	if c.off {
		// Nothing runs either way, and that is what its owner wants to see.
		if err != nil {
			a.Notes = append(a.Notes, fmt.Sprintf("it is off; switched on it would not be carried out: %v", err))
		}
		return a
	}
	if err != nil {
		return a.stop(err)
	}
	values := c.reading.values
	settings := build(kind, values)
	fill(reflect.ValueOf(&a.Timing).Elem(), values)
	if orphans, is := settings.(Orphans); is {
		if settings, err = a.locate(orphans, facts); err != nil {
			return a.stop(err)
		}
	}
	effective, list, err := resolve(settings, values, facts.Properties)
	if err != nil {
		return a.stop(err)
	}
	a.Values = slices.Concat(list, timingValues(values))
	dryRun, isSet := values["dry-run"].value.(bool)
	a.DryRun = isSet && dryRun
	if a.Nothing != "" {
		// Without settings nobody can make a job of it by mistake.
		a.Timing = Timing{}
		return a
	}
	a.Enabled, a.Settings, a.Effective = true, settings, effective
	return a
}

// stop the policy for this table.
func (a Applied) stop(err error) Applied {
	a.Timing = Timing{}
	a.Problem = fmt.Errorf("policy %s, version %d: %w", jobs.FormatTable(a.Policy.Namespace, a.Policy.Name), a.Policy.Version, err)
	return a
}

// timingValues lists when jobs may run, as far as the policy says.
func timingValues(values map[string]given) []Setting {
	var list []Setting
	for i := range Keys {
		key := &Keys[i]
		if v, given := values[key.Name]; given && key.PolicyOnly {
			list = append(list, Setting{Name: key.Name, Value: format(v.value), Origin: FromPolicy})
		}
	}
	return list
}
