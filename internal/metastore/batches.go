package metastore

import (
	"encoding/json"
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
// dropped is the table's own row if that is there; its UUID is added then. The
// error is a *[jobs.FieldError], or says what is too large for a job.
func Batches(catalog string, dropped *Dropped, rows []*Remains) ([]Batch, error) {
	var batches []Batch
	var params jobs.FilesParams
	var tasks []*Task
	size := 0
	flush := func() error {
		if len(tasks) == 0 {
			return nil
		}
		job, err := filesJob(catalog, dropped, rows[0], params)
		if err != nil {
			return err
		}
		batches = append(batches, Batch{job, tasks})
		params, tasks, size = jobs.FilesParams{}, nil, 0
		return nil
	}
	for _, row := range rows {
		more, err := json.Marshal([][]string{row.Manifests, row.Files})
		if err != nil {
			return nil, fmt.Errorf("encode files: %w", err)
		}
		if len(more) > batchBytes {
			return nil, fmt.Errorf("task %d names more files than a job can", row.Task.ID)
		}
		if size+len(more) > batchBytes {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		params.Manifests, params.Files = append(params.Manifests, row.Manifests...), append(params.Files, row.Files...)
		tasks, size = append(tasks, row.Task), size+len(more)
	}
	return batches, flush()
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
