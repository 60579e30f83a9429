package metastore

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"deckhand/jobs"
)

// Sub types of what is like a table.
const (
	subTypeTable = 2
	subTypeView  = 3
)

// Dropped is a dropped table or view whose files nobody has purged.
type Dropped struct {
	Task *Task
	// EntityID and CatalogID are Polaris' ids.
	EntityID, CatalogID int64
	job                 jobs.Job
}

// entity is the dropped entity as the row holds it.
type entity struct {
	CatalogID          int64  `json:"catalogId"`
	ID                 int64  `json:"id"`
	TypeCode           int    `json:"typeCode"`
	SubTypeCode        int    `json:"subTypeCode"`
	Name               string `json:"name"`
	DropTimestamp      int64  `json:"dropTimestamp"`
	InternalProperties string `json:"internalProperties"`
}

// locationKeys name the table's own locations. The catalog's are not among them:
// a job's locations bound what a worker may delete.
var locationKeys = []string{"storageLocation", "write.data.path", "write.metadata.path"}

func (t *Task) dropped(data string) Content {
	var e *entity
	if json.Unmarshal([]byte(data), &e) != nil {
		// Not the error's text: it may quote the row, table properties included.
		return Unusable{"the row is not the JSON that Polaris writes", byHand}
	}
	switch {
	case e == nil || e.TypeCode != typeTableLike:
		return Foreign{"the clean-up of something that is no table"}
	case e.SubTypeCode != subTypeTable && e.SubTypeCode != subTypeView:
		return Foreign{"the clean-up of a table that is no Iceberg table"}
	}
	internal := stringsOf([]byte(e.InternalProperties))
	metadata := internal["metadata-location"]
	if metadata == "" {
		return Unusable{"the row has no metadata location, so that nothing says which files the table had",
			"delete the table's files by hand, then the row"}
	}
	namespace, err := namespaceOf(internal["parent-namespace"])
	if err != nil {
		return Unusable{err.Error(), byHand}
	}
	job := jobs.Job{
		Version: jobs.Version, ID: t.Realm + "." + strconv.FormatInt(t.ID, 10), Kind: jobs.Purge, Realm: t.Realm,
		Namespace: namespace, Table: e.Name, TableUUID: internal["table-uuid"], MetadataLocation: metadata,
		Locations: t.locations(internal), RequestedAt: requestedAt(e.DropTimestamp, t.Created),
	}
	if e.SubTypeCode == subTypeView {
		job.Kind = jobs.PurgeView
	}
	if job.TableUUID == "" {
		job.EntityID = strconv.FormatInt(e.ID, 10)
	}
	if err := t.describe(&job); err != nil {
		return Unusable{err.Error(), byHand}
	}
	return &Dropped{Task: t, EntityID: e.ID, CatalogID: e.CatalogID, job: job}
}

// Name is the table or view as people write it.
func (d *Dropped) Name() string { return jobs.FormatTable(d.job.Namespace, d.job.Table) }

// MetadataLocation of the root metadata file.
func (d *Dropped) MetadataLocation() string { return d.job.MetadataLocation }

// Job is the purge of what was dropped. The error is a *[jobs.FieldError],
// or says that the job is too large.
func (d *Dropped) Job(catalog string) (*jobs.Job, error) {
	job := d.job
	job.Catalog = catalog
	if err := check(&job); err != nil {
		return nil, err
	}
	return &job, nil
}

// describe adds what every task row repeats: whether the files may go, and how
// their storage is reached.
func (t *Task) describe(job *jobs.Job) (err error) {
	if text, set := t.internal["gc.enabled"]; set {
		enabled := strings.EqualFold(text, "true") // as Java reads it
		job.GCEnabled = &enabled
	}
	if text, set := t.internal["storage_configuration_info"]; set {
		job.Storage, err = storageOf(text)
	}
	return err
}

func (t *Task) locations(internal map[string]string) []string {
	var locations []string
	for _, key := range locationKeys {
		location, set := t.internal[key]
		if !set {
			location = internal[key]
		}
		if location != "" && !slices.Contains(locations, location) {
			locations = append(locations, location)
		}
	}
	return locations
}

// requestedAt is the drop's time. Releases up to 1.7 do not set it; the row is
// made right after the drop.
func requestedAt(dropped int64, created time.Time) jobs.Timestamp {
	switch {
	case dropped > 0:
		return jobs.At(time.UnixMilli(dropped))
	case created.UnixMilli() > 0:
		return jobs.At(created)
	}
	return jobs.Timestamp{}
}

// separator stands between levels: the byte 0x1F, which rows hold escaped.
var separator = regexp.MustCompile("%1[Ff]|\x1f")

// namespaceOf reads levels that are form-encoded each and joined by the escaped
// separator.
func namespaceOf(encoded string) ([]string, error) {
	levels := separator.Split(encoded, -1)
	for i, level := range levels {
		var err error
		if levels[i], err = url.QueryUnescape(level); err != nil {
			return nil, fmt.Errorf("the row's namespace has a broken escape")
		}
	}
	if slices.Contains(levels, "") {
		return nil, fmt.Errorf("the row has no namespace")
	}
	return levels, nil
}
