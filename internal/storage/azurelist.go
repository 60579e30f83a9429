package storage

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// azurePageLimit is the most blobs that Azure gives in one answer to a listing.
const azurePageLimit = 5000

func (b *azureContainer) list(ctx context.Context, try tryFunc, prefix string, limit int) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		pages := b.listing(try, prefix)
		if limit > 0 && limit < azurePageLimit {
			pages.size = int32(limit) //nolint:gosec // below azurePageLimit
		}
		yieldPages(ctx, pages, yield)
	}
}

func (b *azureContainer) listParallel(ctx context.Context, try tryFunc, prefix string, inFlight int) iter.Seq2[entry, error] {
	return listRanges(ctx, b, &b.unordered, try, prefix, inFlight)
}

func (b *azureContainer) pages(try tryFunc, prefix, after string) pager {
	pages := b.listing(try, prefix)
	pages.after = after
	return pages
}

func (b *azureContainer) folders(try tryFunc, folder string) pager {
	pages := b.listing(try, folder)
	pages.delimited = true
	return pages
}

func (b *azureContainer) listing(try tryFunc, prefix string) *azurePages {
	return &azurePages{container: b, try: try, prefix: prefix, size: azurePageLimit, tokens: newPageTokens()}
}

// azurePages reads a listing of Azure page by page.
type azurePages struct {
	container *azureContainer
	try       tryFunc
	prefix    string
	after     string
	delimited bool
	size      int32
	marker    string
	tokens    pageTokens
}

// azureListing is an answer to List Blobs, as much as is read of it. Source: "List
// Blobs" in the reference of Azure Storage.
type azureListing struct {
	XMLName xml.Name   `xml:"EnumerationResults"`
	Prefix  *azureName `xml:"Prefix"`
	Blobs   *struct {
		Blob []struct {
			Name       azureName
			Properties struct {
				Modified string `xml:"Last-Modified"`
				Size     *int64 `xml:"Content-Length"`
				ETag     string `xml:"Etag"`
				Type     string `xml:"ResourceType"`
			}
			Metadata struct {
				Folder string `xml:"hdi_isfolder"`
			}
		}
		BlobPrefix []struct{ Name azureName }
	}
	NextMarker *string
}

// azureName is a name that is encoded where it could not stand in XML.
type azureName struct {
	Text    string `xml:",chardata"`
	Encoded bool   `xml:"Encoded,attr"`
}

// raw gives the key, which must lie below the prefix: one that does not shows that
// store and reader disagree about keys, so that nothing may be built on it.
func (n azureName) raw(prefix string) (string, error) {
	key := n.Text
	if n.Encoded {
		decoded, err := url.PathUnescape(key)
		if err != nil {
			return "", rejected("a listed key cannot be decoded")
		}
		key = decoded
	}
	if !strings.HasPrefix(key, prefix) {
		return "", rejected("the store lists a key that is not below the prefix")
	}
	return key, nil
}

// next reads one page.
func (p *azurePages) next(ctx context.Context) (listPage, error) {
	var listed *azureListing
	err := p.try(ctx, func(ctx context.Context) error {
		var err error
		_, listed, err = p.request(ctx)
		return err
	})
	if err != nil {
		return listPage{}, err
	}
	return p.page(listed)
}

// request asks for a page once.
func (p *azurePages) request(ctx context.Context) (answer azureAnswer, listed *azureListing, err error) {
	answer.status = http.StatusOK
	token := ""
	_, err = p.container.call(ctx, "ListBlobs", func(ctx context.Context, c *container.Client, sas string) error {
		token = sas
		err := p.ask(withAnswer(ctx, &answer), c)
		if answer.taken {
			listed, err = azureListed(answer.body)
		}
		return err
	})
	if e, ok := errors.AsType[*Error](err); ok && errors.Is(e, ErrDenied) && ofDirectory(token) {
		e.Hint = "the SAS token is for a directory, and Azure lists blobs only for who may list the whole container"
	}
	return answer, listed, err
}

func (p *azurePages) ask(ctx context.Context, c *container.Client) error {
	var marker, from *string
	if p.marker != "" {
		marker = &p.marker
	}
	if p.after != "" {
		from = &p.after // itself too: page leaves it away
	}
	include := container.ListBlobsInclude{Metadata: true} // which tells the directories
	if p.delimited {
		_, err := c.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{
			Prefix: &p.prefix, Marker: marker, MaxResults: &p.size, Include: include,
		}).NextPage(ctx)
		return err
	}
	_, err := c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
		Prefix: &p.prefix, Marker: marker, MaxResults: &p.size, StartFrom: from, Include: include,
	}).NextPage(ctx)
	return err
}

func azureListed(body []byte) (*azureListing, error) {
	listed := &azureListing{}
	if err := xml.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), listed); err != nil {
		return nil, &Error{Status: http.StatusOK, Reason: ErrUnavailable, Err: azureCause(err), Hint: hintAzure}
	}
	return listed, nil
}

// page checks an answer and makes the next request that of the next page.
func (p *azurePages) page(listed *azureListing) (listPage, error) {
	switch {
	case listed.Blobs == nil || listed.NextMarker == nil:
		return listPage{}, rejected("the store does not say whether there is more to list")
	case listed.Prefix != nil && listed.Prefix.Text != "" && !listed.Prefix.Encoded && !strings.Contains(p.prefix, "\r") && listed.Prefix.Text != p.prefix:
		return listPage{}, rejected("the store lists another prefix than was asked for")
	}
	page := listPage{more: *listed.NextMarker != "", entries: make([]entry, 0, len(listed.Blobs.Blob))}
	for _, o := range listed.Blobs.Blob {
		key, err := o.Name.raw(p.prefix)
		if err != nil {
			return listPage{}, err
		}
		if o.Properties.Size == nil {
			return listPage{}, rejected("the store does not say how large a blob is")
		}
		if o.Properties.Type != "" {
			// Only accounts with a hierarchical namespace say it. They list folder by folder,
			// which is not the order of the keys: t/a/x comes before t/a-b there.
			p.container.unordered.Store(true)
		}
		if key == p.after && p.after != "" || strings.EqualFold(o.Properties.Type, "directory") || strings.EqualFold(o.Metadata.Folder, "true") {
			continue
		}
		info := Info{Size: *o.Properties.Size}
		if at, err := time.Parse(time.RFC1123, o.Properties.Modified); err == nil {
			info.ModTime = knownTime(at)
		}
		if etag := o.Properties.ETag; etag != "" {
			info.ETag = `"` + opaque(etag) + `"`
		}
		page.entries = append(page.entries, entry{key: key, info: info})
	}
	for _, f := range listed.Blobs.BlobPrefix {
		folder, err := f.Name.raw(p.prefix)
		if err != nil {
			return listPage{}, err
		}
		page.folders = append(page.folders, folder)
	}
	if !page.more {
		return page, nil
	}
	p.marker = *listed.NextMarker
	return page, p.tokens.take(p.marker)
}

// clock reads the Date header, see RFC 9110, section 6.6.1. An answer with an Age
// comes from a cache, and its Date is as old as that says, or older.
func (b *azureContainer) clock(ctx context.Context, prefix string) (time.Time, error) {
	pages := b.listing(func(ctx context.Context, request func(context.Context) error) error { return request(ctx) }, prefix)
	pages.size = 1
	answer, _, err := pages.request(ctx)
	if err != nil || answer.header.Get("Age") != "" {
		return time.Time{}, err
	}
	now, err := http.ParseTime(answer.header.Get("Date"))
	if err != nil {
		return time.Time{}, nil //nolint:nilerr // a time that cannot be read is not known
	}
	return now, nil
}
