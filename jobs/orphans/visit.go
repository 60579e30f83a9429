package orphans

import (
	"errors"
	"fmt"

	"deckhand/internal/maintenance"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// visit reads of a metadata file in a folder of somebody else where that one keeps its
// files, and leaves those places alone too. A file that cannot be read says nothing
// more than where it lies.
func (o *owners) visit(l storage.Location) error {
	uuid, locations, err := livesAt(o, l)
	if err != nil {
		return err
	}
	r := o.run
	if maintenance.SameUUID(uuid, r.receipt.TableUUID) {
		return nil // a copy of this table's, or from before its metadata folder was another
	}
	for _, text := range locations {
		theirs, err := storage.Parse(text)
		if err != nil {
			continue
		}
		for _, p := range r.places {
			switch {
			case theirs.Same(p.own), p.own.Within(theirs):
				return jobs.Permanentf("the metadata file %s is of another table or view, with the UUID %s and the location %s, in which this table's %s lies: "+
					"whose files are whose cannot be known; nothing was deleted; move one of them, or delete the metadata files of the other if it was dropped for good, and requeue",
					l, uuid, text, p.own)
			case theirs.Within(p.own):
				r.foreign.add(theirs, "a table or view has it by "+l.String())
			}
		}
	}
	return nil
}

// livesAt gives no locations where the file cannot be read or understood.
func livesAt(o *owners, l storage.Location) (uuid string, locations []string, err error) {
	m, err := table.Load(o.ctx, o.run.table.Reader, l)
	if err == nil {
		return m.UUID, m.Locations(), nil
	}
	var said head
	if errors.Is(err, table.ErrCorrupt) || errors.Is(err, table.ErrNewerFormat) { // a view's, for instance
		said, err = readHead(o.ctx, o.run.table.Reader, l)
	}
	_, temporary := table.StateOf(err)
	switch {
	case err == nil:
		return said.uuid, []string{said.location}, nil
	case temporary && !errors.Is(err, errNoUUID):
		return "", nil, maintenance.StorageFailure(o.ctx, fmt.Errorf("read where another table keeps its files: %w", err))
	}
	return "", nil, nil
}
