package metastore

import (
	"encoding/json"
	"errors"
	"fmt"

	"deckhand/jobs"
)

// Batch is a job and the rows that it makes superfluous.
type Batch struct {
	Job  *jobs.Job
	Rows []*Task
}

// batchBytes is how much of a job its params may take: the rest of
// [jobs.MaxJobBytes] is for the other fields, which names and locations of
// hostile length fill at most, and for headers.
const batchBytes = jobs.MaxJobBytes - 48<<10

// Batches makes jobs of the rows of one table, as few as the size of a job
// allows. A row is in one job as a whole, so that it can be deleted with it.
// dropped is the table's own row if that is there; its UUID is added then.
//
// Jobs run in any order, but listed files may only go after the manifests: a
// list may be all that names a manifest whose deletion failed. So listed files are
// only in the job that has all of the manifests, and what that leaves no place for
// is in later: jobs that may be published once all of the batches have completed.
// The rows of the batches are to stay until then, since nothing else knows which
// jobs those were; the same rows make the same jobs, also those of later alone.
//
// The error is a *[jobs.FieldError], or says what is too large for a job.
func Batches(catalog string, dropped *Dropped, rows []*Remains) (batches, later []Batch, err error) {
	first, rest := batcher{catalog: catalog, dropped: dropped}, batcher{catalog: catalog, dropped: dropped}
	var listed []*Remains
	for _, row := range rows {
		if len(row.Manifests) == 0 {
			listed = append(listed, row)
		} else if err := first.add(row); err != nil {
			return nil, nil, err
		}
	}
	manifests, several := len(first.tasks) > 0, len(first.batches) > 0
	for _, row := range listed {
		size, err := sizeOf(row)
		if err != nil {
			return nil, nil, err
		}
		into := &first
		if several || manifests && first.size+size > batchBytes {
			into = &rest
		}
		if err := into.add(row); err != nil {
			return nil, nil, err
		}
	}
	if err := errors.Join(first.flush(), rest.flush()); err != nil {
		return nil, nil, err
	}
	return first.batches, rest.batches, nil
}

// batcher fills one job after the other.
type batcher struct {
	catalog string
	dropped *Dropped
	batches []Batch
	// Of the job that is being filled.
	like   *Remains
	params jobs.FilesParams
	tasks  []*Task
	size   int
}

func (b *batcher) add(row *Remains) error {
	size, err := sizeOf(row)
	if err != nil {
		return err
	}
	if b.size+size > batchBytes {
		if err := b.flush(); err != nil {
			return err
		}
	}
	if b.like == nil {
		b.like = row
	}
	b.params.Manifests, b.params.Files = append(b.params.Manifests, row.Manifests...), append(b.params.Files, row.Files...)
	b.tasks, b.size = append(b.tasks, row.Task), b.size+size
	return nil
}

func (b *batcher) flush() error {
	if len(b.tasks) == 0 {
		return nil
	}
	job, err := filesJob(b.catalog, b.dropped, b.like, b.params)
	if err != nil {
		return err
	}
	b.batches = append(b.batches, Batch{job, b.tasks})
	b.params, b.tasks, b.size = jobs.FilesParams{}, nil, 0
	return nil
}

// sizeOf is how many bytes of a job's params the row takes at most.
func sizeOf(row *Remains) (int, error) {
	encoded, err := json.Marshal([][]string{row.Manifests, row.Files})
	if err != nil {
		return 0, fmt.Errorf("encode files: %w", err)
	}
	if len(encoded) > batchBytes {
		return 0, fmt.Errorf("task %d names more files than a job can", row.Task.ID)
	}
	return len(encoded), nil
}

func filesJob(catalog string, dropped *Dropped, like *Remains, params jobs.FilesParams) (*jobs.Job, error) {
	job := like.job
	job.Catalog = catalog
	if dropped != nil {
		job.TableUUID, job.RequestedAt = dropped.job.TableUUID, dropped.job.RequestedAt
	}
	if err := job.SetFiles(like.Entity, params); err != nil {
		return nil, err
	}
	job.ID = job.Realm + "." + job.EntityID
	if err := check(&job); err != nil {
		return nil, err
	}
	return &job, nil
}

// headerBytes is what the headers of a job's message take at most.
const headerBytes = 4 << 10

// check says whether the stream would take the job.
func check(job *jobs.Job) error {
	if err := job.Validate(); err != nil {
		return err
	}
	body, err := job.Encode()
	if err != nil {
		return fmt.Errorf("encode job: %w", err)
	}
	if len(body) > jobs.MaxJobBytes-headerBytes {
		return fmt.Errorf("the job would have %d bytes, more than the queue takes", len(body))
	}
	return nil
}
