package metastore

import (
	"encoding/json"
	"slices"
	"strings"

	"deckhand/jobs"
)

// Remains is what one sub-task of the built-in executor would have deleted: one
// manifest with its files, or a list of files.
type Remains struct {
	Task *Task
	// Entity is Polaris' id of the dropped table, from the row's name.
	Entity string
	// Manifests and Files as in [jobs.FilesParams].
	Manifests, Files []string
	job              jobs.Job
}

// subTask is the data of a sub-task. Releases before 1.1 called the list of files
// metadataFiles.
type subTask struct {
	TableID struct {
		Namespace []string `json:"namespace"`
		Name      string   `json:"name"`
	} `json:"tableId"`
	ManifestFileData string   `json:"manifestFileData"`
	BatchFiles       []string `json:"batchFiles"`
	MetadataFiles    []string `json:"metadataFiles"`
}

// cleanupName begins the name of a clean-up and of its sub-tasks; the dropped
// entity's id follows.
const cleanupName = "entityCleanup_"

func (t *Task) remains(kind, data string) Content {
	var sub subTask
	if json.Unmarshal([]byte(data), &sub) != nil || sub.TableID.Name == "" ||
		len(sub.TableID.Namespace) == 0 || slices.Contains(sub.TableID.Namespace, "") {
		return Unusable{"the row is not the JSON that Polaris writes", byHand}
	}
	// What a later Polaris adds may name files too, and the row would go with them.
	if !known(data) || (kind == taskManifest && len(sub.BatchFiles)+len(sub.MetadataFiles) > 0) ||
		(kind == taskFiles && sub.ManifestFileData != "") {
		return Unusable{"the row has fields that this program does not know in such a row", "use a newer producer, or " + byHand}
	}
	r := &Remains{Task: t, Entity: t.Entity()}
	if r.Entity == "" {
		return Unusable{"the row's name does not say which table it belonged to", byHand}
	}
	switch kind {
	case taskManifest:
		path, err := manifestPath(sub.ManifestFileData)
		if err != nil {
			return Unusable{err.Error(), byHand}
		}
		r.Manifests = []string{path}
	default:
		r.Files = slices.Concat(sub.BatchFiles, sub.MetadataFiles)
		if len(r.Files) == 0 || slices.Contains(r.Files, "") {
			return Unusable{"the row names no files", "look at the row and delete it"}
		}
	}
	r.job = jobs.Job{
		Version: jobs.Version, Kind: jobs.PurgeFiles, Realm: t.Realm, Namespace: sub.TableID.Namespace, Table: sub.TableID.Name,
		Locations: t.locations(nil), RequestedAt: requestedAt(0, t.Created),
	}
	if err := t.describe(&r.job); err != nil {
		return Unusable{err.Error(), byHand}
	}
	return r
}

// known says whether the row has only the fields of a subTask.
func known(data string) bool {
	decoder := json.NewDecoder(strings.NewReader(data))
	decoder.DisallowUnknownFields()
	var sub subTask
	return decoder.Decode(&sub) == nil
}

// Entity is Polaris' id of the dropped entity that the row belongs to, read from
// its name: entityCleanup_<id> or entityCleanup_<id>_<what>_<random>. "" if the
// name does not say.
func (t *Task) Entity() string {
	rest, found := strings.CutPrefix(t.Name, cleanupName)
	id, _, _ := strings.Cut(rest, "_")
	if !found || id == "" || strings.Trim(id, "0123456789") != "" {
		return ""
	}
	return id
}

// Name is the table as people write it.
func (r *Remains) Name() string { return jobs.FormatTable(r.job.Namespace, r.job.Table) }

// Location of the table; "" if the row has none.
func (r *Remains) Location() string { return r.Task.internal[locationKeys[0]] }
