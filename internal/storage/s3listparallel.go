package storage

import (
	"context"
	"errors"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// listParallel begins as list does. When a second page is not the last one, what
// is left is split by ranges of keys (StartAfter), so that a page brings as many
// keys whatever the folders are: one request for each folder would be many more
// where folders are small. Who has nothing to list takes half of what another has
// left. Where the halves are, is told by the folders (a listing with a delimiter
// gives their names), or guessed from the names.
//
// It is for stores that list in the byte order of the keys, as S3 does for all but
// directory buckets. The second page shows whether the store does: it is asked for
// with StartAfter. Any other is listed as list does.
func (b *s3Bucket) listParallel(ctx context.Context, try tryFunc, prefix string, inFlight int) iter.Seq2[entry, error] {
	try = neverNotFound(try)
	return func(yield func(entry, error) bool) {
		pages := b.pages(try, prefix)
		page, err := pages.next(ctx)
		if err != nil {
			yield(entry{}, err)
			return
		}
		if !yieldAll(page.entries, yield) || !page.more {
			return
		}
		whole := &span{}
		if inFlight < 2 || b.unordered.Load() || len(page.entries) == 0 || !follows(page.entries, "") {
			pages.rest(ctx, yield)
			return
		}
		whole.take(page.entries)
		read := len(page.entries)
		ranged := b.pages(try, prefix)
		ranged.in.StartAfter = aws.String(whole.after)
		page, err = ranged.next(ctx)
		if err != nil && !errors.Is(err, ErrRejected) {
			yield(entry{}, err)
			return
		}
		if err != nil || len(page.entries) == 0 || !follows(page.entries, whole.after) {
			pages.rest(ctx, yield)
			return
		}
		if !yieldAll(page.entries, yield) || !page.more {
			return
		}
		whole.take(page.entries)
		whole.proven = true
		b.listSpans(ctx, ranged, newChart(prefix, whole, read+len(page.entries)), inFlight, yield)
	}
}

// listSpans lists what is left of the listing of pages.
func (b *s3Bucket) listSpans(ctx context.Context, pages *s3Pages, c *chart, inFlight int, yield func(entry, error) bool) {
	whole := c.spans[0]
	gather(ctx, inFlight, func(ctx context.Context, n int, send sendFunc) error {
		defer context.AfterFunc(ctx, c.end)()
		if n == 0 {
			if err := b.listSpan(ctx, pages, c, whole, send); err != nil {
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
			pages := b.pages(pages.try, c.prefix)
			if e.span == nil {
				if err := chartFolder(ctx, pages, c, e.folder); err != nil {
					return err
				}
				continue
			}
			pages.in.StartAfter = aws.String(e.span.after)
			if err := b.listSpan(ctx, pages, c, e.span, send); err != nil {
				return err
			}
		}
	}, yield)
}

// listSpan lists a span to its end, which others may bring nearer.
func (b *s3Bucket) listSpan(ctx context.Context, pages *s3Pages, c *chart, s *span, send sendFunc) error {
	for more := true; more; {
		page, err := pages.next(ctx)
		if err != nil {
			return err
		}
		if !follows(page.entries, s.after) {
			b.unordered.Store(true)
			return &Error{
				Reason: ErrUnavailable, Hint: "the next attempt does without",
				Err: errors.New("the store does not list in the order of the keys"),
			}
		}
		var entries []entry
		if entries, more = c.read(s, page); !send(ctx, entries) {
			return canceled(ctx)
		}
	}
	return nil
}

// chartFolder asks for the folders of a folder. What the store says of them is only a
// hint of where to split.
func chartFolder(ctx context.Context, pages *s3Pages, c *chart, folder string) error {
	pages.in.Prefix, pages.in.Delimiter = &folder, aws.String("/")
	page, err := pages.next(ctx)
	if errors.Is(err, ErrRejected) || errors.Is(err, ErrDenied) {
		page, err = s3Page{more: true}, nil // a store without delimiters, or a policy
	}
	if err != nil {
		return err
	}
	c.folderIs(folder, page)
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
