package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/metastore"
	"deckhand/internal/storage"
)

// needs says what has to happen before a kept row can be rescued.
type needs int

const (
	needsTime needs = iota
	needsPerson
	needsStorage
)

// verdict is why something stays as it is.
type verdict struct {
	reason, fix string
	needs       needs
}

// sentence is the verdict of one table: the jobs to queue, in two steps, or why
// all of it is kept.
type sentence struct {
	table *stranded
	// first have to have completed before anything else of the table is queued. All
	// rows stay until then: they alone say which jobs those are.
	first []metastore.Batch
	// batches are the jobs whose rows go once they are queued.
	batches []metastore.Batch
	kept    *verdict
}

// judge decides what becomes of each table. It only reads.
type judge struct {
	config    *config.Config
	log       *slog.Logger
	found     *found
	olderThan time.Duration
	limiters  *storage.Limiters
	stores    map[*config.Catalog]*storage.Stores
}

func newJudge(s *command.Session, found *found, olderThan time.Duration) *judge {
	return &judge{config: s.Config, log: s.Log, found: found, olderThan: olderThan,
		limiters: storage.NewLimiters(), stores: map[*config.Catalog]*storage.Stores{}}
}

func (j *judge) close() {
	for _, stores := range j.stores {
		_ = stores.Close() // nothing was written
	}
}

func (j *judge) judge(ctx context.Context, t *stranded) sentence {
	out := sentence{table: t}
	keep := func(needs needs, fix, format string, args ...any) sentence {
		out.kept = &verdict{fmt.Sprintf(format, args...), fix, needs}
		return out
	}
	if stuck, found := j.found.stuck[[2]string{t.realm, t.entity}]; found {
		return keep(needsPerson, "see to that row first", "row %d of the same table cannot be used: %s", stuck.task.ID, stuck.Problem)
	}
	if age := j.found.now.Sub(t.written()); age < j.olderThan {
		return keep(needsTime, "", "it is %s old, the server may still work on it", age.Round(time.Second))
	}
	if hit := j.found.living.Hit(t.dropped, t.remains); hit != "" {
		return keep(needsPerson, "find out which of the files it needs; queue what may go with \"producer submit\" and delete the row", "%s", hit)
	}
	name, v := j.catalogOf(t)
	if v != nil {
		out.kept = v
		return out
	}
	gone := false
	if t.dropped != nil {
		exists, v := j.exists(ctx, t.realm, name, t.dropped.MetadataLocation())
		if v != nil {
			out.kept = v
			return out
		}
		gone = !exists
		if gone && len(t.remains) == 0 {
			return keep(needsPerson, "look for files below the table's location, and delete the row",
				"its metadata file %s is gone, and no sub-task says what is left", t.dropped.MetadataLocation())
		}
	}
	byHand := `queue the purge with "producer submit" and delete the rows`
	if t.dropped != nil && !gone {
		job, err := t.dropped.Job(name)
		if err != nil {
			return keep(needsPerson, byHand, "%v", err)
		}
		out.batches = []metastore.Batch{{Job: job, Rows: []*metastore.Task{t.dropped.Task}}}
		if len(t.remains) > 0 {
			// It reads the lists that sub-tasks would delete. What it cannot find, since
			// the executor had begun, they know when the metadata file is gone.
			out.first, out.batches = out.batches, nil
		}
		return out
	}
	batches, later, err := metastore.Batches(name, t.dropped, t.remains)
	if err != nil {
		return keep(needsPerson, byHand, "%v", err)
	}
	out.batches = batches
	if len(later) > 0 {
		out.first, out.batches = batches, later
		for _, batch := range batches {
			later[0].Rows = append(later[0].Rows, batch.Rows...)
		}
	}
	if t.dropped != nil {
		// The row has said all it can; it goes with the last of its sub-tasks.
		last := &out.batches[len(out.batches)-1]
		last.Rows = append(last.Rows, t.dropped.Task)
	}
	return out
}

func (j *judge) catalogOf(t *stranded) (string, *verdict) {
	if t.dropped != nil {
		if name, found := j.found.catalogs.Name(t.realm, t.dropped.CatalogID); found {
			return name, nil
		}
		return "", &verdict{fmt.Sprintf("the catalog %d is gone, and only it has the name", t.dropped.CatalogID),
			`queue the purge with "producer submit" and delete the row`, needsPerson}
	}
	location := t.remains[0].Location()
	if name, found := j.found.catalogs.At(t.realm, location); found {
		return name, nil
	}
	return "", &verdict{fmt.Sprintf("which catalog it was in cannot be told: not exactly one may keep tables at %q", location),
		`queue the files with "producer submit purge-files" and delete the rows`, needsPerson}
}

// exists looks for the metadata file through the storage of the configuration.
func (j *judge) exists(ctx context.Context, realm, name, metadata string) (bool, *verdict) {
	catalog, found := j.config.Catalog(realm, name)
	if !found {
		return false, &verdict{fmt.Sprintf("the catalog %s of realm %s is not in the configuration, so its storage cannot be looked at", name, realm),
			"add it under catalogs:", needsPerson}
	}
	err := j.look(ctx, catalog, metadata)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, storage.ErrNotFound):
		return false, nil
	case errors.Is(err, storage.ErrOutside), errors.Is(err, storage.ErrUnsupportedScheme), errors.Is(err, storage.ErrInvalidLocation):
		return false, &verdict{fmt.Sprintf("its metadata file cannot be looked at: %v", err), "check the catalog's locations in the configuration", needsPerson}
	}
	return false, &verdict{fmt.Sprintf("its metadata file cannot be looked at: %v", err), "check the storage of the catalog", needsStorage}
}

func (j *judge) look(ctx context.Context, catalog *config.Catalog, metadata string) error {
	location, err := storage.Parse(metadata)
	if err != nil {
		return err
	}
	stores := j.stores[catalog]
	if stores == nil {
		if stores, err = storage.NewStores(catalog.StorageConfig(), j.limiters); err != nil {
			return err
		}
		j.stores[catalog] = stores
	}
	body, _, err := stores.Session(storage.SessionConfig{Logger: j.log}).Open(ctx, location)
	if err != nil {
		return err
	}
	return body.Close()
}
