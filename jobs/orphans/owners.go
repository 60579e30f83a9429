package orphans

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/maintenance"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// ownersInFlight metadata files are read at once.
const ownersInFlight = 16

// headSize is how much of a metadata file is read to learn whose it is. Writers
// put the UUID among the first fields.
const headSize = 4 << 10

// maxMetadataFile is the largest that is read to its end for that.
const maxMetadataFile = 512 << 20

// owners reads of metadata files in the table's own folders, which the table does
// not name, whether they are its earlier ones: one of another table shows that two
// share the location.
type owners struct {
	ctx  context.Context // ends with the first error
	run  *run
	work *errgroup.Group
}

func (r *run) newOwners(ctx context.Context) *owners {
	o := &owners{run: r}
	o.work, o.ctx = errgroup.WithContext(ctx)
	o.work.SetLimit(ownersInFlight)
	return o
}

// ask reads in the background, and waits where many are being read.
func (o *owners) ask(object storage.Object) {
	if object.Size == 0 || o.ctx.Err() != nil {
		return // nobody's
	}
	o.work.Go(func() error { return o.check(object.Location) })
}

func (o *owners) wait() error { return o.work.Wait() }

func (o *owners) check(l storage.Location) error {
	uuid, err := readUUID(o.ctx, o.run.table.Reader, l)
	switch own := o.run.receipt.TableUUID; {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case errors.Is(err, errNoUUID):
		if own == "" {
			return nil
		}
		return jobs.Permanentf("the metadata file %s in the table's folder does not say whose it is (%w), so another table may share the location: "+
			"nothing was deleted; delete it, or move it away, if it is nobody's, and requeue", l, err)
	case err != nil:
		return maintenance.StorageFailure(o.ctx, fmt.Errorf("read whose metadata file this is: %w", err))
	case !maintenance.SameUUID(own, uuid):
		return jobs.Permanentf("the metadata file %s in the table's folder is of another table or view, with the UUID %s: they share the location, "+
			"so whose files are whose cannot be known; nothing was deleted; move one of them, or delete the metadata files of the other if it was dropped for good, and requeue", l, uuid)
	}
	return nil
}

// errNoUUID says that a metadata file names no UUID, as far as it can be read.
var errNoUUID = errors.New("no table-uuid was found in it")

// readUUID reads of a metadata file whose it is, mostly only its head.
func readUUID(ctx context.Context, from *storage.Session, l storage.Location) (string, error) {
	body, err := from.OpenRange(ctx, l, 0, headSize)
	if err != nil {
		return "", err
	}
	head, err := io.ReadAll(body)
	_ = body.Close()
	if err != nil {
		return "", err
	}
	if uuid := findUUID(head); uuid != "" {
		return uuid, nil
	}
	whole := head
	if len(head) >= headSize {
		if whole, err = from.ReadAll(ctx, l, maxMetadataFile); err != nil {
			return "", err
		}
	}
	if uuid := findUUID(whole); uuid != "" {
		return uuid, nil
	}
	return "", errNoUUID
}

// findUUID reads as far as the text goes.
func findUUID(data []byte) string {
	var text io.Reader = bytes.NewReader(data)
	if len(data) > 2 && data[0] == 0x1f && data[1] == 0x8b {
		inflated, err := gzip.NewReader(text)
		if err != nil {
			return ""
		}
		text = io.LimitReader(inflated, maxMetadataFile)
	}
	dec := json.NewDecoder(text)
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return ""
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return ""
		}
		if key == "table-uuid" || key == "view-uuid" {
			value, err := dec.Token()
			uuid, _ := value.(string)
			if err == nil && uuid != "" {
				return uuid
			}
			continue
		}
		var skipped json.RawMessage
		if dec.Decode(&skipped) != nil {
			return ""
		}
	}
	return ""
}
