package scan

import (
	"context"
	"fmt"

	"deckhand/internal/polaris"
	"deckhand/internal/policy"
)

// Explain says of each kind of maintenance what applies to a table of a catalog,
// and whether and why it is due. Nothing is published, and everything is asked
// anew. The error wraps those of package polaris, or [ErrQueue].
func (s *Scanner) Explain(ctx context.Context, realm, name string, id polaris.Identifier) ([]policy.Explanation, error) {
	for _, c := range s.catalogs {
		if c.Realm == realm && c.Name == name {
			return newCatalog(c.Catalog, s.cfg).explain(ctx, id)
		}
	}
	return nil, fmt.Errorf("catalog %q of realm %q is not configured for maintenance", name, realm)
}

func (c *catalog) explain(ctx context.Context, id polaris.Identifier) ([]policy.Explanation, error) {
	p := &pass{catalog: c, tally: newTally(c.Realm, c.Name)}
	if err := c.histories.refresh(ctx, c.cfg.Queue, policy.Kinds(), c.Realm, c.Name); err != nil {
		return nil, err
	}
	state, err := p.known(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", id, err)
	}
	if err := p.askPolicies(ctx, id, state); err != nil {
		return nil, fmt.Errorf("read the policies of %s: %w", id, err)
	}
	var all []policy.Explanation
	for _, kind := range policy.Kinds() {
		all = append(all, policy.Explain(p.decide(id, kind, state)))
	}
	return all, nil
}
