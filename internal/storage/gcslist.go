package storage

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// gcsPageLimit is how many names are asked for in one answer to a listing.
const gcsPageLimit = 1000

func (b *gcsBucket) list(ctx context.Context, try tryFunc, prefix string, limit int) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		pages := b.newPages(try, prefix)
		if limit > 0 && limit < gcsPageLimit {
			pages.query.Set("maxResults", strconv.Itoa(limit))
		}
		yieldPages(ctx, pages, yield)
	}
}

func (b *gcsBucket) listParallel(ctx context.Context, try tryFunc, prefix string, inFlight int) iter.Seq2[entry, error] {
	return listRanges(ctx, b, &b.unordered, try, prefix, inFlight)
}

// gcsPages reads a listing page by page.
type gcsPages struct {
	bucket *gcsBucket
	try    tryFunc
	query  url.Values
	prefix string
	// after is the key behind which the listing begins.
	after  string
	tokens pageTokens
}

func (b *gcsBucket) newPages(try tryFunc, prefix string) *gcsPages {
	return &gcsPages{bucket: b, try: try, prefix: prefix, tokens: newPageTokens(), query: url.Values{
		"prefix": {prefix}, "maxResults": {strconv.Itoa(gcsPageLimit)},
		"fields": {"kind,nextPageToken,prefixes,items(name,generation,size,timeCreated,updated)"},
	}}
}

// pages implements [ranged].
func (b *gcsBucket) pages(try tryFunc, prefix, after string) pager {
	pages := b.newPages(try, prefix)
	if after != "" {
		// It is where the listing begins, and not behind it.
		pages.after = after
		pages.query.Set("startOffset", after)
	}
	return pages
}

// folders implements [ranged].
func (b *gcsBucket) folders(try tryFunc, folder string) pager {
	pages := b.newPages(try, folder)
	pages.query.Set("delimiter", "/")
	return pages
}

// gcsListing is an answer to a listing.
type gcsListing struct {
	Items    []gcsObject `json:"items"`
	Prefixes []string    `json:"prefixes"`
	Next     string      `json:"nextPageToken"`
}

func (p *gcsPages) next(ctx context.Context) (listPage, error) {
	var listing gcsListing
	err := p.try(ctx, func(ctx context.Context) error {
		listing = gcsListing{}
		_, err := p.bucket.list1(ctx, p.query, &listing)
		return err
	})
	if err != nil {
		return listPage{}, err
	}
	page := listPage{more: listing.Next != "", entries: make([]entry, 0, len(listing.Items))}
	for _, o := range listing.Items {
		if !strings.HasPrefix(o.Name, p.prefix) {
			return listPage{}, rejected("the store lists a key that is not below the prefix")
		}
		if o.Name != p.after || p.after == "" {
			page.entries = append(page.entries, entry{key: o.Name, info: o.info()})
		}
	}
	for _, folder := range listing.Prefixes {
		if !strings.HasPrefix(folder, p.prefix) {
			return listPage{}, rejected("the store lists a folder that is not below the prefix")
		}
		page.folders = append(page.folders, folder)
	}
	if page.more {
		if err := p.tokens.take(listing.Next); err != nil {
			return listPage{}, err
		}
		p.query.Set("pageToken", listing.Next)
	}
	return page, nil
}

// list1 makes one request of a listing. Where no object was asked for, "not found"
// is about the bucket.
func (b *gcsBucket) list1(ctx context.Context, query url.Values, listing *gcsListing) (http.Header, error) {
	header, err := b.receive(ctx, gcsRequest{
		op: "objects.list", method: http.MethodGet, path: "/storage/v1/b/" + gcsEscape(b.name) + "/o", query: query,
	}, "storage#objects", listing)
	return header, noBucket(err)
}

// clock reads the Date header as that of S3 is read.
func (b *gcsBucket) clock(ctx context.Context, prefix string) (time.Time, error) {
	header, err := b.list1(ctx, oneObject(prefix), &gcsListing{})
	if err != nil {
		return time.Time{}, err
	}
	return dateOf(header), nil
}

// oneObject asks for as little of a listing as there is.
func oneObject(prefix string) url.Values {
	return url.Values{"prefix": {prefix}, "maxResults": {"1"}, "fields": {"kind"}}
}
