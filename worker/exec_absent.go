package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"deckhand/jobs"
)

// noSuchTable is an error when a job on a living table never came to see the table.
// In the queue such a job is done: the table was dropped since. Here somebody has
// just named it, most likely by a slip.
func noSuchTable(job *jobs.Job, receipt any) error {
	if job.Kind.PurgesDropped() {
		return nil
	}
	encoded, err := json.Marshal(receipt)
	if err != nil {
		return fmt.Errorf("encode receipt: %w", err)
	}
	var did struct {
		Gone             bool     `json:"gone"`
		MetadataLocation string   `json:"metadata_location"`
		Notes            []string `json:"notes"`
	}
	if err := json.Unmarshal(encoded, &did); err != nil || !did.Gone || did.MetadataLocation != "" {
		return nil
	}
	name := jobs.FormatTable(job.Namespace, job.Table)
	if job.TableUUID != "" {
		return fmt.Errorf("catalog %q has no table %s with that UUID; nothing was done: %s", job.Catalog, name, strings.Join(did.Notes, "; "))
	}
	return fmt.Errorf("catalog %q has no table %s; nothing was done, check its name", job.Catalog, name)
}
