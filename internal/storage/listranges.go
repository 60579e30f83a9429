package storage

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
)

// ranged is a store that lists in the byte order of the keys, from any key on.
type ranged interface {
	// pages begins the listing of what lies below the prefix, behind the key after
	// unless that is "". A page may hold what is not behind it, which shows that
	// the store cannot do it.
	pages(try tryFunc, prefix, after string) pager
	// folders lists the folders that lie in the folder, "" for a whole bucket.
	folders(try tryFunc, folder string) pager
}

// listRanges begins as list does. When a second page is not the last one, what
// is left is split by ranges of keys, so that a page brings as many
// keys whatever the folders are: one request for each folder would be many more
// where folders are small. Who has nothing to list takes half of what another has
// left. Where the halves are, is told by the folders (a listing with a delimiter
// gives their names), or guessed from the names.
//
// It is for stores that list in the byte order of the keys, as S3 does for all but
// directory buckets. The second page shows whether the store does: it is asked for
// as one behind a key. Any other is listed as list does; once it was taken for an
// ordered one and is not, unordered remembers it.
func listRanges(ctx context.Context, store ranged, unordered *atomic.Bool, try tryFunc, prefix string, inFlight int) iter.Seq2[entry, error] {
	try = neverNotFound(try)
	return func(yield func(entry, error) bool) {
		pages := store.pages(try, prefix, "")
		page, err := pages.next(ctx)
		if err != nil {
			yield(entry{}, err)
			return
		}
		if !yieldAll(page.entries, yield) || !page.more {
			return
		}
		whole := &span{}
		if inFlight < 2 || unordered.Load() || len(page.entries) == 0 || !follows(page.entries, "") {
			yieldPages(ctx, pages, yield)
			return
		}
		whole.take(page.entries)
		read := len(page.entries)
		behind := store.pages(try, prefix, whole.after)
		page, err = behind.next(ctx)
		if err != nil && !errors.Is(err, ErrRejected) {
			yield(entry{}, err)
			return
		}
		if err != nil || len(page.entries) == 0 || !follows(page.entries, whole.after) {
			yieldPages(ctx, pages, yield)
			return
		}
		if !yieldAll(page.entries, yield) || !page.more {
			return
		}
		whole.take(page.entries)
		whole.proven = true
		l := rangeListing{store: store, unordered: unordered, try: try, chart: newChart(prefix, whole, read+len(page.entries))}
		l.list(ctx, behind, inFlight, yield)
	}
}

// rangeListing lists what a chart says is left.
type rangeListing struct {
	store     ranged
	unordered *atomic.Bool
	try       tryFunc
	chart     *chart
}

// list lists what is left of the listing of pages.
func (l rangeListing) list(ctx context.Context, pages pager, inFlight int, yield func(entry, error) bool) {
	c := l.chart
	whole := c.spans[0]
	gather(ctx, inFlight, func(ctx context.Context, n int, send sendFunc) error {
		defer context.AfterFunc(ctx, c.end)()
		if n == 0 {
			if err := l.listSpan(ctx, pages, whole, send); err != nil {
				return err
			}
		}
		for {
			e, ok := c.next()
			switch {
			case !ok && ctx.Err() != nil:
				return canceled(ctx)
			case !ok:
				return nil
			}
			if e.span == nil {
				if err := l.chartFolder(ctx, e.folder); err != nil {
					return err
				}
				continue
			}
			if err := l.listSpan(ctx, l.store.pages(l.try, c.prefix, e.span.after), e.span, send); err != nil {
				return err
			}
		}
	}, yield)
}

// listSpan lists a span to its end, which others may bring nearer.
func (l rangeListing) listSpan(ctx context.Context, pages pager, s *span, send sendFunc) error {
	for more := true; more; {
		page, err := pages.next(ctx)
		if err != nil {
			return err
		}
		if !follows(page.entries, s.after) {
			l.unordered.Store(true)
			return &Error{
				Reason: ErrUnavailable, Hint: "the next attempt does without",
				Err: errors.New("the store does not list in the order of the keys"),
			}
		}
		var entries []entry
		if entries, more = l.chart.read(s, page); !send(ctx, entries) {
			return canceled(ctx)
		}
	}
	return nil
}

// chartFolder asks for the folders of a folder. What the store says of them is only a
// hint of where to split.
func (l rangeListing) chartFolder(ctx context.Context, folder string) error {
	page, err := l.store.folders(l.try, folder).next(ctx)
	if errors.Is(err, ErrRejected) || errors.Is(err, ErrDenied) {
		page, err = listPage{more: true}, nil // a store without delimiters, or a policy
	}
	if err != nil {
		return err
	}
	l.chart.folderIs(folder, page)
	return nil
}

// follows says whether the keys are in order and lie behind the one before.
func follows(entries []entry, before string) bool {
	for _, e := range entries {
		if e.key <= before {
			return false
		}
		before = e.key
	}
	return true
}

// neverNotFound makes "no such key" in answer to a listing, which S3 does not say,
// mean what the answers of others mean: nothing. It would be taken for an empty
// folder.
func neverNotFound(try tryFunc) tryFunc {
	return func(ctx context.Context, request func(context.Context) error) error {
		return try(ctx, func(ctx context.Context) error {
			err := request(ctx)
			if e, ok := err.(*Error); ok && errors.Is(e, ErrNotFound) { //nolint:errorlint // its own error, as s3Error makes it
				changed := *e
				changed.Reason, changed.Hint = ErrUnavailable, hintEndpoint
				return &changed
			}
			return err
		})
	}
}
