package purge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"deckhand/jobs"
)

// Params are a purge job's own settings.
type Params struct {
	// DeletedEntries deletes also the files that only entries of status DELETED
	// name. A later table may have added such a file as its own, so they are
	// kept unless the job says otherwise.
	DeletedEntries bool `json:"deleted_entries,omitempty"`
}

// parseParams reads an object strictly: a mistyped "dry_run" in here must not
// delete. Unlike encoding/json it tells capitals from small letters and takes no
// key twice.
func parseParams(raw json.RawMessage, into any, known ...string) error {
	if len(raw) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return jobs.Permanentf("read params of the job: they are not an object")
	}
	var seen []string
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return jobs.Permanent(fmt.Errorf("read params of the job: %w", err))
		}
		key, _ := token.(string)
		switch {
		case !slices.Contains(known, key):
			return jobs.Permanentf("read params of the job: unknown field %q; known are %q", key, known)
		case slices.Contains(seen, key):
			return jobs.Permanentf("read params of the job: field %q appears twice", key)
		}
		seen = append(seen, key)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return jobs.Permanent(fmt.Errorf("read params of the job: %w", err))
		}
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return jobs.Permanent(fmt.Errorf("read params of the job: %w", err))
	}
	return nil
}
