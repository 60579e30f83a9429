package purge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"deckhand/jobs"
)

// Params are a purge job's own settings.
type Params struct {
	// DeletedEntries deletes also the files that only entries of status DELETED
	// name. A later table may have added such a file as its own, so they are
	// kept unless the job says otherwise.
	DeletedEntries bool `json:"deleted_entries,omitempty"`
}

// parseParams reads them strictly: a mistyped "dry_run" in here must not delete.
func parseParams(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return jobs.Permanent(fmt.Errorf("read params of the job: %w", err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return jobs.Permanentf("read params of the job: something follows the object")
	}
	return nil
}
