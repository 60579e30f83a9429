package storage

import (
	"context"
	"hash/maphash"
)

// listPage is one answer to a listing.
type listPage struct {
	entries []entry
	// folders are the common prefixes, with their slash; they come only where a
	// delimiter was asked for.
	folders []string
	more    bool
}

// pager reads a listing page by page. A page that cannot be trusted to be the
// next one of this listing is an error.
type pager interface {
	next(ctx context.Context) (listPage, error)
}

// yieldPages yields what the pages that are left hold.
func yieldPages(ctx context.Context, pages pager, yield func(entry, error) bool) {
	for more := true; more; {
		page, err := pages.next(ctx)
		if err != nil {
			yield(entry{}, err)
			return
		}
		if !yieldAll(page.entries, yield) {
			return
		}
		more = page.more
	}
}

func yieldAll(entries []entry, yield func(entry, error) bool) bool {
	for _, e := range entries {
		if !yield(e, nil) {
			return false
		}
	}
	return true
}

// pageTokens remembers the tokens of the pages of one listing by their hashes: one
// that comes again leads round in a circle.
type pageTokens struct {
	seen map[uint64]struct{}
	seed maphash.Seed
}

func newPageTokens() pageTokens {
	return pageTokens{seen: map[uint64]struct{}{}, seed: maphash.MakeSeed()}
}

// take gives an error for a token that leads nowhere.
func (t pageTokens) take(token string) error {
	hash := maphash.String(t.seed, token)
	if _, again := t.seen[hash]; again || token == "" {
		return rejected("the store says that there is more to list, but not where to go on")
	}
	t.seen[hash] = struct{}{}
	return nil
}
