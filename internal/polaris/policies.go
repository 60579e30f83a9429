package polaris

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"deckhand/jobs"
)

// Policy as the server answers that it applies to a table.
type Policy struct {
	Type, Name, Description string
	// Content is the policy's JSON, as it was written.
	Content string
	Version int
	// Inherited: it is attached to the catalog or a namespace, not to the table.
	Inherited bool
	// Namespace in which the policy lives, not where it is attached.
	Namespace []string
}

// Policies that apply to a table: of each type the nearest. The error wraps
// ErrNoPolicies where the server has none at all.
func (c *Client) Policies(ctx context.Context, id Identifier) ([]Policy, error) {
	s, err := c.settings(ctx)
	if err != nil {
		return nil, err
	}
	if err := id.check(s.separator); err != nil {
		return nil, err
	}
	endpoints, err := c.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	r := &request{op: "applicablePolicies", method: http.MethodGet, path: s.path("/polaris", "applicable-policies"), query: url.Values{
		"namespace": {s.namespace(id.Namespace)}, "target-name": {id.Name},
	}}
	if !endpoints.Policies {
		return nil, r.fail(0, ErrNoPolicies, "tables of such a catalog can be maintained with worker exec and producer submit", nil)
	}
	got, err := c.call(ctx, r)
	var e *Error
	if errors.As(err, &e) && e.Status >= 500 { // as Polaris answers for a catalog that is gone
		if _, gone := c.askSettings(ctx); errors.Is(gone, ErrNoCatalog) {
			return nil, gone
		}
	}
	if err != nil {
		return nil, c.missing(ctx, s, id, c.about(err))
	}
	var said struct {
		Policies []struct {
			Type        string   `json:"policy-type"`
			Name        string   `json:"name"`
			Description string   `json:"description"`
			Content     string   `json:"content"`
			Version     int      `json:"version"`
			Inherited   bool     `json:"inherited"`
			Namespace   []string `json:"namespace"`
		} `json:"applicable-policies"`
	}
	if err := r.decode(got, &said); err != nil {
		return nil, err
	}
	if said.Policies == nil { // none is an empty list
		return nil, c.about(r.fail(got.status, ErrUnavailable, hintNoCatalog, errors.New("the answer has no list of policies")))
	}
	var found []Policy
	for _, p := range said.Policies {
		found = append(found, Policy{
			Type: p.Type, Name: p.Name, Description: p.Description, Content: p.Content, Version: p.Version,
			Inherited: p.Inherited, Namespace: p.Namespace,
		})
	}
	return found, nil
}

// String is the policy's name, after that of the namespace in which it lives.
func (p Policy) String() string { return jobs.FormatTable(p.Namespace, p.Name) }
