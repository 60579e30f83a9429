package jobs

import (
	"encoding/json"
	"errors"
)

// MaxShards is the highest number of a shard.
const MaxShards = 99_999

// ErrPlanConflict says that another plan was stored since the one was read that
// is to be replaced.
var ErrPlanConflict = errors.New("plan was changed by someone else")

// ShardPlan is the record in the bucket shards of how a purge is shared out. It
// is stored before the first shard is published and removed with the end of the
// purge. Its key is the purge's [Job.ShardBase] and "plan".
type ShardPlan struct {
	// Plan names what was planned: the same id is the same division into shards.
	Plan string `json:"plan"`
	// Job is the id of the purge.
	Job string `json:"job"`
	// Shards is their number; they are numbered from 1.
	Shards int `json:"shards"`
	// Files that all shards are estimated to have, and how many one was meant to.
	Files      int64 `json:"files"`
	ShardFiles int64 `json:"shard_files"`
	// Root is the location of the metadata file that was planned from.
	Root    string    `json:"root"`
	Created Timestamp `json:"created"`
	// Finish is the purge-finish job, ready to be published once each shard of this
	// plan is completed.
	Finish *Job `json:"finish"`
}

// ShardDone is what a completed shard leaves in the bucket shards, under the
// purge's [Job.ShardBase], the plan's id and its number. A shard that is dead,
// canceled or of another plan leaves none.
type ShardDone struct {
	Plan  string `json:"plan"`
	Shard int    `json:"shard"`
	// Files that were dealt with, deleted or not, and the bytes of those deleted.
	Files      int64     `json:"files"`
	Bytes      int64     `json:"bytes"`
	FinishedAt Timestamp `json:"finished_at"`
	// Receipt is what the kind adds up at the end.
	Receipt json.RawMessage `json:"receipt,omitempty"`
}

// ShardBase is what the keys in the bucket shards of a purge, of its shards and
// of its finish begin with: the tail of the purge without its kind.
func (j *Job) ShardBase() string { return base(j.measuredTail()) }
