package polaris

import (
	"context"
	"errors"
	"slices"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"deckhand/internal/table"
)

// ErrUnguarded: the server takes a commit although what it requires is not so.
var ErrUnguarded = errors.New("the server takes commits whose requirements are not met, so that of two writers at once one loses its commit")

// MayCommit asks whether the principal may commit to a table, and changes nothing:
// the commit removes a snapshot that the table does not have, and requires the table
// to have a UUID that it cannot have, so that whoever may commit is told of a
// conflict. nil: it may. The error is ErrForbidden, with the privilege that is
// missing, [ErrUnguarded], or another of a commit.
func (c *Client) MayCommit(ctx context.Context, id Identifier, m *table.Metadata) error {
	unknown := int64(1)
	for slices.ContainsFunc(m.Snapshots, func(s table.Snapshot) bool { return s.ID == unknown }) {
		unknown++
	}
	_, err := c.Commit(ctx, id, []iceberg.Requirement{iceberg.AssertTableUUID(uuid.New())},
		[]iceberg.Update{iceberg.NewRemoveSnapshotsUpdate([]int64{unknown}, false)})
	switch {
	case errors.Is(err, ErrConflict):
		return nil
	case err == nil:
		return ErrUnguarded
	}
	return err
}
