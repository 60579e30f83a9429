package polaris

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// Commit changes the table if it meets the requirements, and gives it as it then
// is. The error wraps ErrConflict when another commit came first, ErrStateUnknown
// when the commit may have taken place or yet take place; after any other it has
// not.
//
// Where the server remembers Idempotency-Keys, a commit without an answer is sent
// again under the same key; the key is new for each call, since a server takes
// another commit under an old key for done.
func (c *Client) Commit(ctx context.Context, id Identifier, requirements []iceberg.Requirement, updates []iceberg.Update) (*Loaded, error) {
	s, err := c.settings(ctx)
	if err != nil {
		return nil, err
	}
	if err := id.check(s.separator); err != nil {
		return nil, err
	}
	r := &request{op: opCommit, method: http.MethodPost, path: s.table(id), header: http.Header{}, unsafe: true}
	r.body, err = json.Marshal(struct {
		Identifier struct {
			Namespace []string `json:"namespace"`
			Name      string   `json:"name"`
		} `json:"identifier"`
		Requirements []iceberg.Requirement `json:"requirements"`
		Updates      []iceberg.Update      `json:"updates"`
	}{
		Identifier: struct {
			Namespace []string `json:"namespace"`
			Name      string   `json:"name"`
		}{id.Namespace, id.Name},
		// A server may want lists, be they empty.
		Requirements: append([]iceberg.Requirement{}, requirements...), Updates: append([]iceberg.Update{}, updates...),
	})
	if err != nil {
		return nil, r.fail(0, ErrRejected, "", err)
	}
	if s.idempotency > 0 {
		r.header.Set("Idempotency-Key", uuid.NewString())
		r.keyed = true
	}
	got, err := c.call(ctx, r)
	if err != nil {
		return nil, c.missing(ctx, s, id, c.about(err))
	}
	loaded, err := r.loaded(got, false)
	if err != nil {
		// It may have taken place, and what it made cannot be read. The cause is only
		// text: it must not make this anything else.
		return nil, c.about(r.fail(got.status, ErrStateUnknown, "", errors.New(err.Error())))
	}
	return loaded, nil
}
