package scan

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"
	"unique"

	"deckhand/internal/polaris"
	"deckhand/internal/policy"
	"deckhand/jobs"
)

// tableState is what is kept of a table between scans.
type tableState struct {
	etag  string
	facts policy.Facts
	// policies as they were asked for last; they are good until policiesUntil.
	policies      []polaris.Policy
	policiesUntil time.Time
	// seen is the round that saw it last.
	seen uint64
}

// look decides about one table. The error ends the pass.
func (p *pass) look(ctx context.Context, id polaris.Identifier) error {
	state, err := p.known(ctx, id)
	if err != nil {
		return p.tableFailed(ctx, id, "table could not be loaded", err)
	}
	if p.cfg.Now().After(state.policiesUntil) {
		if err := p.askPolicies(ctx, id, state); err != nil {
			return p.tableFailed(ctx, id, "policies of the table could not be read", err)
		}
	}
	p.mu.Lock()
	p.unavailable = 0
	p.mu.Unlock()
	for _, kind := range policy.Kinds() {
		applied, verdict := p.decide(id, kind, state)
		if applied.Problem != nil {
			p.tally.add(func(s *CatalogSummary) { s.Problems++ })
			p.complain(ctx, id.String(), "policy is not carried out for the table", applied.Problem)
		}
		switch verdict.Held {
		case policy.HeldByJob:
			p.tally.kind(kind, func(c *KindCounts) { c.Waiting++ })
		case policy.HeldByDeadLetter:
			p.tally.kind(kind, func(c *KindCounts) { c.DeadLetters++ })
		}
		if verdict.Due {
			p.tally.kind(kind, func(c *KindCounts) { c.Due++ })
			p.mu.Lock()
			p.candidates = append(p.candidates, candidate{id: id, kind: kind, state: state, verdict: verdict})
			p.mu.Unlock()
		}
	}
	return nil
}

// known loads the table, unless it is as it was.
func (p *pass) known(ctx context.Context, id polaris.Identifier) (*tableState, error) {
	name := id.String()
	p.catalog.mu.Lock()
	state := p.tables[name]
	p.catalog.mu.Unlock()
	if state == nil {
		state = &tableState{}
	}
	loaded, err := p.Client.Load(ctx, id, polaris.LoadOptions{ETag: state.etag})
	if err != nil {
		if state.seen != 0 && !gone(err) {
			state.seen = p.round // it is there, and what is known of it is kept
		}
		return nil, err
	}
	if loaded.NotModified {
		p.tally.add(func(s *CatalogSummary) { s.Unchanged++ })
	} else {
		facts := policy.FactsOf(loaded.Metadata, loaded.MetadataLocation)
		if facts.UUID != state.facts.UUID {
			state = &tableState{} // another table of the same name
		}
		state.etag, state.facts = loaded.ETag, facts
	}
	state.seen = p.round
	p.catalog.mu.Lock()
	p.tables[name] = state
	p.catalog.mu.Unlock()
	return state, nil
}

// askPolicies of a table; they are taken as they are until the refresh, plus a part
// of it that is the table's own.
func (p *pass) askPolicies(ctx context.Context, id polaris.Identifier, state *tableState) error {
	p.tally.add(func(s *CatalogSummary) { s.PolicyCalls++ })
	found, err := p.Client.Policies(ctx, id)
	if err != nil {
		return err
	}
	state.policies = kept(found)
	part := float64(maphash.String(p.seed, id.String())) / (1 << 64)
	spread := time.Duration(part * float64(p.cfg.PoliciesRefresh) / 2)
	state.policiesUntil = p.cfg.Now().Add(p.cfg.PoliciesRefresh + spread)
	return nil
}

// kept shares the texts of policies that thousands of tables inherit.
func kept(found []polaris.Policy) []polaris.Policy {
	policies := make([]polaris.Policy, 0, len(found))
	for _, each := range found {
		each.Content, each.Description = unique.Make(each.Content).Value(), ""
		each.Name, each.Type = unique.Make(each.Name).Value(), unique.Make(each.Type).Value()
		for i, level := range each.Namespace {
			each.Namespace[i] = unique.Make(level).Value()
		}
		policies = append(policies, each)
	}
	return policies
}

func (p *pass) decide(id polaris.Identifier, kind policy.Kind, state *tableState) (policy.Applied, policy.Verdict) {
	applied := policy.Evaluate(kind, state.policies, state.facts)
	history := p.histories.of(p.job(id, kind).Tail(), state.facts.UUID)
	return applied, p.cfg.Rules.Due(applied, state.facts, history, p.cfg.Now())
}

// job names the work on a table.
func (c *catalog) job(id polaris.Identifier, kind policy.Kind) *jobs.Job {
	return &jobs.Job{
		Version: jobs.Version, Kind: kind, Realm: c.Realm, Catalog: c.Name, Namespace: id.Namespace, Table: id.Name,
	}
}

// gone says that the table was dropped while we looked.
func gone(err error) bool {
	return errors.Is(err, polaris.ErrNotFound) || errors.Is(err, polaris.ErrNoNamespace)
}

// tableFailed counts a table that cannot be looked at. The error that it returns
// ends the pass.
func (p *pass) tableFailed(ctx context.Context, id polaris.Identifier, message string, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case gone(err):
		p.tally.add(func(s *CatalogSummary) { s.Gone++ })
		return nil
	case hopeless(err):
		return fmt.Errorf("look at %s: %w", id, err)
	}
	unavailable := errors.Is(err, polaris.ErrUnavailable)
	p.tally.add(func(s *CatalogSummary) {
		s.Failed++
		if unavailable {
			s.Unavailable++
		}
	})
	p.complain(ctx, id.String(), message, err)
	if !unavailable {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unavailable++; p.unavailable >= giveUp {
		return fmt.Errorf("%w: %w", errGivenUp, err)
	}
	return nil
}
