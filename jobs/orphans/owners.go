package orphans

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/maintenance"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// ownersInFlight metadata files are read at once.
const ownersInFlight = 16

// headSize is how much of a metadata file is read to learn whose it is. Writers
// put the UUID among the first fields.
const headSize = 4 << 10

// owners reads of metadata files in the table's own folders, which the table does
// not name, whether they are its earlier ones: one of another table shows that two
// share the location. Of each other folder with metadata files it reads one, which
// tells where that table has its other files.
type owners struct {
	ctx  context.Context // ends with the first error
	run  *run
	work *errgroup.Group

	mu    sync.Mutex
	forks []fork
}

func (r *run) newOwners(ctx context.Context) *owners {
	o := &owners{run: r}
	o.work, o.ctx = errgroup.WithContext(ctx)
	o.work.SetLimit(ownersInFlight)
	return o
}

// ask reads in the background, and waits where many are being read.
func (o *owners) ask(object storage.Object, what sign) {
	if what == noSign || object.Size == 0 || o.ctx.Err() != nil {
		return // nobody's
	}
	o.work.Go(func() error {
		if what == othersMetadata {
			return o.visit(object.Location)
		}
		return o.check(object.Location)
	})
}

func (o *owners) wait() error { return o.work.Wait() }

func (o *owners) check(l storage.Location) error {
	said, err := readHead(o.ctx, o.run.table.Reader, l)
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
	case !maintenance.SameUUID(own, said.uuid):
		return jobs.Permanentf("the metadata file %s in the table's folder is of another table or view, with the UUID %s: they share the location, "+
			"so whose files are whose cannot be known; nothing was deleted; move one of them, or delete the metadata files of the other if it was dropped for good, and requeue", l, said.uuid)
	case o.run.misspelled(l, said):
		return jobs.Permanentf("the table's current metadata file is listed as %s, and named %s: the table names its files by another path than its location has, "+
			"so it cannot be told which of the listed files it names; nothing was deleted; let both be the same (a symbolic link may lie in between), "+
			"or switch the removal of orphans of this table off", l, o.run.loaded.MetadataLocation)
	case o.run.mayFork(said.updated):
		return o.consider(l)
	}
	return nil
}

// errNoUUID says that a metadata file names no UUID, as far as it can be read.
var errNoUUID = errors.New("no table-uuid was found in it")

// head is what the first fields of a metadata file say.
type head struct {
	uuid     string
	updated  time.Time // zero where they do not say
	location string    // "" where it comes later
}

// readHead reads of a metadata file whose it is, mostly only its beginning.
func readHead(ctx context.Context, from *storage.Session, l storage.Location) (head, error) {
	body, err := from.OpenRange(ctx, l, 0, headSize)
	if err != nil {
		return head{}, err
	}
	begin, err := io.ReadAll(body)
	_ = body.Close()
	if err != nil {
		return head{}, err
	}
	if said := findHead(begin); said.uuid != "" {
		return said, nil
	}
	if len(begin) < headSize {
		return head{}, errNoUUID
	}
	return readWhole(ctx, from, l)
}

// readWhole is readHead where the beginning does not tell. The file is streamed: it may
// be large.
func readWhole(ctx context.Context, from *storage.Session, l storage.Location) (head, error) {
	m, err := table.Load(ctx, from, l)
	if err == nil && m.UUID != "" {
		return head{uuid: m.UUID, updated: m.LastUpdated, location: m.Location}, nil
	}
	if errors.Is(err, table.ErrCorrupt) {
		var v *table.ViewMetadata
		if v, err = table.LoadView(ctx, from, l); err == nil {
			return head{uuid: v.UUID, location: v.Location}, nil
		}
	}
	if err == nil || errors.Is(err, table.ErrCorrupt) {
		err = errNoUUID
	}
	return head{}, err
}

// maxHead is how much of a compressed beginning is inflated.
const maxHead = 16 << 20

// findHead reads as far as the text goes, or both fields are found.
func findHead(data []byte) (said head) {
	var text io.Reader = bytes.NewReader(data)
	if len(data) > 2 && data[0] == 0x1f && data[1] == 0x8b {
		inflated, err := gzip.NewReader(text)
		if err != nil {
			return said
		}
		text = io.LimitReader(inflated, maxHead)
	}
	dec := json.NewDecoder(text)
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return said
	}
	for dec.More() && (said.uuid == "" || said.updated.IsZero()) {
		key, err := dec.Token()
		if err != nil {
			return said
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return said
		}
		switch key {
		case "table-uuid", "view-uuid":
			var uuid string
			if json.Unmarshal(value, &uuid) == nil && said.uuid == "" {
				said.uuid = uuid
			}
		case "location":
			_ = json.Unmarshal(value, &said.location)
		case "last-updated-ms":
			var ms int64
			if json.Unmarshal(value, &ms) == nil && ms > 0 {
				said.updated = time.UnixMilli(ms)
			}
		}
	}
	return said
}
