package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"deckhand/internal/storage"
)

// locate keeps of a policy's locations those inside the table's. A whole bucket
// is an error unless it is the table's: it is more likely a slip than a wish.
func (a *Applied) locate(o Orphans, facts Facts) (Orphans, error) {
	if len(o.Locations) == 0 {
		return o, nil
	}
	var own []storage.Location
	for _, text := range facts.Locations {
		if l, err := storage.Parse(text); err == nil {
			own = append(own, l)
		}
	}
	var inside []string
	for _, text := range o.Locations {
		l, err := storage.Parse(text)
		switch {
		case errors.Is(err, storage.ErrUnsupportedScheme):
			a.skip(text, facts)
			continue
		case err != nil:
			return o, fmt.Errorf("key \"locations\": %w", err)
		}
		same := slices.ContainsFunc(own, l.Same)
		whole := strings.Trim(l.Key, "/") == ""
		switch {
		case whole && !same:
			return o, fmt.Errorf("key \"locations\": %s is a whole bucket; name a folder of the table, or nothing for all of the table's", quote(text))
		case same, slices.ContainsFunc(own, l.Within):
			inside = append(inside, text)
		default:
			a.skip(text, facts)
		}
	}
	if inside == nil {
		a.Nothing = "none of the policy's locations is inside the table's"
	} else {
		o.Locations = inside
	}
	return o, nil
}

func (a *Applied) skip(location string, facts Facts) {
	a.Notes = append(a.Notes, fmt.Sprintf("location %s is skipped: it is not inside the table's (%s)", quote(location), strings.Join(facts.Locations, ", ")))
}
