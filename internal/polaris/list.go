package polaris

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// pageSize is what is asked for at once; a server may answer with everything.
const pageSize = 500

// Namespaces yields those right below parent; nil: the topmost. The first error
// ends it.
func (c *Client) Namespaces(ctx context.Context, parent []string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		query := url.Values{}
		pages(ctx, c, "listNamespaces", parent, func(s *settings) string {
			if len(parent) > 0 {
				query.Set("parent", s.namespace(parent))
			}
			return s.path("", "namespaces")
		}, query, func(page struct {
			Namespaces [][]string `json:"namespaces"`
			Next       string     `json:"next-page-token"`
		},
		) (string, error) {
			if page.Namespaces == nil {
				return "", errNoList
			}
			for _, found := range page.Namespaces {
				if len(found) == len(parent)+1 && !yield(found, nil) {
					return "", errEnough
				}
			}
			return page.Next, nil
		}, func(err error) { yield(nil, err) })
	}
}

// Tables yields the Iceberg tables of a namespace. The first error ends it.
func (c *Client) Tables(ctx context.Context, namespace []string) iter.Seq2[Identifier, error] {
	return c.identifiers(ctx, "listTables", "", "tables", namespace, nil)
}

// Views yields the views of a namespace; none where the server has none. The first
// error ends it.
func (c *Client) Views(ctx context.Context, namespace []string) iter.Seq2[Identifier, error] {
	return c.identifiers(ctx, "listViews", "", "views", namespace, func(e Endpoints) bool { return e.Views })
}

// GenericTables yields the tables of other formats; none where the server has none.
// The first error ends it.
func (c *Client) GenericTables(ctx context.Context, namespace []string) iter.Seq2[Identifier, error] {
	return c.identifiers(ctx, "listGenericTables", "/polaris", "generic-tables", namespace, func(e Endpoints) bool { return e.GenericTables })
}

func (c *Client) identifiers(ctx context.Context, op, root, what string, namespace []string, offered func(Endpoints) bool) iter.Seq2[Identifier, error] {
	return func(yield func(Identifier, error) bool) {
		if offered != nil {
			endpoints, err := c.Endpoints(ctx)
			if err != nil {
				yield(Identifier{}, err)
				return
			}
			if !offered(endpoints) {
				return
			}
		}
		pages(ctx, c, op, namespace, func(s *settings) string {
			return s.path(root, "namespaces", s.namespace(namespace), what)
		}, url.Values{}, func(page struct {
			Identifiers []struct {
				Namespace []string `json:"namespace"`
				Name      string   `json:"name"`
			} `json:"identifiers"`
			Next string `json:"next-page-token"`
		},
		) (string, error) {
			if page.Identifiers == nil {
				return "", errNoList
			}
			for _, found := range page.Identifiers {
				if !yield(Identifier{Namespace: namespace, Name: found.Name}.clone(), nil) {
					return "", errEnough
				}
			}
			return page.Next, nil
		}, func(err error) { yield(Identifier{}, err) })
	}
}

var (
	errEnough = errors.New("the reader has enough")
	errNoList = errors.New("the answer has no list")
)

// pages asks for one page after the other, until take gives an error or no next
// one. fail gets the error that ended it.
func pages[Page any](ctx context.Context, c *Client, op string, namespace []string, path func(*settings) string, query url.Values, take func(Page) (next string, err error), fail func(error)) {
	s, err := c.settings(ctx)
	if err == nil {
		err = checkNames(namespace, s.separator)
	}
	if err != nil {
		fail(err)
		return
	}
	query.Set("pageSize", strconv.Itoa(pageSize))
	query.Set("pageToken", "")
	for seen := map[string]bool{}; ; {
		r := &request{op: op, method: http.MethodGet, path: path(s), query: query}
		got, err := c.call(ctx, r)
		if err != nil {
			fail(c.about(err))
			return
		}
		var page Page
		if err := r.decode(got, &page); err != nil {
			fail(err)
			return
		}
		next, err := take(page)
		switch {
		case errors.Is(err, errEnough):
			return
		case err != nil:
			fail(c.about(r.fail(got.status, ErrUnavailable, hintNoCatalog, err)))
			return
		case next == "":
			return
		case seen[next]:
			fail(c.about(r.fail(got.status, ErrRejected, "the server gives the same pages again and again", nil)))
			return
		}
		seen[next] = true
		query.Set("pageToken", next)
	}
}
