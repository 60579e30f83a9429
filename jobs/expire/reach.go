package expire

import (
	"context"

	"deckhand/internal/erase"
	"deckhand/internal/table"
)

// names of the record's snapshots.
func (rec *record) names() table.Names {
	var names table.Names
	for _, s := range rec.Snapshots {
		names.Add(s.ManifestList, s.Manifests)
	}
	return names
}

// read gives what stays and what goes of the table above the entries, by the
// metadata and a record of removed snapshots. Lists that were read are not read
// again.
func (r *run) read(ctx context.Context, m *table.Metadata, rec *record) (stay, going *table.Tree, err error) {
	stayNames, goNames := m.Names(idSet(rec.ids())), rec.names()
	// All lists at once, whosever they are.
	var all table.Names
	all.Lists = append(append(all.Lists, stayNames.Lists...), goNames.Lists...)
	if _, err := r.shelf.Read(ctx, all); err != nil {
		return nil, nil, erase.Failure(ctx, err)
	}
	if stay, err = r.shelf.Read(ctx, stayNames); err == nil {
		going, err = r.shelf.Read(ctx, goNames)
	}
	return stay, going, err
}
