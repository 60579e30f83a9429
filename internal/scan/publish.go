package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"deckhand/internal/policy"
	"deckhand/jobs"
)

// ErrQueue is in the error of a scan whose jobs the queue did not take, or whose
// history it did not tell.
var ErrQueue = errors.New("the queue is of no use now")

// kindOrder is the order in which the kinds are published. The lease of a table
// lets its jobs run one after the other in any order, and each is right in any: but
// what an expiry has let go need not be rewritten, and neither leaves much for a
// search, which walks all that is reached.
var kindOrder = []jobs.Kind{policy.CompactKind, policy.ExpireKind, policy.ManifestsKind, policy.OrphansKind}

// publishDue publishes jobs for the candidates, the most needy first, as far as
// the budgets go. The error ends the pass: the queue takes no jobs now.
func (p *pass) publishDue(ctx context.Context) error {
	slices.SortFunc(p.candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(slices.Index(kindOrder, a.kind), slices.Index(kindOrder, b.kind)), cmp.Compare(b.verdict.Need, a.verdict.Need), cmp.Compare(a.id.String(), b.id.String()))
	})
	left := map[jobs.Kind]int{}
	for _, c := range p.candidates {
		if _, begun := left[c.kind]; !begun {
			left[c.kind] = p.cfg.budget(c.kind)
		}
		if left[c.kind] == 0 {
			p.tally.kind(c.kind, func(k *KindCounts) { k.OverBudget++ })
			continue
		}
		published, err := p.publish(ctx, c)
		if err != nil {
			return err
		}
		if published {
			left[c.kind]--
		}
	}
	return nil
}

// publish asks for the policies again, since a table may have been taken out
// meanwhile, and publishes a job unless it is no longer due.
func (p *pass) publish(ctx context.Context, c candidate) (bool, error) {
	if err := p.askPolicies(ctx, c.id, c.state); err != nil {
		return false, p.tableFailed(ctx, c.id, "policies of the table could not be read", err)
	}
	applied, verdict := p.decide(c.id, c.kind, c.state)
	if !verdict.Due {
		p.tally.kind(c.kind, func(k *KindCounts) { k.Withdrawn++ })
		return false, nil
	}
	job := p.job(c.id, c.kind)
	job.ID, job.TableUUID, job.RequestedAt = jobs.NewID(), c.state.facts.UUID, jobs.At(p.cfg.Now())
	job.RequestedBy = "policy " + applied.Policy.String()
	job.DryRun, job.Params = applied.DryRun, applied.Settings.Params()
	publication, err := p.cfg.Publish(ctx, job)
	var field *jobs.FieldError
	switch {
	case errors.As(err, &field):
		return false, p.tableFailed(ctx, c.id, "no job can be made for the table", err)
	case err != nil:
		return false, fmt.Errorf("%w: %w", ErrQueue, err)
	}
	if publication.State == jobs.AlreadyQueued {
		p.tally.kind(c.kind, func(k *KindCounts) { k.Queued++ })
		return false, nil
	}
	p.tally.kind(c.kind, func(k *KindCounts) { k.Published++ })
	p.log.InfoContext(ctx, "published job", slog.String("tail", job.Tail()), slog.String("job", job.ID),
		slog.String("policy", applied.Policy.String()), slog.String("why", verdict.Why), slog.Bool("dry_run", job.DryRun))
	return true, nil
}
