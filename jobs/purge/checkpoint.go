package purge

import (
	"encoding/json"
	"strings"

	"deckhand/internal/receipt"
	"deckhand/jobs"
)

// level is a step of a purge. Their order is the order of the deletes.
type level int

const (
	levelData level = iota
	levelManifests
	levelLists
	levelStatistics
	levelMetadata
	levelRoot
)

var levelNames = [...]string{"data", "manifests", "manifest lists", "statistics", "metadata", "root"}

func (l level) String() string { return levelNames[l] }

// checkpoint says how far a purge has got. The first one is stored before the
// first delete: it alone makes a missing root mean "done".
type checkpoint struct {
	// UUID and MetadataLocation say which purge this is.
	UUID             string `json:"uuid"`
	MetadataLocation string `json:"metadata_location"`
	// Locations of the table, for the final listing when the root is gone. Absent
	// when they would not fit.
	Locations []string `json:"locations,omitempty"`
	// Level that has begun.
	Level level `json:"level"`
	// Plan identifies the manifests that Done speaks of; Done is a bitmap with one
	// bit per Stride manifests whose files are all gone.
	Plan   uint64 `json:"plan,omitempty"`
	Done   []byte `json:"done,omitempty"`
	Stride int    `json:"stride,omitempty"`
	// Held are the files that must stay because they are or name files that were
	// kept. HeldAll stands for more than the checkpoint can hold.
	Held    []uint64 `json:"held,omitempty"`
	HeldAll bool     `json:"held_all,omitempty"`
	// Again: an earlier run went through all levels and kept only Before, so that
	// whatever else is missing now was deleted and counted then. BeforeAll stands
	// for more than the checkpoint can hold.
	Again     bool     `json:"again,omitempty"`
	Before    []uint64 `json:"before,omitempty"`
	BeforeAll bool     `json:"before_all,omitempty"`
	// Alone: what the shards of this purge did is not taken over, and this job goes
	// through the entries itself.
	Alone bool `json:"alone,omitempty"`
	// Deleted in the levels before Level; Kept and Absent likewise.
	Deleted     Counts            `json:"deleted,omitempty"`
	Kept        receipt.KeptFiles `json:"kept,omitempty"`
	Absent      Counts            `json:"absent,omitempty"`
	AbsentPaths []string          `json:"absent_paths,omitempty"`
	// Next is what Level deletes when it ends well. A level is repeated as a whole
	// and its files may be gone by then, so it is counted before.
	Next Counts `json:"next,omitempty"`
	// AtMost: counts include files that may have been counted twice.
	AtMost bool `json:"at_most,omitempty"`
	// Snapshots and Manifests of the table.
	Snapshots int `json:"snapshots"`
	Manifests int `json:"manifests"`
}

// These keep a checkpoint under 16 KiB: 4 KiB of bitmap ([erase.Plan]) are 5.5
// KiB of base64, two times 64 hashes are at most 2.6 KiB of digits, a metadata location of S3 is at most
// 6 KiB when each byte must be escaped, and each list of paths gets 1 KiB.
const (
	maxHeld   = 64
	maxListed = 1 << 10
)

// deletes says that the job has gone on to delete by itself, and not only begun.
func (c *checkpoint) deletes() bool { return c.Level > levelData || c.Done != nil || c.Again }

// begun reads a checkpoint of this very purge; nil when there is none.
func begun(job *jobs.Job, raw json.RawMessage) *checkpoint {
	var c checkpoint
	if len(raw) == 0 || json.Unmarshal(raw, &c) != nil {
		return nil
	}
	if c.MetadataLocation != job.MetadataLocation {
		return nil
	}
	if job.TableUUID != "" && !strings.EqualFold(c.UUID, job.TableUUID) {
		return nil
	}
	if c.Level < levelData || c.Level > levelRoot || c.Stride < 0 {
		return nil
	}
	return &c
}
